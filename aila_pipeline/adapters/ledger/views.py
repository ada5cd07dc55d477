"""Views: what the ledger shows to people and clients. Reading only.

Lives here: batches and calls as `aila status`, `aila trace`, the report and an API show them. Does not: changing
anything, or holding the ledger against Dagster and the store (audit.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.attempts import count_statuses
from aila_pipeline.adapters.ledger.database import Database, in_groups
from aila_pipeline.adapters.ledger.records import StageResult
from aila_pipeline.adapters.ledger.tables import attempts, batch_calls, batches, calls, shards, stage_results, tenants
from aila_pipeline.domain.models import CallDetails
from aila_pipeline.domain.status import BatchStatus, CallStatus, Stage, roll_up


@dataclass(frozen=True)
class CallView:
    """One call as a batch shows it."""

    id: str
    position: int
    external_id: str | None
    status: CallStatus
    stage: Stage
    attempt: int
    error_code: str | None
    error_message: str | None
    retryable: bool
    warnings: tuple[str, ...]
    details: CallDetails | None
    ended_at: datetime | None

    def document(self) -> dict[str, Any]:
        """Contract B's fields of one call in a batch."""
        shown: dict[str, Any] = {"external_id": self.external_id, "status": str(self.status), "aila_call_id": self.id}
        if self.status.terminal:
            shown["processed_at"] = _iso(self.ended_at)
        else:
            shown["progress"] = str(self.status)
        if self.error_code:
            shown["error"] = {"code": self.error_code, "message": self.error_message, "retryable": self.retryable}
        return shown | {"warnings": list(self.warnings)}


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

    def eta_seconds(self, now: datetime) -> float | None:
        """Time left at the pace so far; None while nothing has ended, or when all has."""
        done = sum(self.counts.values()) - self.pending
        if not done or not self.pending or self.started_at is None:
            return None
        return round((now - self.started_at).total_seconds() * self.pending / done, 1)

    def document(self, now: datetime) -> dict[str, Any]:
        """Contract B's batch fields, with `terminal` and `eta_seconds` added."""
        return {
            "batch_id": self.id,
            "status": str(self.status),
            "submitted_at": _iso(self.received_at),
            "total_calls": sum(self.counts.values()),
            "processed": self.counts.get(CallStatus.COMPLETED, 0),
            "failed": self.counts.get(CallStatus.FAILED, 0),
            "pending": self.pending,
            "terminal": self.status.terminal,
            "eta_seconds": self.eta_seconds(now),
            "ended_at": _iso(self.ended_at),
            "tenant": f"{self.country}/{self.firm}",
            "name": self.name,
            "kind": self.kind,
            "warnings": list(self.warnings),
            "error": self.problem,
        }


@dataclass(frozen=True)
class Step:
    """One line of a call's story."""

    at: datetime
    what: str
    run_id: str | None = None


class Views:
    """Reading."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recent(self, limit: int = 20) -> list[BatchView]:
        """The newest batches; those that turned out to be another batch's content are not batches of their own."""
        query = _BATCHES.where(batches.c.state.not_in(("duplicate", "withdrawn")))
        query = query.order_by(batches.c.received_at.desc(), batches.c.id.desc()).limit(limit)
        return self._database.read(lambda c: [_batch_view(c, row) for row in c.execute(query).all()])

    def batch(self, batch_id: str) -> BatchView | None:
        """One batch; the id of a duplicate gives the batch it duplicates."""

        def question(connection: sa.Connection) -> BatchView | None:
            row = connection.execute(_BATCHES.where(batches.c.id == batch_id)).one_or_none()
            if row is not None and row.duplicate_of:
                row = connection.execute(_BATCHES.where(batches.c.id == row.duplicate_of)).one()
            return _batch_view(connection, row) if row is not None else None

        return self._database.read(question)

    def named(self, country: str, firm: str, name: str) -> list[str]:
        """Ids of the tenant's submissions of this name, the newest first; those that were duplicates too."""
        query = (
            sa.select(batches.c.id)
            .join(tenants, tenants.c.id == batches.c.tenant_id)
            .where(tenants.c.country == country, tenants.c.firm == firm, batches.c.name == name)
            .where(batches.c.state != "withdrawn")
            .order_by(batches.c.received_at.desc(), batches.c.id.desc())
        )
        return self._database.read(lambda connection: list(connection.scalars(query)))

    def audio_seconds(self, batch_ids: Sequence[str]) -> dict[str, float]:
        """How much audio each batch has, as far as it has been looked at; batches without any are left out."""
        length = stage_results.c.document["seconds"].as_float()
        query = (
            sa.select(batch_calls.c.batch_id, sa.func.sum(length))
            .join(stage_results, stage_results.c.call_id == batch_calls.c.call_id)
            .where(batch_calls.c.batch_id.in_(batch_ids), stage_results.c.stage == Stage.CALL_AUDIO)
            .group_by(batch_calls.c.batch_id)
        )
        return self._database.read(lambda c: {batch_id: float(total or 0) for batch_id, total in c.execute(query)})

    def call(self, call_id: str) -> CallView | None:
        """One call, at the place that the batch which brought it first gave it; None when there is no such call."""
        query = _CALLS.where(calls.c.id == call_id).order_by(batch_calls.c.batch_id).limit(1)

        def question(connection: sa.Connection) -> CallView | None:
            row = connection.execute(query).one_or_none()
            return _call_view(row) if row is not None else None

        return self._database.read(question)

    def calls_of(self, batch_id: str) -> list[CallView]:
        """The batch's calls in the order of its rows or items."""
        query = _CALLS.where(batch_calls.c.batch_id == batch_id).order_by(batch_calls.c.position)
        return self._database.read(lambda connection: [_call_view(row) for row in connection.execute(query)])

    def results(self, call_ids: list[str], *stages: Stage) -> dict[str, dict[Stage, StageResult]]:
        """What the stages found about these calls."""

        def question(connection: sa.Connection) -> dict[str, dict[Stage, StageResult]]:
            found: dict[str, dict[Stage, StageResult]] = {call_id: {} for call_id in call_ids}
            for group in in_groups(call_ids):
                query = sa.select(stage_results).where(
                    stage_results.c.call_id.in_(group), stage_results.c.stage.in_(stages)
                )
                for row in connection.execute(query):
                    found[row.call_id][Stage(row.stage)] = StageResult(row.version, row.document, row.seconds)
            return found

        return self._database.read(question)

    def tenant_of(self, call_id: str) -> str | None:
        """The id of the tenant that owns the call, or None when there is no such call."""
        return self._database.read(lambda c: c.scalar(sa.select(calls.c.tenant_id).where(calls.c.id == call_id)))

    def story(self, call_id: str) -> list[Step]:
        """All that the ledger knows about a call, in time order; empty when there is no such call."""

        def question(connection: sa.Connection) -> list[Step]:
            steps = []
            links = sa.select(batches).join(batch_calls, batch_calls.c.batch_id == batches.c.id)
            for row in connection.execute(links.where(batch_calls.c.call_id == call_id)):
                steps.append(Step(row.received_at, f"batch {row.id} received ({row.kind} {row.name})"))
                if row.accepted_at:
                    steps.append(Step(row.accepted_at, f"batch {row.id} {row.state}"))
                if row.ended_at:
                    steps.append(Step(row.ended_at, f"batch {row.id} ended"))
            for row in connection.execute(sa.select(attempts).where(attempts.c.call_id == call_id)):
                steps += _attempt_steps(connection, row)
            for row in connection.execute(sa.select(stage_results).where(stage_results.c.call_id == call_id)):
                told = f"{row.stage} done in {row.seconds:.2f} s (version {row.version[:12]})"
                steps.append(Step(row.created_at, told, row.run_id))
            return sorted(steps, key=lambda step: step.at)

        return self._database.read(question)


def _attempt_steps(connection: sa.Connection, row: sa.Row[Any]) -> list[Step]:
    steps = [Step(row.created_at, f"attempt {row.n} opened" + (f" in shard {row.shard_id}" if row.shard_id else ""))]
    if row.started_at:
        steps.append(Step(row.started_at, f"attempt {row.n} started", row.run_id))
    if row.crashes:
        steps.append(Step(row.started_at or row.created_at, f"attempt {row.n}: {row.crashes} workers died on it"))
    if row.ended_at:
        told = f"attempt {row.n} {row.outcome}" + (f": {row.error_code}, {row.error_message}" if row.error_code else "")
        steps.append(Step(row.ended_at, told, row.run_id))
    elif row.shard_id:
        shard = connection.execute(sa.select(shards).where(shards.c.id == row.shard_id)).one()
        steps.append(Step(datetime.now(UTC), f"attempt {row.n} {_waits_for(shard)}", shard.run_id))
    return steps


def _waits_for(shard: sa.Row[Any]) -> str:
    """Why an open shard's calls have not ended."""
    if shard.lease_token is not None:
        return "is being worked on"
    reason = f"; the last run stopped: {shard.last_error}" if shard.last_error else ""
    if shard.state == "waiting":
        later = f" (not before {shard.not_before:%H:%M:%S} UTC)" if shard.not_before else ""
        return f"waits to be admitted{later}{reason}"
    return f"waits for its run to start (launch {shard.launches}){reason}"


_CALLS = sa.select(calls, batch_calls.c.position, batch_calls.c.external_id.label("submitted_id")).join(
    batch_calls, batch_calls.c.call_id == calls.c.id
)
_BATCHES = sa.select(batches, tenants.c.country, tenants.c.firm).join(tenants, tenants.c.id == batches.c.tenant_id)


def _batch_view(connection: sa.Connection, row: sa.Row[Any]) -> BatchView:
    waiting = connection.execute(
        sa.select(shards)
        .where(shards.c.batch_id == row.id, shards.c.state != "ended")
        .order_by(shards.c.number)
        .limit(1)
    ).one_or_none()
    return BatchView(
        id=row.id,
        name=row.name,
        kind=row.kind,
        country=row.country,
        firm=row.firm,
        state=row.state,
        counts=count_statuses(connection, row.id),
        warnings=tuple(row.warnings),
        problem=row.problem,
        received_at=row.received_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        waits_for=_waits_for(waiting) if waiting is not None else None,
    )


def _call_view(row: sa.Row[Any]) -> CallView:
    return CallView(
        id=row.id,
        position=row.position,
        external_id=row.submitted_id,
        status=CallStatus(row.status),
        stage=Stage(row.stage),
        attempt=row.attempt,
        error_code=row.error_code,
        error_message=row.error_message,
        retryable=row.retryable,
        warnings=tuple(row.warnings),
        details=CallDetails.model_validate(row.details) if row.details else None,
        ended_at=row.ended_at,
    )


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None
