"""Destinations: where a tenant wants to be told of its calls and batches, a webhook's receiver or a CRM's account.

Lives here: adding, listing and removing them, the secrets that sign and open. Does not: which URLs may be told
(adapters/webhooks.py), the messages (outbox.py).

A secret is kept as it is, since it signs: whoever reads the ledger's tables can sign in our name. It is shown once,
when it is made; everybody else sees its last four characters.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.outbox_tables import destinations, outbox
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.ledger.tables import tenants
from aila_pipeline.domain.deliveries import WEBHOOK, Notice
from aila_pipeline.domain.ids import destination_id

REMOVED = "the destination was removed"
"""Why a message was given up that was still waiting then."""


@dataclass(frozen=True)
class Destination:
    """Where a tenant is told. `url` of a CRM is None unless it stands in for the CRM's usual address."""

    id: str
    tenant_id: str
    country: str
    firm: str
    kind: str
    url: str | None = field(repr=False)
    secret: str = field(repr=False)
    events: tuple[str, ...]
    failures: int
    paused_until: datetime | None
    last_error: str | None
    created_at: datetime
    removed_at: datetime | None

    @property
    def hint(self) -> str:
        """The end of its secret, by which a person tells two apart."""
        return f"…{self.secret[-4:]}"


class Destinations:
    """Those of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_webhook(self, tenant: Tenant, url: str, events: Iterable[Notice], *, now: datetime) -> Destination:
        """A new receiver with a secret of its own: `whsec_` and 256 bits, as Standard Webhooks writes them."""
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        return self._add(tenant, WEBHOOK, secret, events, url=url, now=now)

    def add_crm(
        self, tenant: Tenant, kind: str, token: str, events: Iterable[Notice], *, url: str | None = None, now: datetime
    ) -> Destination:
        """An account of a CRM, opened by `token`."""
        return self._add(tenant, kind, token, events, url=url, now=now)

    def _add(
        self, tenant: Tenant, kind: str, secret: str, events: Iterable[Notice], *, url: str | None, now: datetime
    ) -> Destination:
        values: dict[str, Any] = {"id": destination_id(now), "tenant_id": tenant.id, "kind": kind, "url": url}
        values |= {"secret": secret, "events": [str(event) for event in events], "failures": 0, "created_at": now}

        def change(connection: sa.Connection) -> sa.Row[Any]:
            connection.execute(sa.insert(destinations).values(**values))
            return connection.execute(_ALL.where(destinations.c.id == values["id"])).one()

        return _destination(self._database.write(change))

    def find(self, destination: str) -> Destination | None:
        """The destination of this id, removed or not."""
        return self.named([destination]).get(destination)

    def named(self, ids: Sequence[str]) -> dict[str, Destination]:
        """The destinations of these ids, removed or not."""
        query = _ALL.where(destinations.c.id.in_(ids))
        return self._database.read(lambda connection: {row.id: _destination(row) for row in connection.execute(query)})

    def all(self, *, removed: bool = False) -> list[Destination]:
        """Every destination, the oldest first; those that were removed only if asked for."""
        query = _ALL if removed else _ALL.where(destinations.c.removed_at.is_(None))
        return self._database.read(lambda connection: [_destination(row) for row in connection.execute(query)])

    def remove(self, destination: str, *, now: datetime) -> int | None:
        """Tell it nothing more; returns how many messages were still waiting for it. None: there is no live one."""

        def change(connection: sa.Connection) -> int | None:
            live = sa.and_(destinations.c.id == destination, destinations.c.removed_at.is_(None))
            if not connection.execute(sa.update(destinations).where(live).values(removed_at=now)).rowcount:
                return None
            given_up = {"state": "dead", "ended_at": now, "last_error": REMOVED, "claim_token": None}
            waiting = sa.and_(outbox.c.destination_id == destination, outbox.c.state == "waiting")
            return connection.execute(sa.update(outbox).where(waiting).values(**given_up)).rowcount

        return self._database.write(change)


_ALL = (
    sa.select(destinations, tenants.c.country, tenants.c.firm)
    .join(tenants, tenants.c.id == destinations.c.tenant_id)
    .order_by(destinations.c.id)
)


def _destination(row: sa.Row[Any]) -> Destination:
    return Destination(
        id=row.id,
        tenant_id=row.tenant_id,
        country=row.country,
        firm=row.firm,
        kind=row.kind,
        url=row.url,
        secret=row.secret,
        events=tuple(row.events),
        failures=row.failures,
        paused_until=row.paused_until,
        last_error=row.last_error,
        created_at=row.created_at,
        removed_at=row.removed_at,
    )
