"""Shards: which of them run next, and what is done about those whose run is gone.

Lives here: admission and recovery, seen from the sensors. Does not: leases (leases.py), work on calls (work.py).

    waiting ──admit──> admitted ──(all attempts ended)──> ended
        ^                 │                                 │
        ├────recover──────┤ <───────────reopen──────────────┘
        └───give_back─────┘  it was never launched
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.leases import blame
from aila_pipeline.adapters.ledger.records import AdmittedShard, Launch
from aila_pipeline.adapters.ledger.tables import shards
from aila_pipeline.domain.models import Priority

# Any number will do, as long as nothing else in the database takes turns by it.
_ADMISSION = 0x61696C62


class Shards:
    """Admission and recovery of shards."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def admit(self, *, most_in_flight: int, now: datetime) -> list[Launch]:
        """Admit waiting shards up to the limit: live before backfill, then the tenant with the fewest in flight."""

        def change(connection: sa.Connection) -> list[Launch]:
            # Two admissions at once would each count the same shards in flight, and together pass the limit.
            self._database.take_turns(connection, _ADMISSION)
            flying = Counter(
                connection.scalars(sa.select(shards.c.tenant_id).where(shards.c.state == "admitted")).all()
            )
            free = most_in_flight - flying.total()
            if free <= 0:
                return []
            chosen: list[Launch] = []
            for priority in (Priority.LIVE, Priority.BACKFILL):
                queues = self._queues(connection, priority, free, now)
                while len(chosen) < free and queues:
                    tenant = min(queues, key=lambda name: (flying[name], queues[name][0].created_at))
                    row = queues[tenant].pop(0)
                    if not queues[tenant]:
                        del queues[tenant]
                    flying[tenant] += 1
                    chosen.append(Launch(row.id, row.launches + 1, priority, tenant))
            return [launch for launch in chosen if _let_in(connection, launch, now)]

        return self._database.write(change)

    def give_back(self, launch: Launch) -> None:
        """A shard that was admitted could not be launched: it waits again, which is not held against it.

        Nothing changes if a run holds it all the same, or it has moved on.
        """
        query = (
            sa.update(shards)
            .where(shards.c.id == launch.key, shards.c.state == "admitted")
            .where(shards.c.launches == launch.n, shards.c.lease_token.is_(None))
            .values(state="waiting")
        )
        self._database.write(lambda connection: connection.execute(query))

    def _queues(
        self, connection: sa.Connection, priority: Priority, free: int, now: datetime
    ) -> dict[str, list[sa.Row[*tuple[Any, ...]]]]:
        """Per tenant the first `free` waiting shards, oldest first."""
        place = sa.func.row_number().over(partition_by=shards.c.tenant_id, order_by=[shards.c.created_at, shards.c.id])
        waiting = (
            sa.select(shards.c.id, shards.c.tenant_id, shards.c.launches, shards.c.created_at, place.label("place"))
            .where(shards.c.state == "waiting", shards.c.priority == priority)
            .where(sa.or_(shards.c.not_before.is_(None), shards.c.not_before <= now))
            .subquery()
        )
        query = (
            sa.select(waiting.c.id, waiting.c.tenant_id, waiting.c.launches, waiting.c.created_at)
            .where(waiting.c.place <= free)
            .order_by(waiting.c.created_at, waiting.c.id)
        )
        queues: dict[str, list[sa.Row[*tuple[Any, ...]]]] = {}
        for row in connection.execute(query):
            queues.setdefault(row.tenant_id, []).append(row)
        return queues

    def admitted(self, *, now: datetime) -> list[AdmittedShard]:
        """All shards that should be running, and who holds them."""
        query = sa.select(shards).where(shards.c.state == "admitted").order_by(shards.c.admitted_at)

        def question(connection: sa.Connection) -> list[AdmittedShard]:
            return [
                AdmittedShard(
                    id=row.id,
                    epoch=row.lease_epoch,
                    launch=row.launches,
                    admitted_at=row.admitted_at,
                    held_by=row.run_id if row.lease_token else None,
                    expired=row.lease_token is not None and row.lease_expires_at < now,
                )
                for row in connection.execute(query)
            ]

        return self._database.read(question)

    def ended_before(self, before: datetime, *, most: int) -> list[str]:
        """The oldest shards that ended before this time."""
        query = sa.select(shards.c.id).where(shards.c.state == "ended", shards.c.ended_at < before)
        query = query.order_by(shards.c.ended_at).limit(most)
        return self._database.read(lambda connection: list(connection.scalars(query)))

    def recover(self, shard: AdmittedShard, *, now: datetime) -> bool:
        """Fence the shard and let it wait for another run; False if it has moved on since it was looked at.

        Launches that keep no result make the next one wait: not at all, then 5 s doubling up to 5 minutes.
        """

        def change(connection: sa.Connection) -> bool:
            row = connection.execute(sa.select(shards).where(shards.c.id == shard.id)).one()
            pause = timedelta(seconds=min(300.0, 5.0 * 2 ** min(row.fruitless - 1, 6)) if row.fruitless else 0.0)
            won = connection.execute(
                sa.update(shards)
                .where(shards.c.id == shard.id, shards.c.state == "admitted", shards.c.lease_epoch == shard.epoch)
                .values(
                    state="waiting",
                    lease_token=None,
                    lease_expires_at=None,
                    lease_epoch=shard.epoch + 1,
                    fruitless=row.fruitless + 1,
                    not_before=now + pause,
                )
            ).rowcount
            if won:
                blame(connection, shard.id, row.in_hand)
            return bool(won)

        return self._database.write(change)


def _let_in(connection: sa.Connection, launch: Launch, now: datetime) -> bool:
    """Admit one shard; False if a run has claimed it in the meantime, by itself."""
    return bool(
        connection.execute(
            sa.update(shards)
            .where(shards.c.id == launch.key, shards.c.state == "waiting")
            .values(state="admitted", admitted_at=now, launches=launch.n)
        ).rowcount
    )
