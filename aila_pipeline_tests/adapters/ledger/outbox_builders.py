"""Destinations and messages to test with.

Lives here: arranging. Does not: asserting.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.destinations import Destination
from aila_pipeline.adapters.ledger.outbox import Message, Rest, Settled, Wanted
from aila_pipeline.adapters.ledger.outbox_tables import outbox
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.domain.deliveries import Notice, usual
from aila_pipeline.errors import AudioInvalid
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_call, a_tenant, an_accepted_batch, rows, run

URL = "https://hooks.example/aila"
MINUTE = timedelta(minutes=1)


def a_webhook(
    ledger: Ledger, *events: Notice, tenant: Tenant | None = None, url: str = URL, now: datetime = NOW
) -> Destination:
    """A receiver that wants these events, all if none are named."""
    wanted = events or usual("webhook")
    return ledger.destinations.add_webhook(tenant or a_tenant(ledger), url, wanted, now=now)


def a_crm(ledger: Ledger, *, tenant: Tenant | None = None, url: str | None = None) -> Destination:
    """An account of HubSpot that wants calls."""
    tenant = tenant or a_tenant(ledger)
    return ledger.destinations.add_crm(tenant, "hubspot", "pat-1", usual("hubspot"), url=url, now=NOW)


def ended_calls(ledger: Ledger, *names: str, failing: tuple[str, ...] = (), tenant: Tenant | None = None) -> str:
    """A batch whose calls have these external ids and have ended; returns its id."""
    submitted = [a_call(n, name) for n, name in enumerate(names)]
    accepted = an_accepted_batch(ledger, *submitted, tenant=tenant)
    run(ledger, accepted.shards[0], failing=dict.fromkeys(failing, AudioInvalid()))
    return accepted.batch_id


def messages(ledger: Ledger, *where: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
    """The outbox, in the order in which it was written."""
    return rows(ledger, outbox, *where)


def claim(
    ledger: Ledger, place: Destination, token: str = "one", *, most: int = 100, now: datetime | None = None
) -> list[Message]:
    """Take what is due in hand for a minute; without `now`, late enough for all that was written."""
    now = now or later(ledger)
    return ledger.outbox.claim([Wanted(place.id, most, now + MINUTE)], token, now=now)


def later(ledger: Ledger) -> datetime:
    """A moment at which everything that waits is due, and every claim is over."""
    waiting = messages(ledger, outbox.c.state == "waiting")
    moments = [moment for row in waiting for moment in (row.not_before, row.claimed_until) if moment is not None]
    return max(moments, default=NOW) + timedelta(seconds=1)


def delivered(ledger: Ledger, *taken: Message, token: str = "one", now: datetime = NOW) -> None:
    """All of them have arrived."""
    ledger.outbox.settle([Settled(message, "delivered") for message in taken], token, now=now)


def dead(
    ledger: Ledger,
    *taken: Message,
    reason: str = "HTTP 410",
    token: str = "one",
    now: datetime = NOW,
    rest: Rest | None = None,
) -> None:
    """All of them are given up; `rest` judges the destination."""
    ledger.outbox.settle([Settled(message, "dead", reason, rest=rest) for message in taken], token, now=now)
