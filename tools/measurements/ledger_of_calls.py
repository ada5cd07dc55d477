"""A ledger with as many calls as asked for, in batches of a hundred, as two years of submissions leave it.

Lives here: filling tables in bulk. Does not: measuring (api_speed.py). The rows are written past the ledger's own
doors, which would take an hour for a million calls; what they look like is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.all_tables import metadata
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.ledger.tables import attempts, batch_calls, batches, calls
from aila_pipeline.domain.ids import batch_id, call_id
from aila_pipeline.domain.models import CallDetails, Role, UrlSource
from aila_pipeline.domain.status import CallStatus, Stage

CALLS_A_BATCH = 100
BATCHES_AT_A_TIME = 100
FAILED_SHARE = 0.02
BETWEEN_BATCHES = timedelta(minutes=2)

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Filled:
    """Some batches to ask for: the newest ones that have ended, and the open ones."""

    ended: list[str]
    open: list[str]


def fill(ledger: Ledger, tenant: Tenant, user_id: str, count: int, tell: Callable[[int], None]) -> Filled:
    """Write `count` calls of the tenant; the last ten batches are half way. `tell` gets the calls written so far."""
    total = count // CALLS_A_BATCH
    start = datetime.now(UTC) - total * BETWEEN_BATCHES - timedelta(hours=2)
    made: list[str] = []
    for first in range(0, total, BATCHES_AT_A_TIME):
        rows: Rows = {"batches": [], "calls": [], "batch_calls": [], "attempts": []}
        for number in range(first, min(first + BATCHES_AT_A_TIME, total)):
            at = start + number * BETWEEN_BATCHES
            made.append(_batch(rows, tenant, user_id, at, is_open=number >= total - 10))
        ledger.database.write(partial(_insert, rows))
        tell(len(made) * CALLS_A_BATCH)
    if not ledger.database.sqlite:
        # PostgreSQL's planner knows nothing of fresh tables until it has looked; autovacuum would do so in a minute.
        ledger.database.write(_analyze)
    return Filled(ended=made[-60:-10], open=made[-10:])


def _analyze(connection: sa.Connection) -> None:
    for table in metadata.sorted_tables:
        connection.execute(sa.text(f"analyze {table.name}"))


def _insert(rows: Rows, connection: sa.Connection) -> None:
    for table in (batches, calls, batch_calls, attempts):
        connection.execute(sa.insert(table), rows[table.name])


def _batch(rows: Rows, tenant: Tenant, user_id: str, at: datetime, *, is_open: bool) -> str:
    """One batch with its calls; half of an open one's have ended."""
    batch, ended = batch_id(at), None if is_open else at + timedelta(minutes=1)
    statuses = list(_statuses(is_open=is_open))
    rows["batches"].append(
        {"id": batch, "tenant_id": tenant.id, "user_id": user_id, "kind": "manifest", "door": "api"}
        | {"name": "batch-upload", "priority": "live", "state": "accepted", "fingerprint": batch, "sources": []}
        | {"warnings": [], "total_calls": CALLS_A_BATCH, "received_at": at, "accepted_at": at, "started_at": at}
        | {"ended_at": ended, "completed_calls": statuses.count("completed"), "failed_calls": statuses.count("failed")}
    )
    for position, status in enumerate(statuses):
        _call(rows, _Place(tenant.id, batch, position), status, at)
    return batch


def _statuses(*, is_open: bool) -> Iterator[str]:
    for position in range(CALLS_A_BATCH):
        if is_open and position >= CALLS_A_BATCH // 2:
            yield str(CallStatus.PENDING)
        else:
            yield str(CallStatus.FAILED if position < CALLS_A_BATCH * FAILED_SHARE else CallStatus.COMPLETED)


@dataclass(frozen=True)
class _Place:
    """Where a call stands."""

    tenant_id: str
    batch_id: str
    position: int


def _call(rows: Rows, place: _Place, status: str, at: datetime) -> None:
    batch, position = place.batch_id, place.position
    call, external_id = call_id(at), f"{batch[-12:]}-{position:03}"
    failed, is_open = status == CallStatus.FAILED, status == CallStatus.PENDING
    code, told = ("AUDIO_INVALID", "not readable as audio") if failed else (None, None)
    error = {"error_code": code, "error_message": told}
    ended = None if is_open else at + timedelta(seconds=50)
    stage = Stage.SUBMISSION if is_open else Stage.OUTCOMES
    rows["calls"].append(
        {
            "id": call,
            "tenant_id": place.tenant_id,
            "batch_id": batch,
            "external_id": external_id,
            "fingerprint": external_id,
        }
        | {"details": _details(external_id, at), "status": status, "stage": stage, "attempt": 1, "warnings": []}
        | {"retryable": False, "created_at": at, "ended_at": ended}
        | error
    )
    rows["batch_calls"].append({"batch_id": batch, "position": position, "call_id": call, "external_id": external_id})
    rows["attempts"].append(
        {"call_id": call, "n": 1, "batch_id": batch, "stage": stage, "outcome": None if is_open else status}
        | {"created_at": at, "started_at": at, "ended_at": ended, "retryable": False}
        | error
    )


def _details(external_id: str, at: datetime) -> dict[str, Any]:
    source = UrlSource(url=f"https://recordings.example.com/{external_id}.mp3")
    details = CallDetails(
        source=source,
        external_id=external_id,
        started_at=at,
        left_channel=Role.CLIENT,
        right_channel=Role.OPERATOR,
        contact_phone="+15551234567",
        user_email="agent@example.com",
    )
    return details.model_dump(mode="json")
