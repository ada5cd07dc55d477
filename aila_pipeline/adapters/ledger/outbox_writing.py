"""Writing the outbox: one row for each destination that wants to be told, in the transaction that ends what is told.

Lives here: functions over an open write transaction. Does not: transactions, deciding that something ended
(attempts.py), what becomes of the rows (outbox.py).

A message is written with what it tells or not at all, so none is lost to a crash and none tells of what was rolled
back. A tenant without destinations costs one question to a small index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import in_groups
from aila_pipeline.adapters.ledger.outbox_tables import destinations, outbox
from aila_pipeline.domain.deliveries import Fact
from aila_pipeline.domain.ids import message_id


@dataclass(frozen=True)
class Audience:
    """A tenant's destinations with the events that each wants; empty for most tenants."""

    tenant_id: str
    wants: tuple[tuple[str, frozenset[str]], ...]


def audience_of(connection: sa.Connection, tenant_id: str) -> Audience:
    """Who is told of this tenant's calls and batches from now on."""
    rows = connection.execute(_LIVE, {"tenant": tenant_id})
    return Audience(tenant_id, tuple((row.id, frozenset(row.events)) for row in rows))


def tell(connection: sa.Connection, audience: Audience, facts: Sequence[Fact], *, now: datetime) -> None:
    """Leave a message of each fact for each destination that wants it."""
    same = {"tenant_id": audience.tenant_id, "state": "waiting", "tries": 0, "not_before": now, "created_at": now}
    for destination_id, wanted in audience.wants:
        rows = (
            {"id": message_id(now), "event": fact.notice, "subject_id": fact.subject_id, "n": fact.n}
            | {"facts": dict(fact.facts), "destination_id": destination_id}
            | same
            for fact in facts
            if fact.notice in wanted
        )
        for group in in_groups(rows):
            connection.execute(sa.insert(outbox), group)


# Compiled once: this runs at the end of every attempt.
_LIVE = (
    sa.select(destinations.c.id, destinations.c.events)
    .where(destinations.c.tenant_id == sa.bindparam("tenant"), destinations.c.removed_at.is_(None))
    .order_by(destinations.c.id)
)
