"""Tenants and the users who submit for them.

Lives here: finding or making them, race-free. Does not: the people in calls (people.py).
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.ledger.tables import tenants, users
from aila_pipeline.domain.ids import user_id
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.domain.people import email_key

DROP_ZONE = "drop-zone"
"""The login under which files of the drop zone are submitted."""


class Tenants:
    """Firms, and who submits for them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, country: str, firm: str) -> Tenant | None:
        """The tenant, if it exists."""
        query = sa.select(tenants).where(tenants.c.country == country, tenants.c.firm == firm)
        row = self._database.read(lambda connection: connection.execute(query).one_or_none())
        return _tenant(row) if row else None

    def ensure(self, country: str, firm: str) -> Tenant:
        """The tenant, made with default settings where missing."""

        def change(connection: sa.Connection) -> Tenant:
            query = sa.select(tenants).where(tenants.c.country == country, tenants.c.firm == firm)
            row = connection.execute(query).one_or_none()
            if row is None:
                values = {"id": str(uuid.uuid4()), "country": country, "firm": firm, "created_at": datetime.now(UTC)}
                values["settings"] = TenantSettings().model_dump(mode="json")
                row = connection.execute(sa.insert(tenants).values(**values).returning(tenants)).one()
            return _tenant(row)

        return self.find(country, firm) or self._database.write(change)

    def change_settings(self, tenant: Tenant, settings: TenantSettings) -> Tenant:
        """Replace the tenant's settings."""
        values = settings.model_dump(mode="json")
        self._database.write(
            lambda connection: connection.execute(
                sa.update(tenants).where(tenants.c.id == tenant.id).values(settings=values)
            )
        )
        return Tenant(tenant.id, tenant.country, tenant.firm, settings)

    def all(self) -> list[Tenant]:
        """Every tenant, by country and firm."""
        query = sa.select(tenants).order_by(tenants.c.country, tenants.c.firm)
        return self._database.read(lambda connection: [_tenant(row) for row in connection.execute(query)])

    def ensure_user(self, tenant: Tenant, login: str) -> str:
        """The id of the user with this login, made where missing; an e-mail finds the user who has it."""
        email = email_key(login)

        def change(connection: sa.Connection) -> str:
            same = users.c.login == login if email is None else sa.or_(users.c.login == login, users.c.email == email)
            query = sa.select(users.c.id).where(users.c.tenant_id == tenant.id, same)
            known = connection.scalar(query.order_by(users.c.login != login))
            if known is not None:
                return str(known)
            now = datetime.now(UTC)
            values = {"id": user_id(now), "tenant_id": tenant.id, "login": login, "email": email, "created_at": now}
            connection.execute(sa.insert(users).values(**values))
            return str(values["id"])

        return self._database.write(change)


def _tenant(row: sa.Row[Any]) -> Tenant:
    return Tenant(row.id, row.country, row.firm, TenantSettings.model_validate(row.settings))
