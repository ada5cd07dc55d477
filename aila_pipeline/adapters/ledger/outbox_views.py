"""The outbox as people look at it: lists of messages, and how much waits, for how long, and what was given up.

Lives here: reading. Does not: changing a message (outbox.py), showing (defs/assets/deliveries.py, cli/outbox.py).

What was meant for a destination that was removed is nobody's trouble any more, and is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.outbox import is_webhook
from aila_pipeline.adapters.ledger.outbox_tables import destinations, outbox
from aila_pipeline.adapters.ledger.tables import attempts, calls
from aila_pipeline.domain.deliveries import WEBHOOK, Notice

_MARGIN = timedelta(minutes=5)
"""What ends while a destination is being added may have been written before that was committed."""


@dataclass(frozen=True)
class Standing:
    """How the messages of webhooks, or of CRMs, stand; `oldest_seconds` is 0 when none waits."""

    waiting: int = 0
    oldest_seconds: float = 0.0
    dead: int = 0


@dataclass(frozen=True)
class ListedMessage:
    """A message without what it tells: ids, state and reason."""

    id: str
    destination_id: str
    kind: str
    event: str
    subject_id: str
    n: int
    state: str
    tries: int
    reason: str | None
    created_at: datetime
    not_before: datetime
    ended_at: datetime | None


class OutboxViews:
    """Looking at the outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def standing(self, *, webhooks: bool, now: datetime) -> Standing:
        """Of webhooks, or else of CRMs."""
        return self._database.read(lambda connection: standings(connection, now)[webhooks])

    def dead_by_reason(self, *, webhooks: bool) -> list[tuple[str, int]]:
        """Why messages were given up, and how many for each reason, the most frequent first."""
        count = sa.func.count()
        query = _LIVE.with_only_columns(outbox.c.last_error, count).where(outbox.c.state == "dead")
        query = query.where(is_webhook() if webhooks else ~is_webhook()).group_by(outbox.c.last_error)
        rows = self._database.read(lambda connection: connection.execute(query.order_by(count.desc())).all())
        return [(reason or "", number) for reason, number in rows]

    def messages(
        self, *, state: str | None = None, webhooks: bool | None = None, limit: int | None = 200
    ) -> list[ListedMessage]:
        """The newest first; of one state, of webhooks or CRMs alone, if that is asked for."""
        query = _LISTED if state is None else _LISTED.where(outbox.c.state == state)
        if webhooks is not None:
            query = query.where(is_webhook() if webhooks else ~is_webhook())
        query = query.order_by(outbox.c.id.desc()).limit(limit)
        return self._database.read(lambda connection: [_listed(row) for row in connection.execute(query)])

    def find(self, message: str) -> ListedMessage | None:
        """The message of this id."""
        query = _LISTED.where(outbox.c.id == message)
        row = self._database.read(lambda connection: connection.execute(query).one_or_none())
        return _listed(row) if row else None


def standings(connection: sa.Connection, now: datetime) -> dict[bool, Standing]:
    """How messages stand: of webhooks under True, of CRMs under False."""
    found = {True: Standing(), False: Standing()}
    for row in connection.execute(_STANDINGS):
        before = found[row.kind == WEBHOOK]
        if row.state == "dead":
            after = replace(before, dead=before.dead + row.number)
        else:
            oldest = max(before.oldest_seconds, (now - row.oldest).total_seconds())
            after = replace(before, waiting=before.waiting + row.number, oldest_seconds=oldest)
        found[row.kind == WEBHOOK] = after
    return found


def unwritten(connection: sa.Connection, *, since: datetime) -> Iterator[tuple[str, int, str]]:
    """Attempts (call, number) that ended without a message for a destination (id) that wanted one."""
    for place in connection.execute(_WANTED):
        after = max(since, place.created_at + _MARGIN)
        told = sa.exists().where(
            outbox.c.destination_id == place.id,
            outbox.c.event == sa.literal("call.").concat(attempts.c.outcome),
            outbox.c.subject_id == attempts.c.call_id,
            outbox.c.n == attempts.c.n,
        )
        wanted = [event.removeprefix("call.") for event in place.events if Notice(event).of_call]
        query = (
            sa.select(attempts.c.call_id, attempts.c.n)
            .join(calls, calls.c.id == attempts.c.call_id)
            .where(calls.c.tenant_id == place.tenant_id, attempts.c.ended_at > after)
            .where(attempts.c.outcome.in_(wanted), ~told)
        )
        yield from ((row.call_id, row.n, place.id) for row in connection.execute(query))


_LIVE = sa.select().join_from(outbox, destinations).where(destinations.c.removed_at.is_(None))
_STANDINGS = (
    _LIVE.with_only_columns(
        destinations.c.kind,
        outbox.c.state,
        sa.func.count().label("number"),
        sa.func.min(outbox.c.created_at, type_=outbox.c.created_at.type).label("oldest"),
    )
    .where(outbox.c.state.in_(("waiting", "dead")))
    .group_by(destinations.c.kind, outbox.c.state)
)
_LISTED = sa.select(outbox, destinations.c.kind).join_from(outbox, destinations)
_WANTED = sa.select(destinations).where(destinations.c.removed_at.is_(None))


def _listed(row: sa.Row[Any]) -> ListedMessage:
    return ListedMessage(
        id=row.id,
        destination_id=row.destination_id,
        kind=row.kind,
        event=row.event,
        subject_id=row.subject_id,
        n=row.n,
        state=row.state,
        tries=row.tries,
        reason=row.last_error,
        created_at=row.created_at,
        not_before=row.not_before,
        ended_at=row.ended_at,
    )
