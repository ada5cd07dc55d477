"""Limits: how much a tenant may submit through the API, counted in the transaction that inserts.

Lives here: the three limits of contract B over a rolling hour. Does not: headers and answers (api), or the drop zone,
which never refuses.

The tenant's row is locked first, so two submissions at once count one after the other: the limits are exact. What is
refused is rolled back and counts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.tables import batches, tenants
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.errors import LimitReached

WINDOW = timedelta(hours=1)
_OPEN_STATES = ("received", "accepted")
_BATCH_ENDS_SECONDS = 15
"""When one of the batches under way may have ended; nobody knows, and asking costs little."""


@dataclass(frozen=True)
class Limit:
    """One limit and how much of it is taken; `reset_seconds` is when the first of it is free again."""

    name: str
    most: int
    taken: int
    reset_seconds: int

    @property
    def left(self) -> int:
        """How much may still come."""
        return max(0, self.most - self.taken)


@dataclass(frozen=True)
class Standing:
    """Where a tenant stands after a submission."""

    batches: Limit
    calls: Limit
    concurrent: Limit

    @property
    def tightest(self) -> Limit:
        """The limit of which the smallest share is left."""
        return min((self.batches, self.calls, self.concurrent), key=lambda limit: limit.left / max(limit.most, 1))


def count(connection: sa.Connection, tenant_id: str, calls: int, *, now: datetime, lock: bool = True) -> Standing:
    """Where the tenant stands with one more batch of so many calls.

    To be called in the write transaction that inserts the batch, before it does; without `lock` it tells what would
    be, and promises nothing. Raises LimitReached.
    """
    query = sa.select(tenants.c.settings).where(tenants.c.id == tenant_id)
    query = query.with_for_update(key_share=True) if lock else query
    settings = TenantSettings.model_validate(connection.execute(query).scalar_one())
    recent = [
        (row.received_at, row.counted_calls)
        for row in connection.execute(
            sa.select(batches.c.received_at, batches.c.counted_calls)
            .where(batches.c.tenant_id == tenant_id, batches.c.received_at > now - WINDOW)
            .where(batches.c.counted_calls.is_not(None))
            .order_by(batches.c.received_at)
        )
    ]
    under_way = connection.execute(
        sa.select(sa.func.count())
        .select_from(batches)
        .where(batches.c.tenant_id == tenant_id, batches.c.ended_at.is_(None), batches.c.state.in_(_OPEN_STATES))
        .where(batches.c.counted_calls.is_not(None))
    ).scalar_one()
    each = [(at, 1) for at, _ in recent]
    if under_way + 1 > settings.concurrent_batches:
        most = settings.concurrent_batches
        raise LimitReached(f"{most} concurrent batches", _BATCH_ENDS_SECONDS, most=most)
    return Standing(
        batches=_within("batches per hour", settings.batches_per_hour, each, 1, now),
        calls=_within("calls per hour", settings.calls_per_hour, recent, calls, now),
        concurrent=Limit("concurrent batches", settings.concurrent_batches, under_way + 1, _BATCH_ENDS_SECONDS),
    )


def _within(name: str, most: int, recent: Sequence[tuple[datetime, int]], more: int, now: datetime) -> Limit:
    """The limit with `more` added; LimitReached tells when enough of the recent ones have left the window."""
    taken = sum(amount for _, amount in recent)
    if taken + more > most:
        wait = _seconds_until_free(recent, taken + more - most, now)
        raise LimitReached(f"{most} {name}", wait, most=most, left=max(0, most - taken))
    return Limit(name, most, taken + more, _seconds_left(recent[0][0] if recent else now, now))


def _seconds_until_free(recent: Sequence[tuple[datetime, int]], needed: int, now: datetime) -> int:
    """When `needed` will have left the window; a whole window when that can never be enough."""
    for at, amount in recent:
        needed -= amount
        if needed <= 0:
            return _seconds_left(at, now)
    return math.ceil(WINDOW.total_seconds())


def _seconds_left(at: datetime, now: datetime) -> int:
    """Until something of that time has left the window; at least a second."""
    return max(1, math.ceil((at + WINDOW - now).total_seconds()))
