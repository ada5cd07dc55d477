"""The app: the routes put together, and what every answer has in common.

Lives here: the table of contents of the API, and its last line of defence. Does not: any handler.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from aila_pipeline.api import health, signed_puts, uploads
from aila_pipeline.api.access import LastUse
from aila_pipeline.api.envelopes import contract_of, failure
from aila_pipeline.api.services import opened
from aila_pipeline.errors import (
    AilaError,
    MethodNotAllowed,
    NotFound,
    RequestContradictory,
    RequestFailed,
    RequestInvalid,
)
from aila_pipeline.settings import Settings

_log = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The API on the home of these settings; its ledger is opened when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with opened(settings) as services:
            app.state.services = services
            app.state.last_use = LastUse(services.ledger.keys)
            yield

    app = FastAPI(title="aila_pipeline", lifespan=lifespan, redoc_url=None)
    app.include_router(health.router)
    for prefix in ("/api/v1", "/v1"):
        app.include_router(uploads.router, prefix=prefix)
        app.include_router(signed_puts.router, prefix=prefix)
    app.add_exception_handler(AilaError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _not_served)
    app.add_exception_handler(Exception, _unexpected)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, AilaError)
    return failure(contract_of(request.url.path), error)


async def _invalid(request: Request, error: Exception) -> Response:
    """A parameter that breaks its type; FastAPI's own answer would quote it."""
    assert isinstance(error, RequestValidationError)
    fields = {str(each["loc"][-1]): str(each["msg"]) for each in error.errors()}
    return failure(contract_of(request.url.path), RequestInvalid("", {"fields": fields}))


async def _not_served(request: Request, error: Exception) -> Response:
    """An address or method that is not there."""
    assert isinstance(error, HTTPException)
    refusal = {404: NotFound, 405: MethodNotAllowed}.get(error.status_code, RequestContradictory)()
    return failure(contract_of(request.url.path), refusal, error.headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    """A case nobody thought of: told without the exception's message, which may quote the request."""
    frames = traceback.extract_tb(error.__traceback__)
    _log.error("%s\n%s", type(error).__name__, "".join(traceback.format_list(frames)))
    return failure(contract_of(request.url.path), RequestFailed())
