"""The outbox: messages that wait, are claimed, sent, and then delivered, tried again later, or given up.

Lives here: the life of a message. Does not: writing it (outbox_writing.py), sending it (adapters/delivery.py), lists
and figures (outbox_views.py).

    waiting ──claim──> in somebody's hand ──> delivered
       ^ ^                    │      └──────> dead        refused, or tried often enough
       │ └─────postponed──────┘                 │
       └───────────────────replay───────────────┘

In order per call: of one destination's messages about one call or batch, only the oldest that waits is claimed; one
that is dead stands in nobody's way. Between calls there is no order, and none between a batch and its calls: a call
whose message does not get through would else hold back what is told of the batch for days.

A claim outlives whatever one try may take. Whoever dies with a message in hand leaves it to be claimed again when
that time is over: it may then be sent twice, under the same id, but never be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.outbox_tables import destinations, outbox, remote_records
from aila_pipeline.domain.deliveries import WEBHOOK, Notice

Rest = Callable[[int], timedelta | None]
"""How many tries of a destination have failed in a row, to how long it is left alone."""


@dataclass(frozen=True)
class Message:
    """One thing that one destination is to be told; `n` is the attempt or the closing that it tells of."""

    id: str
    tenant_id: str
    destination_id: str
    notice: Notice
    subject_id: str
    n: int
    facts: Mapping[str, Any]
    tries: int
    created_at: datetime


@dataclass(frozen=True)
class Settled:
    """What came of one try. `reason` says why it failed, or why there was nothing to send.

    `not_before` is when a message that goes on waiting is tried again; `rest` judges the destination after a failure.
    """

    message: Message
    state: Literal["delivered", "waiting", "dead"]
    reason: str | None = None
    not_before: datetime | None = None
    rest: Rest | None = None


@dataclass(frozen=True)
class Wanted:
    """Up to so many messages of a destination, to be in hand until then."""

    destination_id: str
    most: int
    until: datetime


class Outbox:
    """All messages of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, *, now: datetime) -> list[tuple[str, str]]:
        """The destinations (id, kind) for which a message could be claimed now."""
        mine = sa.exists().where(outbox.c.destination_id == destinations.c.id, _claimable(now))
        query = sa.select(destinations.c.id, destinations.c.kind).where(_awake(now), mine).order_by(destinations.c.id)
        return self._database.read(lambda connection: [(row.id, row.kind) for row in connection.execute(query)])

    def claim(self, wanted: Iterable[Wanted], token: str, *, now: datetime) -> list[Message]:
        """Take messages of some destinations in hand, the oldest of each first. `token` names the taker."""

        def change(connection: sa.Connection) -> list[Message]:
            taken: list[Message] = []
            for each in wanted:
                ids = connection.scalars(_oldest(each, now)).all()
                if ids:
                    mine = sa.and_(outbox.c.id.in_(ids), outbox.c.state == "waiting", _free(now))
                    query = sa.update(outbox).where(mine).values(claim_token=token, claimed_until=each.until)
                    taken += [message_of(row) for row in connection.execute(query.returning(outbox))]
            return sorted(taken, key=lambda message: message.id)

        return self._database.write(change)

    def settle(self, settled: Sequence[Settled], token: str, *, now: datetime) -> None:
        """Note what came of tries, in one transaction; nothing of a message that another has in hand by now."""

        def change(connection: sa.Connection) -> None:
            # Sorted, so that two who settle lock destinations in the same order.
            for each in sorted(settled, key=lambda one: (one.message.destination_id, one.message.id)):
                values: dict[str, Any] = {
                    "state": each.state,
                    "last_error": each.reason,
                    "tries": each.message.tries + 1,
                }
                values |= {"claim_token": None, "claimed_until": None}
                values |= {"not_before": each.not_before} if each.state == "waiting" else {"ended_at": now}
                mine = sa.and_(outbox.c.id == each.message.id, outbox.c.claim_token == token)
                won = connection.execute(
                    sa.update(outbox).where(mine, outbox.c.state == "waiting").values(**values)
                ).rowcount
                if won:
                    _judge(connection, each, now)

        self._database.write(change)

    def give_back(self, messages: Sequence[Message], token: str) -> None:
        """Whoever has these in hand will not try them: they can be claimed again at once."""
        mine = sa.and_(outbox.c.id.in_([message.id for message in messages]), outbox.c.claim_token == token)
        query = sa.update(outbox).where(mine).values(claim_token=None, claimed_until=None)
        self._database.write(lambda connection: connection.execute(query))

    def replay(self, *, now: datetime, message: str | None = None, destination: str | None = None) -> int:
        """Let dead messages of live destinations wait again, as if never tried: one, a destination's, or all."""

        def change(connection: sa.Connection) -> int:
            live = sa.select(destinations.c.id).where(destinations.c.removed_at.is_(None))
            dead = [outbox.c.state == "dead", outbox.c.destination_id.in_(live)]
            dead += [outbox.c.id == message] if message is not None else []
            dead += [outbox.c.destination_id == destination] if destination is not None else []
            afresh = {"state": "waiting", "tries": 0, "not_before": now, "ended_at": None}
            again = sa.update(outbox).where(*dead).values(**afresh).returning(outbox.c.destination_id)
            replayed = list(connection.scalars(again))
            woken = sa.update(destinations).where(destinations.c.id.in_(set(replayed)))
            connection.execute(woken.values(failures=0, paused_until=None))
            return len(replayed)

        return self._database.write(change)

    def forget(self, before: datetime, *, most: int = 50_000) -> int:
        """Remove what was delivered, or given up because its destination was removed, before this time."""
        removed = sa.select(destinations.c.id).where(destinations.c.removed_at.is_not(None))
        over = sa.or_(outbox.c.state == "delivered", outbox.c.destination_id.in_(removed))
        old = sa.select(outbox.c.id).where(outbox.c.state != "waiting", outbox.c.ended_at < before, over).limit(most)
        query = sa.delete(outbox).where(outbox.c.id.in_(old))
        return self._database.write(lambda connection: connection.execute(query).rowcount)

    def remember(self, destination: str, kind: str, subject_id: str, remote_id: str, *, now: datetime) -> None:
        """Keep what a CRM calls a call or contact of ours; a new id takes the place of an older one."""
        same = {"destination_id": destination, "kind": kind, "subject_id": subject_id}

        def change(connection: sa.Connection) -> None:
            known = sa.and_(*(remote_records.c[name] == value for name, value in same.items()))
            if not connection.execute(sa.update(remote_records).where(known).values(remote_id=remote_id)).rowcount:
                values = same | {"remote_id": remote_id, "created_at": now}
                connection.execute(sa.insert(remote_records).values(**values))

        self._database.write(change)

    def remembered(self, destination: str, subjects: Sequence[str]) -> dict[str, str]:
        """The CRM's ids of these calls and contacts, by kind."""
        query = sa.select(remote_records.c.kind, remote_records.c.remote_id).where(
            remote_records.c.destination_id == destination, remote_records.c.subject_id.in_(subjects)
        )
        return self._database.read(lambda c: {row.kind: row.remote_id for row in c.execute(query)})


def is_webhook() -> sa.ColumnElement[bool]:
    """Destinations that are told over HTTP; the others are CRMs."""
    return destinations.c.kind == WEBHOOK


def message_of(row: sa.Row[Any]) -> Message:
    """A row of the table as others know it."""
    return Message(
        id=row.id,
        tenant_id=row.tenant_id,
        destination_id=row.destination_id,
        notice=Notice(row.event),
        subject_id=row.subject_id,
        n=row.n,
        facts=row.facts,
        tries=row.tries,
        created_at=row.created_at,
    )


def _judge(connection: sa.Connection, settled: Settled, now: datetime) -> None:
    """Note on the destination whether it can be reached; one that fails again and again is left alone for a while."""
    mine = destinations.c.id == settled.message.destination_id
    if settled.rest is None:
        failing = sa.or_(destinations.c.failures > 0, destinations.c.last_error.is_not(None))
        connection.execute(sa.update(destinations).where(mine, failing).values(failures=0, last_error=None))
        return
    failures = connection.scalar(
        sa.update(destinations)
        .where(mine)
        .values(failures=destinations.c.failures + 1, last_error=settled.reason)
        .returning(destinations.c.failures)
    )
    rest = settled.rest(int(failures or 0))
    if rest is not None:
        later = sa.or_(destinations.c.paused_until.is_(None), destinations.c.paused_until < now + rest)
        connection.execute(sa.update(destinations).where(mine, later).values(paused_until=now + rest))


def _awake(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(destinations.c.paused_until.is_(None), destinations.c.paused_until <= now)


def _free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until < now)


def _oldest(wanted: Wanted, now: datetime) -> sa.Select[tuple[str]]:
    return (
        sa.select(outbox.c.id)
        .where(outbox.c.destination_id == wanted.destination_id, _claimable(now))
        .order_by(outbox.c.not_before, outbox.c.id)
        .limit(wanted.most)
        # Whom another claimer is just taking is left to it; SQLite's writers take turns anyway.
        .with_for_update(skip_locked=True, of=outbox)
    )


def _claimable(now: datetime) -> sa.ColumnElement[bool]:
    """Due, in nobody's hand, and the oldest of its subject that waits for the destination."""
    earlier = outbox.alias("earlier")
    first = ~sa.exists().where(
        earlier.c.subject_id == outbox.c.subject_id,
        earlier.c.destination_id == outbox.c.destination_id,
        earlier.c.n < outbox.c.n,
        earlier.c.state == "waiting",
    )
    return sa.and_(outbox.c.state == "waiting", outbox.c.not_before <= now, _free(now), first)
