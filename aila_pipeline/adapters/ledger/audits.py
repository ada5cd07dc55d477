"""What an audit asks the ledger: where it contradicts itself, and which objects it speaks of.

Lives here: the questions. Does not: comparing with Dagster or the store (aila_pipeline/audit.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.call_objects import audio_key
from aila_pipeline.adapters.ledger.attempts import count_statuses
from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.outbox_views import unwritten
from aila_pipeline.adapters.ledger.tables import attempts, batches, calls, events, shards, stage_results
from aila_pipeline.domain.status import TERMINAL, Stage, roll_up

_PAGE = 1000
_TOLD_SINCE = timedelta(hours=23)
"""Messages that were delivered are kept for a day at least."""


@dataclass(frozen=True)
class Contradiction:
    """Two rows of the ledger that cannot both be true."""

    subject: str
    what: str


class Contradictions:
    """The ledger against itself. Constraints forbid most of this; the rest is what transactions promise."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Contradiction]:
        """Everything that is wrong; nothing, unless somebody wrote into the database by hand."""
        return self._database.read(
            lambda connection: [
                *self._attempts_and_calls(connection),
                *self._attempts_and_events(connection),
                *self._attempts_and_messages(connection),
                *self._shards(connection),
                *self._batches(connection),
            ]
        )

    def _attempts_and_calls(self, connection: sa.Connection) -> Iterator[Contradiction]:
        newest = (attempts.c.call_id == calls.c.id) & (attempts.c.n == calls.c.attempt)
        rows = connection.execute(
            sa.select(calls.c.id, calls.c.status, attempts.c.n, attempts.c.outcome).outerjoin(attempts, newest)
        )
        for row in rows:
            terminal = row.status in TERMINAL
            if row.n is None:
                yield Contradiction(row.id, "has no attempt of its newest number")
            elif terminal != (row.outcome is not None) or (terminal and row.outcome != row.status):
                yield Contradiction(row.id, f"is {row.status}, but its newest attempt is {row.outcome or 'open'}")
        older = (attempts.c.call_id == calls.c.id) & (attempts.c.n < calls.c.attempt) & attempts.c.outcome.is_(None)
        for call_id in connection.scalars(sa.select(calls.c.id).join(attempts, older)):
            yield Contradiction(call_id, "has an older attempt that is still open")

    def _attempts_and_events(self, connection: sa.Connection) -> Iterator[Contradiction]:
        same = (events.c.kind == "call") & (events.c.subject_id == attempts.c.call_id) & (events.c.n == attempts.c.n)
        query = sa.select(attempts.c.call_id, attempts.c.n, attempts.c.outcome, events.c.n.label("event"))
        for row in connection.execute(query.outerjoin(events, same)):
            if (row.outcome is not None) != (row.event is not None):
                state = "ended without an event" if row.event is None else "has an event without having ended"
                yield Contradiction(row.call_id, f"attempt {row.n} {state}")

    def _attempts_and_messages(self, connection: sa.Connection) -> Iterator[Contradiction]:
        for call_id, n, destination in unwritten(connection, since=datetime.now(UTC) - _TOLD_SINCE):
            yield Contradiction(call_id, f"attempt {n} ended without a message for {destination}")

    def _shards(self, connection: sa.Connection) -> Iterator[Contradiction]:
        is_open = (attempts.c.shard_id == shards.c.id) & attempts.c.outcome.is_(None)
        query = sa.select(shards.c.id).join(attempts, is_open).where(shards.c.state == "ended").distinct()
        for shard_id in connection.scalars(query):
            yield Contradiction(shard_id, "has ended with open attempts")

    def _batches(self, connection: sa.Connection) -> Iterator[Contradiction]:
        for row in connection.execute(sa.select(batches).where(batches.c.state == "accepted")).all():
            terminal = roll_up(count_statuses(connection, row.id)).terminal
            if terminal != (row.ended_at is not None):
                yield Contradiction(
                    row.id, "all its calls have ended, but it is open" if terminal else "ended too early"
                )


class References:
    """The objects that the ledger speaks of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def objects(self) -> Iterator[tuple[str, str]]:
        """Pairs of (call or batch, key): recordings, recognitions and batches' sources."""
        query = sa.select(batches.c.id, batches.c.sources).where(batches.c.state == "accepted")
        for row in self._database.read(lambda connection: connection.execute(query).all()):
            yield from ((row.id, source["key"]) for source in row.sources)
        after = ("", "")
        while rows := self._database.read(lambda connection: connection.execute(_results_after(after)).all()):  # noqa: B023
            for row in rows:
                if row.stage == Stage.CALL_AUDIO:
                    yield row.call_id, audio_key(row.tenant_id, row.document["sha256"])
                else:
                    yield row.call_id, row.document["key"]
            after = (rows[-1].call_id, rows[-1].stage)

    def closed_batches(self) -> list[str]:
        """Batches that have ended, and so have a report."""
        query = sa.select(batches.c.id).where(batches.c.state == "accepted", batches.c.ended_at.is_not(None))
        return self._database.read(lambda connection: list(connection.scalars(query)))


def _results_after(after: tuple[str, str]) -> sa.Select[Any]:
    place = sa.tuple_(stage_results.c.call_id, stage_results.c.stage)
    return (
        sa.select(stage_results.c.call_id, stage_results.c.stage, calls.c.tenant_id, stage_results.c.document)
        .join(calls, calls.c.id == stage_results.c.call_id)
        .where(stage_results.c.stage.in_((Stage.CALL_AUDIO, Stage.TRANSCRIPTS)), place > sa.tuple_(*after))
        .order_by(stage_results.c.call_id, stage_results.c.stage)
        .limit(_PAGE)
    )
