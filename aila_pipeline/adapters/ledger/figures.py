"""Figures: how much there is to do and how it goes, for monitoring.

Lives here: counts that stay cheap with a million calls. Does not: how they are told (api/metrics.py).

Calls are counted from an index alone. What waits is told by shards and batches, of which there are a hundredth as
many; what was done, by the last ten minutes of an index by time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.outbox_views import Standing, standings
from aila_pipeline.adapters.ledger.tables import batches, calls, shards, stage_results
from aila_pipeline.domain.status import CallStatus, Stage

WINDOW = timedelta(minutes=10)
"""What stages took is told of so long."""


@dataclass(frozen=True)
class StageTime:
    """What a stage took for the calls it has done lately."""

    calls: int
    seconds: float


@dataclass(frozen=True)
class Figures:
    """One look at the ledger.

    `oldest_waiting_seconds` is how long the calls wait that have waited longest, from when they could be worked on
    until a worker begins; 0 when none waits. Calls that pause before a retry do not wait. `webhooks` and `crms` are the
    messages of the outbox.
    """

    calls: Mapping[CallStatus, int]
    stages: Mapping[Stage, StageTime]
    shards_waiting: int
    shards_admitted: int
    submissions_received: int
    batches_open: int
    oldest_waiting_seconds: float
    webhooks: Standing
    crms: Standing


class LedgerFigures:
    """Counting."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def answers(self) -> None:
        """Raise LedgerUnavailable unless the database answers."""
        self._database.read(lambda connection: connection.execute(sa.select(calls.c.id).limit(1)).first())

    def count(self, now: datetime) -> Figures:
        """All figures, in one read transaction."""

        def question(connection: sa.Connection) -> Figures:
            statuses = {row.status: row.number for row in connection.execute(CALLS)}
            stages = {
                Stage(row.stage): StageTime(row.number, float(row.seconds))
                for row in connection.execute(_STAGES, {"since": now - WINDOW})
            }
            states = {row.state: row.number for row in connection.execute(_SHARDS)}
            open_batches = {row.state: row.number for row in connection.execute(_BATCHES)}
            since = connection.execute(_WAITING, {"now": now}).one()
            oldest = min((at for at in since if at is not None), default=now)
            outbox = standings(connection, now)
            return Figures(
                calls={status: statuses.get(status, 0) for status in CallStatus},
                stages=stages,
                shards_waiting=states.get("waiting", 0),
                shards_admitted=states.get("admitted", 0),
                submissions_received=open_batches.get("received", 0),
                batches_open=sum(open_batches.values()),
                oldest_waiting_seconds=max(0.0, (now - oldest).total_seconds()),
                webhooks=outbox[True],
                crms=outbox[False],
            )

        return self._database.read(question)


CALLS = sa.select(calls.c.status, sa.func.count().label("number")).group_by(calls.c.status)
"""Answered by an index alone."""

_STAGES = (
    sa.select(
        stage_results.c.stage,
        sa.func.count().label("number"),
        sa.func.sum(stage_results.c.seconds).label("seconds"),
    )
    .where(stage_results.c.created_at > sa.bindparam("since", type_=stage_results.c.created_at.type))
    .group_by(stage_results.c.stage)
)
_SHARDS = (
    sa.select(shards.c.state, sa.func.count().label("number"))
    .where(shards.c.state.in_(("waiting", "admitted")))
    .group_by(shards.c.state)
)
_BATCHES = (
    sa.select(batches.c.state, sa.func.count().label("number"))
    # Both conditions: the first has a small index of its own, the second leaves out what was refused.
    .where(batches.c.ended_at.is_(None), batches.c.state.in_(("received", "accepted")))
    .group_by(batches.c.state)
)
_NOW = sa.bindparam("now", type_=shards.c.created_at.type)
# A shard that paused has waited since its pause ended.
_READY_AT = sa.func.coalesce(shards.c.not_before, shards.c.created_at, type_=shards.c.created_at.type)
_WAITING = sa.select(
    sa.select(sa.func.min(_READY_AT))
    .where(sa.or_(shards.c.state == "waiting", sa.and_(shards.c.state == "admitted", shards.c.lease_token.is_(None))))
    .where(sa.or_(shards.c.not_before.is_(None), shards.c.not_before <= _NOW))
    .scalar_subquery(),
    sa.select(sa.func.min(batches.c.received_at))
    .where(batches.c.ended_at.is_(None), batches.c.state == "received")
    .scalar_subquery(),
)
