"""The log of requests: one line of JSON each, and what becomes of an exception that nobody thought of.

Lives here: the outermost layer of the app. Does not: how a line is written (json_lines.py), metrics as such.

A line names the route by its template and people by ids of ours: no path, query, header or body as it was sent. An
exception that gets here is answered as INTERNAL_ERROR in the envelope of its path and logged by its type and frames;
its message may quote the request, and nothing is raised on to the server, which would print it.
"""

from __future__ import annotations

import re
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.api.envelopes import contract_of, failure
from aila_pipeline.api.json_lines import frames_of, log
from aila_pipeline.api.metrics import Metrics
from aila_pipeline.domain.ids import ulid
from aila_pipeline.errors import RequestFailed

HEADER = "X-Request-Id"
UNKNOWN = "(none)"
"""The route of what no route serves."""

CLIENT_GONE = 499
"""As nginx logs it: the client went away before it was answered."""

_SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_BATCH_ID = re.compile(r"batch_[0-9a-z]{1,60}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PREFIXES = {"a": "/api/v1", "b": "/v1"}

_KINDS = {"/calls/process-upload": "pair", "/calls/batch-upload": "manifest"}
_OUTCOMES = {200: "accepted", 401: "unauthorized", 429: "limited"}


class RequestLog:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and tell about it when it is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = _Answer(_request_id(scope), send)
        scope.setdefault("state", {})["request_id"] = told.request_id
        begun = time.perf_counter()
        try:
            await self._app(scope, receive, told.send)
        except ClientDisconnect:
            told.status = told.status or CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the last line of defence
            log.error("unexpected", request_id=told.request_id, **frames_of(error))
            if told.status is None:
                await failure(contract_of(scope["path"]), RequestFailed())(scope, receive, told.send)
        finally:
            _tell(scope, told, time.perf_counter() - begun)


class _Answer:
    """What was sent: the status, with the request's id added to the headers."""

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id = request_id
        self.status: int | None = None
        self.replayed = False
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            self.replayed = any(name.lower() == b"idempotent-replayed" for name, _ in headers)
            message = {**message, "headers": [*headers, (HEADER.lower().encode(), self.request_id.encode())]}
        await self._send(message)


def route_of(scope: Scope) -> str:
    """The template of the route that served, with its prefix; `(none)` where none did."""
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return UNKNOWN
    prefix = _PREFIXES[contract_of(scope["path"])]
    # FastAPI names the routes of an included router without the prefix or with it, depending on its version.
    served = scope["path"].startswith(prefix + "/") and not path.startswith(prefix + "/")
    return prefix + path if served else path


def _tell(scope: Scope, answer: _Answer, seconds: float) -> None:
    method = scope["method"] if scope["method"] in _METHODS else "other"
    status, route = answer.status or 500, route_of(scope)
    state: MutableMapping[str, Any] = scope["state"]
    access: Access | None = state.get("access")
    line = {
        "request_id": answer.request_id,
        "method": method,
        "route": route,
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "tenant_id": access.tenant.id if access else None,
        "key_id": access.key_id if access else None,
        "batch_id": state.get("batch_id") or _asked_batch(scope, status),
        "error_code": state.get("error_code"),
    }
    log.info("request", **{name: value for name, value in line.items() if value is not None})
    metrics: Metrics | None = getattr(getattr(scope["app"].state, "services", None), "metrics", None)
    if metrics is None:
        return
    metrics.request(method=method, route=route, status=status, seconds=seconds)
    kind = _KINDS.get(route.removeprefix(_PREFIXES[contract_of(route)]))
    if kind is not None and method == "POST" and not state.get("dry_run"):
        metrics.submission(kind=kind, outcome=_outcome(status, replayed=answer.replayed))


def _outcome(status: int, *, replayed: bool) -> str:
    if replayed:
        return "replayed"
    return _OUTCOMES.get(status) or ("refused" if status < 500 else "failed")


def _asked_batch(scope: Scope, status: int) -> str | None:
    """The batch in the path, if there is one of that id: anything else there is the client's own text."""
    asked = scope.get("path_params", {}).get("batch_id", "")
    return asked if status == 200 and _BATCH_ID.fullmatch(asked) else None


def _request_id(scope: Scope) -> str:
    """The client's own id where it is short and harmless, else a new one."""
    given = [value for name, value in scope["headers"] if name == HEADER.lower().encode()]
    return given[0].decode() if len(given) == 1 and _SAFE_ID.fullmatch(given[0]) else ulid()
