"""Idempotency: a POST with the header `Idempotency-Key` is carried out once, however often it is sent.

Lives here: the header, what makes two requests the same, what each of them is answered. Does not: claims and
remembered answers as such (adapters/ledger/idempotency.py).

    the first request of a key                  carried out; its answer is remembered
    the same key and request, later             that answer again, with `Idempotent-Replayed: true`
    the same key, another request               422 IDEMPOTENCY_KEY_REUSED
    the same key, the first still under way     409 IDEMPOTENCY_KEY_IN_USE, `Retry-After: 1`
    the first was refused                       the key is as if it had never been used

What is remembered is the data; the envelope belongs to the path that is asked. A dry run changes nothing and needs no
key: its handler answers `plainly`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import Request, Response

from aila_pipeline.adapters.ledger.idempotency import Claim, Remembered
from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.api.envelopes import contract_of, failure, success
from aila_pipeline.api.limit_headers import refusal_headers
from aila_pipeline.api.services import Services
from aila_pipeline.errors import LedgerUnavailable, LimitReached, RequestInvalid

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
_MOST_CHARACTERS = 255


@dataclass(frozen=True)
class Answer:
    """The data of a 200. `remembered`: the ledger keeps it already, from the transaction that did the work."""

    data: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    remembered: bool = False


Act = Callable[[Claim | None], Answer]
"""Does what the request asks. Given a claim, it may hand it to the ledger (`Answering`) and say `remembered`."""


def once(services: Services, access: Access, request: Request, body: bytes, act: Act) -> Response:
    """The answer to a POST, carried out at most once per key. Call it in the thread pool: it waits for the ledger.

    A limit that refuses is answered here, with its headers; other refusals are raised as they come.
    """
    return plainly(access, request, lambda: _answer(services, access, request, body, act))


def plainly(access: Access, request: Request, act: Callable[[], Answer]) -> Response:
    """The answer to a request that changes nothing, or that was claimed before."""
    contract = contract_of(request.url.path)
    try:
        answer = act()
    except LimitReached as error:
        request.state.error_code = error.code
        return failure(contract, error, refusal_headers(error, access.tenant.settings))
    request.state.batch_id = answer.data.get("batch_id")  # for the log
    return success(contract, answer.data, answer.headers)


def _answer(services: Services, access: Access, request: Request, body: bytes, act: Act) -> Answer:
    key = _key(request)
    if key is None:
        return act(None)
    keys = services.ledger.idempotency
    claim = keys.claim(
        access.tenant.id,
        key,
        _digest(request, body),
        now=datetime.now(UTC),
        remembered_for=timedelta(hours=services.settings.idempotency_hours),
    )
    if isinstance(claim, Remembered):
        return Answer(claim.body, {REPLAYED: "true"}, remembered=True)
    try:
        answer = act(claim)
        if not answer.remembered:
            keys.remember(claim, 200, answer.data)
    except BaseException:
        # An answer that is remembered stays, whatever went wrong afterwards. What cannot be released runs out.
        with suppress(LedgerUnavailable):
            keys.release(claim)
        raise
    return answer


def _key(request: Request) -> str | None:
    """The key, or None where none is sent. Raises RequestInvalid for one that cannot be kept and compared."""
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    key = given[0]
    if len(given) > 1 or not 0 < len(key) <= _MOST_CHARACTERS or not (key.isascii() and key.isprintable()):
        told = f"must be one header of 1 to {_MOST_CHARACTERS} printable ASCII characters"
        raise RequestInvalid("", {"fields": {HEADER: told}})
    return key


def _digest(request: Request, body: bytes) -> str:
    """SHA-256 of all that makes a request what it is: method, address without the prefix, query, body."""
    address = request.url.path.removeprefix("/api")
    digest = hashlib.sha256()
    for part in (request.method.encode(), address.encode(), request.url.query.encode(), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
