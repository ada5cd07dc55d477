"""The app: the routes put together, and what every answer has in common.

Lives here: the table of contents of the API, and what becomes of a refusal. Does not: any handler, what nobody
thought of (request_log.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from aila_pipeline.api import batches, calls, health, people, signed_puts, uploads
from aila_pipeline.api.access import LastUse
from aila_pipeline.api.documentation import describe
from aila_pipeline.api.envelopes import contract_of, failure
from aila_pipeline.api.request_log import RequestLog, route_of
from aila_pipeline.api.services import opened
from aila_pipeline.errors import (
    AilaError,
    MethodNotAllowed,
    NotFound,
    RequestContradictory,
    RequestInvalid,
)
from aila_pipeline.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The API on the home of these settings; its ledger is opened when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with opened(settings) as services:
            app.state.services = services
            app.state.last_use = LastUse(services.ledger.keys)
            yield

    # As FastAPI, but its page at /docs loads nothing from elsewhere: it works where no browser gets out.
    app = FastAPIOffline(title="aila_pipeline", lifespan=lifespan, redoc_url=None, redirect_slashes=False)
    for prefix in ("/api/v1", "/v1"):
        app.include_router(uploads.router, prefix=prefix)
        app.include_router(signed_puts.router, prefix=prefix)
        app.include_router(batches.router, prefix=prefix)
        app.include_router(calls.router, prefix=prefix)
        app.include_router(people.router, prefix=prefix)
    app.include_router(health.router)
    app.add_exception_handler(AilaError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _not_served)
    describe(app)
    app.add_middleware(RequestLog)  # the last one added is the outermost
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, AilaError)
    request.state.error_code = error.code
    return failure(contract_of(request.url.path), error)


async def _invalid(request: Request, error: Exception) -> Response:
    """A parameter that breaks its type; FastAPI's own answer would quote it."""
    assert isinstance(error, RequestValidationError)
    # ("query", "limit"), or with the place in a list behind it
    fields = {str(each["loc"][1]): str(each["msg"]) for each in error.errors() if len(each["loc"]) > 1}
    return await _refused(request, RequestInvalid("", {"fields": fields}))


async def _not_served(request: Request, error: Exception) -> Response:
    """An address or method that is not there."""
    assert isinstance(error, HTTPException)
    refusal = {404: NotFound, 405: MethodNotAllowed}.get(error.status_code, RequestContradictory)()
    headers = dict(error.headers or {})
    if error.status_code == 405:
        # The router names the methods of one of the routes that share the address.
        methods = request.app.openapi()["paths"].get(route_of(request.scope), {"get": None})
        headers["Allow"] = ", ".join(sorted(method.upper() for method in methods))
    return failure(contract_of(request.url.path), refusal, headers)
