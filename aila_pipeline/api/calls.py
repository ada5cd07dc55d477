"""Calls: the list that contract A names "Get Calls", and one call in full (contracts, gap 5).

Lives here: what may be asked for, and reading it off the query. Does not: pages (adapters/ledger/call_pages.py), what
a call looks like (adapters/call_document.py).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import WithJsonSchema

from aila_pipeline.adapters.call_document import listed_document, load_findings, whole_document
from aila_pipeline.adapters.ledger.call_pages import CallPage, Wanted
from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.api import cursors
from aila_pipeline.api.access import Caller, Held
from aila_pipeline.api.envelopes import contract_of, success
from aila_pipeline.api.services import Services
from aila_pipeline.domain.intake.fields import printable, zone_of
from aila_pipeline.domain.status import CallStatus
from aila_pipeline.errors import NotFound, RequestInvalid

router = APIRouter(tags=["calls"])

MOST = 500
USUAL = 100
LONGEST_ID = 255

CALL_ID = re.compile(r"aila_[0-9a-z]{1,60}")
_POSITION = re.compile(r"[0-9]{1,9}")
_BATCH_ID = re.compile(r"batch_[0-9a-z]{1,60}")
# A `+` that was not written as %2B arrives as a blank; after a time of day nothing else can be meant.
_LOST_PLUS = re.compile(r"(T[0-9:.,]+) ([0-9]{2}(?::?[0-9]{2})?)", re.IGNORECASE)

_STATUS_SCHEMA = {"type": "array", "items": {"type": "string", "enum": [str(status) for status in CallStatus]}}
_TIME_SCHEMA = {"type": "string", "format": "date-time"}

Statuses = Annotated[
    list[str],
    Query(default_factory=list, description="only calls in these statuses; repeated, or separated by commas"),
    WithJsonSchema(_STATUS_SCHEMA),
]
BatchId = Annotated[str, Query(description="only the calls of this batch, in its own order")]
ExternalId = Annotated[str, Query(max_length=LONGEST_ID, description="only the call of this id of the client's own")]
Since = Annotated[
    str,
    Query(alias="from", description="only calls accepted then or later; without a zone: the tenant's"),
    WithJsonSchema(_TIME_SCHEMA),
]
Before = Annotated[str, Query(alias="to", description="only calls accepted before then"), WithJsonSchema(_TIME_SCHEMA)]
Cursor = Annotated[str, Query(description="the `next_cursor` of the page before, with the same filters")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="calls on a page")]


@router.get("/calls")
def list_calls(
    request: Request,
    access: Caller,
    held: Held,
    *,
    status: Statuses,
    batch_id: BatchId = "",
    external_id: ExternalId = "",
    since: Since = "",
    before: Before = "",
    cursor: Cursor = "",
    limit: Limit = USUAL,
) -> Response:
    """The tenant's calls page by page: newest first, or one batch's calls in their order."""
    zone = zone_of(access.tenant.settings)
    wanted = Wanted(
        statuses=_statuses(status),
        external_id=_external_id(external_id),
        since=_moment("from", since, zone),
        before=_moment("to", before, zone),
    )
    query = (access.tenant.id, batch_id, sorted(wanted.statuses), external_id, wanted.since, wanted.before)
    form = _POSITION if batch_id else CALL_ID
    after = cursors.place_in(cursor, *query, form=form) if cursor else None
    page = _page(held, access, wanted, batch_id=batch_id, after=after, limit=limit)
    last = page.calls[-1] if page.more else None
    place = None if last is None else last.id if last.position is None else str(last.position)
    data = {
        "calls": [listed_document(call) for call in page.calls],
        "next_cursor": None if place is None else cursors.cursor_of(place, *query),
    }
    return success(contract_of(request.url.path), data)


@router.get("/calls/{call_id}")
def show_call(request: Request, access: Caller, held: Held, call_id: str) -> Response:
    """One call in full. A call of another tenant is answered as one that does not exist."""
    call = held.ledger.whole_calls.find(access.tenant.id, call_id) if CALL_ID.fullmatch(call_id) else None
    if call is None:
        raise NotFound()
    findings = load_findings(held.store, call.details, call.results)
    data = whole_document(call, findings, dagster_url=held.settings.dagster_url)
    return success(contract_of(request.url.path), data)


def _page(held: Services, access: Access, wanted: Wanted, *, batch_id: str, after: str | None, limit: int) -> CallPage:
    pages, tenant_id = held.ledger.call_pages, access.tenant.id
    if not batch_id:
        return pages.newest(tenant_id, wanted, after=after, limit=limit)
    position = int(after) if after is not None else None
    known = _BATCH_ID.fullmatch(batch_id) is not None
    page = pages.of_batch(tenant_id, batch_id, wanted, after=position, limit=limit) if known else None
    if page is None:
        raise NotFound()
    return page


def _statuses(given: list[str]) -> frozenset[CallStatus]:
    names = {name for each in given for name in each.split(",") if name}
    if not names <= set(CallStatus):
        raise _invalid("status", f"must be among {', '.join(CallStatus)}")
    return frozenset(CallStatus(name) for name in names)


def _external_id(given: str) -> str | None:
    if not printable(given):
        raise _invalid("external_id", "must be free of control characters")
    return given or None


def _moment(name: str, given: str, zone: tzinfo) -> datetime | None:
    """A bound; a date alone is its first moment."""
    if not given:
        return None
    try:
        told = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", given))
        return (told if told.tzinfo is not None else told.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _invalid(name, "must be an ISO 8601 time, like 2026-01-15T12:00:00Z") from None


def _invalid(field: str, told: str) -> RequestInvalid:
    return RequestInvalid("", {"fields": {field: told}})
