"""Events: what the ledger has to tell Dagster, each exactly once.

Lives here: claiming an event, and noting that it was told. Does not: telling (defs/emission.py).

A teller claims events for a while, looks whether Dagster has them already (a teller before it may have died between
telling and noting), tells the missing ones, and notes all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.records import NotedEvent, WaitingEvent
from aila_pipeline.adapters.ledger.tables import events

_PAGE = 1000

CLAIM = timedelta(minutes=5)
"""A claim outlives any batch of events a teller takes at once (200 events cost about 10 s)."""


class Events:
    """The rows "event to emit"."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self,
        token: str,
        *,
        now: datetime,
        most: int = 200,
        shard_id: str | None = None,
        subjects: Sequence[str] | None = None,
        older_than: timedelta = timedelta(0),
    ) -> list[WaitingEvent]:
        """Take up to `most` events that nobody has told, oldest first, of one shard or subject if given."""

        def change(connection: sa.Connection) -> list[WaitingEvent]:
            waiting = sa.and_(
                events.c.emitted_at.is_(None),
                sa.or_(events.c.claimed_until.is_(None), events.c.claimed_until < now, events.c.claim_token == token),
            )
            query = sa.select(events).where(waiting, events.c.created_at <= now - older_than)
            if shard_id is not None:
                query = query.where(events.c.shard_id == shard_id)
            if subjects is not None:
                query = query.where(events.c.subject_id.in_(subjects))
            claimed = []
            for row in connection.execute(query.order_by(events.c.created_at).limit(most)).all():
                won = connection.execute(
                    sa.update(events)
                    .where(_same(row.kind, row.subject_id, row.n), waiting)
                    .values(claim_token=token, claimed_until=now + CLAIM)
                ).rowcount
                if won:
                    claimed.append(WaitingEvent(row.kind, row.subject_id, row.n, row.payload))
            return claimed

        return self._database.write(change)

    def told(self, waiting: Sequence[WaitingEvent], *, token: str, now: datetime) -> None:
        """Note that Dagster has these."""

        def change(connection: sa.Connection) -> None:
            for event in waiting:
                connection.execute(
                    sa.update(events)
                    .where(_same(event.kind, event.subject_id, event.n), events.c.claim_token == token)
                    .values(emitted_at=now)
                )

        self._database.write(change)

    def every(self) -> Iterator[NotedEvent]:
        """All events, told or not, for an audit."""
        after = ("", "", 0)
        while rows := self._database.read(lambda connection: connection.execute(_after(after)).all()):  # noqa: B023
            for row in rows:
                yield NotedEvent(row.kind, row.subject_id, row.n, row.created_at, row.emitted_at is not None)
            after = (rows[-1].kind, rows[-1].subject_id, rows[-1].n)

    def forget(self, kind: str, subject_id: str, n: int) -> None:
        """Treat an event as not told; whoever tells it next looks whether Dagster has it."""
        untold = {"emitted_at": None, "claim_token": None, "claimed_until": None}
        self._database.write(
            lambda connection: connection.execute(sa.update(events).where(_same(kind, subject_id, n)).values(**untold))
        )

    def waiting(self) -> int:
        """How many are not told yet."""
        query = sa.select(sa.func.count()).select_from(events).where(events.c.emitted_at.is_(None))
        return int(self._database.read(lambda connection: connection.scalar(query)) or 0)


def _after(after: tuple[str, str, int]) -> sa.Select[Any]:
    place = sa.tuple_(events.c.kind, events.c.subject_id, events.c.n)
    query = sa.select(events).where(place > sa.tuple_(*after))
    return query.order_by(events.c.kind, events.c.subject_id, events.c.n).limit(_PAGE)


def _same(kind: str, subject_id: str, n: int) -> sa.ColumnElement[bool]:
    return sa.and_(events.c.kind == kind, events.c.subject_id == subject_id, events.c.n == n)
