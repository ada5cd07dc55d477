"""Pages of people: a tenant's contacts and users newest first, one of them in full, and the calls of each.

Lives here: reading by key, so that the last page costs what the first does. Does not: finding people for calls
(people.py), cursors as clients see them (api/cursors.py). Somebody of another tenant is like one who does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.people_tables import contacts, observations
from aila_pipeline.adapters.ledger.tables import users


@dataclass(frozen=True)
class Observation:
    """A value that a call gave for a field and that is not the one that is kept; `call_id` said so first."""

    field: str
    value: str
    call_id: str
    created_at: datetime


@dataclass(frozen=True)
class Contact:
    """One of the tenant's contacts; `phone` in E.164."""

    id: str
    phone: str | None
    email: str | None
    name: str | None
    created_at: datetime


@dataclass(frozen=True)
class User:
    """One of the tenant's users. `login` is what they submit under; None for one who was only met in calls."""

    id: str
    login: str | None
    email: str | None
    name: str | None
    group: str | None
    created_at: datetime


@dataclass(frozen=True)
class Place:
    """Where in a list of people a page ended."""

    created_at: datetime
    id: str


class PeoplePages:
    """Reading, for clients."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def contacts(
        self, tenant_id: str, *, phone: str | None, email: str | None, after: Place | None, limit: int
    ) -> list[Contact]:
        """At most `limit` contacts after `after`, newest first; only those of this phone (E.164) and e-mail."""
        wanted = {contacts.c.phone: phone, contacts.c.email: email}
        query = _listed(contacts, tenant_id, wanted, after, limit)
        return self._database.glance(lambda connection: [_contact(row) for row in connection.execute(query)])

    def users(self, tenant_id: str, *, email: str | None, after: Place | None, limit: int) -> list[User]:
        """At most `limit` users after `after`, newest first; only the one of this e-mail."""
        query = _listed(users, tenant_id, {users.c.email: email}, after, limit)
        return self._database.glance(lambda connection: [_user(row) for row in connection.execute(query)])

    def contact(self, tenant_id: str, contact_id: str) -> tuple[Contact, list[Observation]] | None:
        """The tenant's contact with all that calls said otherwise, oldest first; None when there is none of this id."""
        row, seen = self._one(contacts, tenant_id, contact_id, observations.c.contact_id)
        return (_contact(row), seen) if row is not None else None

    def user(self, tenant_id: str, user_id: str) -> tuple[User, list[Observation]] | None:
        """As `contact`, a user."""
        row, seen = self._one(users, tenant_id, user_id, observations.c.user_id)
        return (_user(row), seen) if row is not None else None

    def _one(
        self, table: sa.Table, tenant_id: str, person_id: str, column: sa.Column[Any]
    ) -> tuple[sa.Row[Any] | None, list[Observation]]:
        person = sa.select(table).where(table.c.id == person_id, table.c.tenant_id == tenant_id)
        seen = sa.select(observations).where(column == person_id).order_by(observations.c.id)

        def question(connection: sa.Connection) -> tuple[sa.Row[Any] | None, Sequence[sa.Row[Any]]]:
            row = connection.execute(person).one_or_none()
            return row, connection.execute(seen).all() if row is not None else ()

        row, rows = self._database.read(question)
        return row, [Observation(each.field, each.value, each.call_id, each.created_at) for each in rows]


def _listed(
    table: sa.Table, tenant_id: str, wanted: dict[Any, str | None], after: Place | None, limit: int
) -> sa.Select[*tuple[Any, ...]]:
    query = sa.select(table).where(table.c.tenant_id == tenant_id)
    query = query.where(*(column == value for column, value in wanted.items() if value is not None))
    if after is not None:
        place = sa.tuple_(sa.literal(after.created_at, table.c.created_at.type), sa.literal(after.id))
        query = query.where(sa.tuple_(table.c.created_at, table.c.id) < place)
    return query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)


def _contact(row: sa.Row[Any]) -> Contact:
    return Contact(row.id, row.phone, row.email, row.name, row.created_at)


def _user(row: sa.Row[Any]) -> User:
    login = row.login if row.login != row.id else None
    return User(row.id, login, row.email, row.name, row.user_group, row.created_at)
