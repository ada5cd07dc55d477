"""Retries: new attempts of failed calls, those that a person or client asked for and those for passing reasons.

Lives here: which calls are tried again, over an open write transaction. Does not: transactions (batches.py,
submissions.py), opening attempts (attempts.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.attempts import count_statuses, open_attempts
from aila_pipeline.adapters.ledger.tables import batch_calls, batches, calls
from aila_pipeline.domain.models import Priority
from aila_pipeline.domain.status import BatchStatus, CallStatus, roll_up


@dataclass(frozen=True)
class Retried:
    """How many calls of the batch are tried again, how many have nothing to try with, and the new shards.

    `status` is what the batch has become.
    """

    batch_id: str
    calls: int
    without_data: int
    shards: tuple[str, ...]
    status: BatchStatus


def retry_failed(
    connection: sa.Connection, batch_id: str, *, shard_size: int, priority: Priority, now: datetime
) -> Retried:
    """A new attempt for each failed call of the batch that has data to try with."""
    failed = connection.execute(
        sa.select(calls.c.id, has_data().label("has_data"))
        .join(batch_calls, batch_calls.c.call_id == calls.c.id)
        .where(batch_calls.c.batch_id == batch_id, calls.c.status == CallStatus.FAILED)
        .order_by(batch_calls.c.position)
    ).all()
    again = [row.id for row in failed if row.has_data]
    shards = open_attempts(connection, batch_id, again, now=now, shard_size=shard_size, priority=priority)
    state, started = connection.execute(
        sa.select(batches.c.state, sa.or_(batches.c.started_at.is_not(None), batches.c.ended_at.is_not(None))).where(
            batches.c.id == batch_id
        )
    ).one()
    refused = state == "refused"
    status = BatchStatus.FAILED if refused else roll_up(count_statuses(connection, batch_id), started=started)
    return Retried(batch_id, len(again), len(failed) - len(again), tuple(shards), status)


def retry_passing(
    connection: sa.Connection, *, limit: int, pause: timedelta, shard_size: int, now: datetime, most: int
) -> list[str]:
    """New attempts for calls that failed for a passing reason, at most `most` calls, in shards of their batches."""
    rows = connection.execute(
        sa.select(calls.c.id, calls.c.batch_id).where(due(limit, pause, now)).order_by(calls.c.ended_at).limit(most)
    ).all()
    shards: list[str] = []
    for batch_id in sorted({row.batch_id for row in rows}):
        ids = [row.id for row in rows if row.batch_id == batch_id]
        shards += open_attempts(connection, batch_id, ids, now=now, shard_size=shard_size, priority=Priority.BACKFILL)
    return shards


def due(limit: int, pause: timedelta, now: datetime) -> sa.ColumnElement[bool]:
    """Calls that failed for a passing reason, had less than `limit` retries, and have paused long enough."""
    paused = [sa.and_(calls.c.attempt == n, calls.c.ended_at < now - pause * 2 ** (n - 1)) for n in range(1, limit + 1)]
    return sa.and_(calls.c.status == CallStatus.FAILED, calls.c.retryable, has_data(), sa.or_(sa.false(), *paused))


def has_data() -> sa.ColumnElement[bool]:
    """Calls that were rejected as rows have no details, and nothing to try again with."""
    return calls.c.details.is_not(None)
