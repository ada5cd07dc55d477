"""Views of batches: one batch with its counts, from as few and as narrow rows as will do.

Lives here: contract B's fields of a batch, why it waits, how long it will take. Does not: its calls (call_views.py),
pages for clients (batch_pages.py), transactions (views.py).

A batch that has ended keeps its counts, so that a list of batches need not count calls; an open one's are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.call_views import iso
from aila_pipeline.adapters.ledger.tables import batch_calls, batches, calls, shards, tenants
from aila_pipeline.domain.status import TERMINAL, BatchStatus, CallStatus, roll_up

Row: TypeAlias = "sa.Row[*tuple[Any, ...]]"

_BEING_CHECKED = "waits to be checked; that takes seconds while Dagster runs"
_ELSEWHERE = "waits for calls that another batch has brought"
_STOPPED = "; the last run stopped: "


@dataclass(frozen=True)
class Pace:
    """Since when the open calls are worked on, and how many of the batch's calls have ended since."""

    since: datetime
    ended: int


@dataclass(frozen=True)
class BatchView:
    """One batch with its counts; its status is derived from its calls'."""

    id: str
    name: str
    kind: str
    country: str
    firm: str
    state: str
    counts: dict[CallStatus, int]
    warnings: tuple[str, ...]
    problem: dict[str, Any] | None
    received_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    waits_for: str | None
    pace: Pace | None = None

    @property
    def status(self) -> BatchStatus:
        """Contract B's status."""
        if self.state == "refused":
            return BatchStatus.FAILED
        return roll_up(self.counts, started=self.started_at is not None or self.ended_at is not None)

    @property
    def pending(self) -> int:
        """Calls that are not terminal."""
        return sum(count for status, count in self.counts.items() if not status.terminal)

    @property
    def waits_in_short(self) -> str | None:
        """As `waits_for`, for clients: without the reason why a run stopped, which is for who runs the house."""
        return self.waits_for.partition(_STOPPED)[0] if self.waits_for else None

    def eta_seconds(self, now: datetime) -> float | None:
        """Time left at the pace so far; None while nothing has ended, or when all has.

        The pace of a retry is its own: what was done days before it tells nothing about it.
        """
        if self.pace is None or not self.pace.ended or not self.pending:
            return None
        return max(0.0, round((now - self.pace.since).total_seconds() * self.pending / self.pace.ended, 1))

    def document(self, now: datetime) -> dict[str, Any]:
        """Contract B's batch fields, with what we add to them."""
        return {
            "batch_id": self.id,
            "status": str(self.status),
            "submitted_at": iso(self.received_at),
            "total_calls": sum(self.counts.values()),
            "processed": self.counts.get(CallStatus.COMPLETED, 0),
            "failed": self.counts.get(CallStatus.FAILED, 0),
            "pending": self.pending,
            "terminal": self.status.terminal,
            "eta_seconds": self.eta_seconds(now),
            "waits_for": self.waits_for,
            "ended_at": iso(self.ended_at),
            "tenant": f"{self.country}/{self.firm}",
            "name": self.name,
            "kind": self.kind,
            "warnings": list(self.warnings),
            "error": self.problem,
        }


def batch_views(connection: sa.Connection, rows: Sequence[Row]) -> list[BatchView]:
    """Rows of `BATCHES` as others know them, in a few queries however many they are."""
    kept = {row.id: kept_counts(row) for row in rows}
    going_on = [row for row in rows if kept[row.id] is None]
    open_shards = first_open_shards(connection, [row.id for row in going_on])
    since = {row.id: pace_since(row, open_shards.get(row.id)) for row in going_on}
    counts, ended = _counted(connection, since)
    views = []
    for row in rows:
        at, shard = since.get(row.id), open_shards.get(row.id)
        pace = Pace(at, ended.get(row.id, 0)) if at is not None else None
        views.append(batch_view(row, kept[row.id] or counts.get(row.id, {}), shard=shard, pace=pace))
    return views


def batch_view(
    row: Row, counts: Mapping[CallStatus, int], *, shard: Row | None = None, pace: Pace | None = None
) -> BatchView:
    """The view, from all that was read. `shard` is the oldest one that is open, if there is one."""
    waiting = None
    if row.state == "received":
        waiting = _BEING_CHECKED
    elif shard is not None:
        waiting = waits_for(shard)
    elif any(count and status not in TERMINAL for status, count in counts.items()):
        waiting = _ELSEWHERE
    return BatchView(
        id=row.id,
        name=row.name,
        kind=row.kind,
        country=row.country,
        firm=row.firm,
        state=row.state,
        counts=dict(counts),
        warnings=tuple(row.warnings),
        problem=row.problem,
        received_at=row.received_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        waits_for=waiting,
        pace=pace,
    )


def kept_counts(row: Row) -> dict[CallStatus, int] | None:
    """The counts of a batch that has ended, as its end kept them; None where its calls must be counted.

    That is while it goes on, and where an older version of this program ended it.
    """
    if row.state != "accepted":
        # A pair that was checked by the API is known in number before its calls exist.
        waiting = row.counted_calls if row.state == "received" else None
        return {CallStatus.PENDING: waiting} if waiting else {}
    if row.ended_at is None or row.completed_calls is None or row.failed_calls is None:
        return None
    kept = {CallStatus.COMPLETED: row.completed_calls, CallStatus.FAILED: row.failed_calls}
    return {status: count for status, count in kept.items() if count}


def first_open_shards(connection: sa.Connection, batch_ids: Sequence[str]) -> dict[str, Row]:
    """The oldest shard that has not ended, of each batch that has one."""
    if not batch_ids:
        return {}
    return {row.batch_id: row for row in connection.execute(_OPEN_SHARDS, {"batches": batch_ids})}


def pace_since(row: Row, shard: Row | None) -> datetime | None:
    """Since when the calls that are open now are worked on; None before that, and where another batch brought them."""
    if row.started_at is None or shard is None:
        return None
    since: datetime = max(row.started_at, shard.created_at)
    return since


def counted(rows: Sequence[Any], since: datetime | None) -> tuple[dict[CallStatus, int], int]:
    """As `_counted`, from rows of all the batch's calls that have been read anyway."""
    counts = {CallStatus(status): count for status, count in Counter(row.status for row in rows).items()}
    ended = sum(row.ended_at is not None and row.ended_at >= since for row in rows) if since is not None else 0
    return counts, ended


def _counted(
    connection: sa.Connection, since: Mapping[str, datetime | None]
) -> tuple[dict[str, dict[CallStatus, int]], dict[str, int]]:
    """How many calls of each batch are in each status, and how many have ended since the batch's time."""
    counts: dict[str, dict[CallStatus, int]] = {}
    ended: dict[str, int] = {}
    if not since:
        return counts, ended
    paced = {batch_id: sa.literal(at, calls.c.ended_at.type) for batch_id, at in since.items() if at is not None}
    later: sa.ColumnElement[int] = sa.literal(0)
    if paced:
        at = sa.case(paced, value=batch_calls.c.batch_id)
        later = sa.func.sum(sa.case((calls.c.ended_at >= at, 1), else_=0))
    query = (
        sa.select(batch_calls.c.batch_id, calls.c.status, sa.func.count(), later)
        .join(calls, batch_calls.c.call_id == calls.c.id)
        .where(batch_calls.c.batch_id.in_(since))
        .group_by(batch_calls.c.batch_id, calls.c.status)
    )
    for batch_id, status, count, lately in connection.execute(query):
        counts.setdefault(batch_id, {})[CallStatus(status)] = count
        ended[batch_id] = ended.get(batch_id, 0) + lately
    return counts, ended


def waits_for(shard: Row) -> str:
    """Why an open shard's calls have not ended."""
    if shard.lease_token is not None:
        return "is being worked on"
    stopped = f"{_STOPPED}{shard.last_error}" if shard.last_error else ""
    if shard.state == "waiting":
        later = f" (not before {shard.not_before:%H:%M:%S} UTC)" if shard.not_before else ""
        return f"waits to be admitted{later}{stopped}"
    return f"waits for its run to start (launch {shard.launches}){stopped}"


SHARD = (
    shards.c.batch_id,
    shards.c.state,
    shards.c.lease_token,
    shards.c.last_error,
    shards.c.not_before,
    shards.c.launches,
    shards.c.created_at,
)
_first = (
    sa.select(shards.c.batch_id, sa.func.min(shards.c.number).label("number"))
    .where(shards.c.batch_id.in_(sa.bindparam("batches", expanding=True)), shards.c.state != "ended")
    .group_by(shards.c.batch_id)
    .subquery()
)
_OPEN_SHARDS = sa.select(*SHARD).join(
    _first, sa.and_(shards.c.batch_id == _first.c.batch_id, shards.c.number == _first.c.number)
)
_OPENSHARD = (
    sa.select(*SHARD)
    .where(shards.c.batch_id == sa.bindparam("batch"), shards.c.state != "ended")
    .order_by(shards.c.number)
    .limit(1)
)

BATCHES = sa.select(
    batches.c.id,
    batches.c.name,
    batches.c.kind,
    batches.c.state,
    batches.c.warnings,
    batches.c.problem,
    batches.c.received_at,
    batches.c.started_at,
    batches.c.ended_at,
    batches.c.duplicate_of,
    batches.c.completed_calls,
    batches.c.failed_calls,
    batches.c.counted_calls,
    tenants.c.country,
    tenants.c.firm,
).join(tenants, tenants.c.id == batches.c.tenant_id)
"""What a view is made of. `sources` stay where they are: they can be as large as all the rest."""
