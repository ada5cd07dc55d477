"""Batches: lists of calls (contract B), the status of any batch, and its retry.

Lives here: addresses, parameters and what is shown. Does not: what happens to a list (submitting.py), reading pages
(adapters/ledger/batch_pages.py).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import WithJsonSchema

from aila_pipeline.adapters.ledger.batch_pages import BatchPage, Place
from aila_pipeline.adapters.ledger.batch_views import BatchView
from aila_pipeline.adapters.ledger.call_views import linked_call
from aila_pipeline.adapters.ledger.idempotency import Claim
from aila_pipeline.adapters.ledger.retries import Retried
from aila_pipeline.adapters.ledger.submissions import Answering
from aila_pipeline.api import cursors
from aila_pipeline.api.access import Caller, Credentials, Held, identified, polling
from aila_pipeline.api.bodies import SMALL_BYTES, read_body
from aila_pipeline.api.envelopes import contract_of, success
from aila_pipeline.api.idempotency import Answer, once, plainly
from aila_pipeline.api.lanes import Lane
from aila_pipeline.api.submitting import CallList
from aila_pipeline.domain.intake.manifest import MAX_MANIFEST_BYTES
from aila_pipeline.domain.status import BatchStatus
from aila_pipeline.errors import NotFound, RequestInvalid

router = APIRouter(tags=["batches"])

MOST_CALLS, MOST_BATCHES, USUAL_BATCHES = 1_000, 100, 20
_SUBMISSIONS = Lane("submissions", 20)
"""Each may wait for other hosts for seconds; polls must not wait behind them for a thread."""

_BATCH_ID = re.compile(r"batch_[0-9a-z]{1,60}")
_POSITION = re.compile(r"[0-9]{1,9}")
_PLACE = re.compile(r"([0-9]{1,19})\.(batch_[0-9a-z]{1,60})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_STATUS_SCHEMA = {"type": "array", "items": {"type": "string", "enum": [str(status) for status in BatchStatus]}}
Statuses = Annotated[
    list[str],
    Query(default_factory=list, description="only batches in these statuses; repeated, or separated by commas"),
    WithJsonSchema(_STATUS_SCHEMA),
]
DryRun = Annotated[
    Literal["true", "false", "1", "0"], Query(description="check everything and tell, but write and count nothing")
]
Cursor = Annotated[str, Query(description="the `next_cursor` of the page before")]


@router.post("/calls/batch-upload", summary="Submit a list of calls")
async def submit_calls(request: Request, services: Held, access: Caller, dry_run: DryRun = "false") -> Response:
    """Contract B: 1 to 100 calls with the URLs of their audio. One wrong call refuses the whole list."""
    body = await read_body(request, MAX_MANIFEST_BYTES)
    given = CallList(services, access, body, datetime.now(UTC))
    if dry_run in {"true", "1"}:
        request.state.dry_run = True
        return await _SUBMISSIONS.run(plainly, access, request, given.dry_run)
    return await _SUBMISSIONS.run(once, services, access, request, body, given.submit)


@router.get("/calls/batch-upload", summary="List batches")
def list_batches(
    request: Request,
    services: Held,
    access: Caller,
    *,
    status: Statuses,
    cursor: Cursor = "",
    limit: Annotated[int, Query(ge=1, le=MOST_BATCHES, description="batches on a page")] = USUAL_BATCHES,
) -> Response:
    """The tenant's batches, newest first, whichever door they came through; without their calls."""
    statuses = _statuses(status)
    query = (access.tenant.id, "batches", sorted(statuses))
    after = _place(cursors.place_in(cursor, *query, form=_PLACE)) if cursor else None
    views, place = services.ledger.batch_pages.newest(access.tenant.id, statuses=statuses, after=after, limit=limit)
    now = datetime.now(UTC)
    following = cursors.cursor_of(_text(place), *query) if place else None
    data = {"batches": [_shown(view, now) for view in views], "next_cursor": following}
    return success(contract_of(request.url.path), data)


@router.get("/calls/batch-upload/{batch_id}", summary="Show a batch and its calls")
def show_batch(
    request: Request,
    services: Held,
    credentials: Credentials,
    batch_id: str,
    *,
    cursor: Cursor = "",
    limit: Annotated[int, Query(ge=1, le=MOST_CALLS, description="calls on a page")] = MOST_CALLS,
) -> Response:
    """Contract B's status of a batch: its counts, and its calls in their order."""
    asked = batch_id if _BATCH_ID.fullmatch(batch_id) else ""
    if cursor:
        access = identified(request, credentials)
        place = cursors.place_in(cursor, access.tenant.id, "batch", batch_id, form=_POSITION)
        page = services.ledger.batch_pages.one(access.tenant.id, asked, after=int(place), limit=limit)
    else:
        access, page = polling(request, credentials, asked, limit=limit)
    if page is None:
        raise NotFound()
    following = None
    if page.after is not None:
        following = cursors.cursor_of(str(page.after), access.tenant.id, "batch", batch_id)
    return success(contract_of(request.url.path), _whole(page, batch_id, following))


@router.post("/calls/batch-upload/{batch_id}/retry", summary="Try the failed calls of a batch again")
async def retry_batch(request: Request, services: Held, access: Caller, batch_id: str) -> Response:
    """A new attempt for each failed call; those whose rows were rejected have nothing to try with."""
    body = await read_body(request, SMALL_BYTES)
    if _BATCH_ID.fullmatch(batch_id) is None:
        raise NotFound()

    def act(claim: Claim | None) -> Answer:
        data = partial(_retry_data, batch_id)
        retried = services.ledger.submissions.retry_failed(
            access,
            batch_id,
            shard_size=services.settings.shard_size,
            now=datetime.now(UTC),
            answering=Answering(claim, data) if claim else None,
        )
        if retried is None:
            raise NotFound()
        if retried.shards:
            services.launcher.shards()
        return Answer(data(retried), remembered=claim is not None)

    return await _SUBMISSIONS.run(once, services, access, request, body, act)


def _shown(view: BatchView, now: datetime) -> dict[str, Any]:
    """Contract B's fields; what only the house needs to know stays in it."""
    shown = view.document(now)
    del shown["tenant"]
    shown["waits_for"] = view.waits_in_short
    if view.problem is not None:
        shown["error"] = {"code": view.problem.get("code"), "message": view.problem.get("message")}
    return shown


def _whole(page: BatchPage, batch_id: str, following: str | None) -> dict[str, Any]:
    """The batch under the id that was asked for, with its calls."""
    shown = _shown(page.view, datetime.now(UTC)) | {"batch_id": batch_id}
    if page.duplicate_of is not None:
        shown["duplicate_of"] = page.duplicate_of
    return shown | {"calls": [linked_call(row[1:]) for row in page.calls], "next_cursor": following}


def _retry_data(batch_id: str, retried: Retried) -> dict[str, Any]:
    data: dict[str, Any] = {"batch_id": batch_id}
    if retried.batch_id != batch_id:
        data["duplicate_of"] = retried.batch_id
    counts = {"calls_retried": retried.calls, "calls_not_retriable": retried.without_data}
    return data | counts | {"status": str(retried.status)}


def _statuses(given: list[str]) -> frozenset[BatchStatus]:
    names = {name for each in given for name in each.split(",") if name}
    if not names <= set(BatchStatus):
        raise RequestInvalid("", {"fields": {"status": f"must be among {', '.join(BatchStatus)}"}})
    return frozenset(BatchStatus(name) for name in names)


def _text(place: Place) -> str:
    """A place in the list of batches, to the microsecond."""
    since = place.received_at - _EPOCH
    return f"{(since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds}.{place.batch_id}"


def _place(text: str) -> Place:
    microseconds, _, batch_id = text.partition(".")
    return Place(_EPOCH + timedelta(microseconds=int(microseconds)), batch_id)
