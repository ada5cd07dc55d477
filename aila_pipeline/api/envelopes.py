"""Envelopes: each path answers in the words of its own contract, errors too.

Lives here: how data and errors are wrapped. Does not: what they say.

    /api/v1/…  contract A   {"status": "success", "data": {…}}   {"status": "error", "error": {…}}
    /v1/…      contract B   {"success": true, …}                 {"success": false, "error": {…}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import orjson
from fastapi import Response

from aila_pipeline.adapters.ledger.call_views import iso
from aila_pipeline.errors import (
    AilaError,
    InfrastructureError,
    LimitReached,
    RequestInFlight,
    RequestRefused,
    SubmissionRefused,
)

Contract = Literal["a", "b"]

_RETRY_AFTER_SECONDS = 5
_TIMES = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def contract_of(path: str) -> Contract:
    """Which contract a path belongs to; B's where neither prefix is there."""
    return "a" if path == "/api" or path.startswith("/api/") else "b"


def success(contract: Contract, data: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A 200 with the data."""
    body = {"status": "success", "data": data} if contract == "a" else {"success": True, **data}
    return answer(200, body, headers)


def failure(contract: Contract, error: AilaError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that was refused, or that a part we depend on kept from being carried out."""
    told = dict(headers or {})
    if isinstance(error, LimitReached):
        told["Retry-After"] = str(error.retry_after_seconds)
    elif isinstance(error, RequestInFlight):
        told["Retry-After"] = "1"
    elif isinstance(error, InfrastructureError):
        told["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    status = status_of(error)
    if status == 401:
        told["WWW-Authenticate"] = "Bearer"
    return answer(status, error_body(contract, error), told)


def error_body(contract: Contract, error: AilaError) -> dict[str, Any]:
    """The error in the contract's words. What is the house's own trouble is told by its code alone."""
    house = isinstance(error, InfrastructureError)
    told = {
        "code": error.code,
        "message": f"{error.what}; try again in a moment" if house else error.message,
        "details": dict(error.details) if isinstance(error, RequestRefused) else {},
    }
    return {"status": "error", "error": told} if contract == "a" else {"success": False, "error": told}


def status_of(error: AilaError) -> int:
    """The HTTP status that tells what kind of trouble it is."""
    if isinstance(error, RequestRefused):
        return error.http_status
    if isinstance(error, SubmissionRefused):
        return 422
    return 503


def answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """JSON in UTF-8, with times as the contracts write them; non-finite numbers cannot be in it."""
    try:
        content = orjson.dumps(body, option=_TIMES)
    except orjson.JSONEncodeError:
        # An integer of more than 64 bits, in what a client keeps with its call.
        content = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=iso).encode()
    return Response(content, status, {"Cache-Control": "no-store", **(headers or {})}, media_type="application/json")
