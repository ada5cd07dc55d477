"""Access: who asks, told by the key in the `Authorization` header.

Lives here: reading the header, noting that a key was used. Does not: keys as such (adapters/ledger/keys.py).
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from aila_pipeline.adapters.ledger.batch_pages import BatchPage
from aila_pipeline.adapters.ledger.keys import Access, ApiKeys
from aila_pipeline.api.services import Services
from aila_pipeline.errors import LedgerUnavailable, Unauthenticated

_log = logging.getLogger(__name__)

NOTE_EVERY = timedelta(minutes=1)
"""A key that is used all the time costs one write a minute."""

# Only describes the header in the OpenAPI; a missing key must get the contract's own envelope.
_bearer = HTTPBearer(auto_error=False, description="An API key: `aila keys create` makes one.")


class LastUse:
    """When each key was last used, noted in the ledger at most once a minute."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys
        self._noted: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def note(self, key_id: str, now: datetime) -> None:
        """Remember the use. That the ledger is too busy to be told is not worth an error."""
        with self._lock:
            known = self._noted.get(key_id)
            if known is not None and now - known < NOTE_EVERY:
                return
            self._noted[key_id] = now
        try:
            self._keys.used({key_id: now})
        except LedgerUnavailable as error:
            _log.warning("last use of %s is not noted: %s", key_id, error.code)


Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


# Asynchronous, though it waits for nothing: FastAPI hands every other function to a thread, which costs more than it.
async def services_of(request: Request) -> Services:
    """What the process holds."""
    services: Services = request.app.state.services
    return services


def identified(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Access:
    """In whose name the request is made; Unauthenticated without a valid key.

    Asks the ledger, so call it in a thread.
    """
    services: Services = request.app.state.services
    return _let_in(request, services.ledger.keys.find(credentials.credentials) if credentials else None)


def polling(
    request: Request, credentials: HTTPAuthorizationCredentials | None, batch_id: str, *, limit: int
) -> tuple[Access, BatchPage | None]:
    """As `identified`, with the first page of the batch that is asked for, if it is the caller's: found together."""
    services: Services = request.app.state.services
    key = credentials.credentials if credentials else ""
    access, page = services.ledger.polls.find(key, batch_id, limit=limit)
    return _let_in(request, access), page


def _let_in(request: Request, access: Access | None) -> Access:
    if access is None:
        raise Unauthenticated()
    request.state.access = access
    last_use: LastUse = request.app.state.last_use
    last_use.note(access.key_id, datetime.now(UTC))
    return access


async def access_of(request: Request, credentials: Credentials) -> Access:
    """As `identified`, in a thread."""
    return await run_in_threadpool(identified, request, credentials)


Caller = Annotated[Access, Depends(access_of)]
Held = Annotated[Services, Depends(services_of)]
