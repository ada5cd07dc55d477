"""People: the users and contacts that calls speak of, found or made, and linked with the calls.

Lives here: looking people up and writing what was decided, a group of calls in one transaction. Does not: deciding
(domain/people.py), showing people to clients (people_pages.py), those who submit (tenants.py).

Whom a call means depends on who is known, so of two shards of one tenant one waits for the other. Should somebody
be made beside them all the same, a unique constraint refuses the second, and the transaction, run again, finds the
first.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.people_tables import contacts, observations
from aila_pipeline.adapters.ledger.records import Tenant, WorkCall
from aila_pipeline.adapters.ledger.results import add_warnings, put_result, result_row
from aila_pipeline.adapters.ledger.tables import calls, users
from aila_pipeline.adapters.ledger.work import Work
from aila_pipeline.domain import ids
from aila_pipeline.domain.models import CallDetails, Warn
from aila_pipeline.domain.people import (
    Choice,
    ContactWanted,
    Decision,
    KnownContact,
    KnownUser,
    UserWanted,
    contact_wanted,
    decide_contact,
    decide_user,
    has_odd_phone,
    name_key,
    observation_digest,
    user_wanted,
)
from aila_pipeline.domain.versions import Version
from aila_pipeline.errors import UserNotFound


@dataclass(frozen=True)
class Linked:
    """A person that a call was linked with. `matched_by` is None for one who was made."""

    id: str
    created: bool
    matched_by: str | None
    observations: int

    def document(self) -> dict[str, Any]:
        """For the call's result: ids, no names."""
        return {"id": self.id, "created": self.created, "matched_by": self.matched_by}


@dataclass(frozen=True)
class Matched:
    """What became of the people of one call; `refusal` where its user is unknown and may not be made."""

    call: WorkCall
    user: Linked | None = None
    contact: Linked | None = None
    warnings: tuple[Warn, ...] = ()
    refusal: UserNotFound | None = None


class People:
    """Finding, making and linking."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def match(self, work: Work, needing: Sequence[tuple[WorkCall, Version]]) -> list[Matched]:
        """Link these calls of one shard with their people and keep the results, all in one transaction.

        A call with a refusal is left as it was. Raises LeaseLost when the shard is another's.
        """

        def change(connection: sa.Connection) -> list[Matched]:
            for tenant_id in {call.tenant.id for call, _ in needing}:
                self._database.take_turns(connection, _turn_of(tenant_id))
            return [_match(connection, call, version, run_id=work.run_id) for call, version in needing]

        return work.write(change)

    def require_user(self, tenant: Tenant, details: CallDetails) -> None:
        """Raise UserNotFound if the call's user would have to be made and the tenant does not want that."""
        wanted = user_wanted(details)
        if tenant.settings.create_users or wanted is None:
            return
        decision = self._database.read(lambda connection: _decided(connection, tenant.id, wanted))
        if decision.choice is Choice.CREATE:
            raise UserNotFound

    def ensure_user(self, tenant: Tenant, wanted: UserWanted) -> Linked | None:
        """This user, made where missing; None where several have the name and there is no e-mail to tell which."""

        def change(connection: sa.Connection) -> Linked | None:
            self._database.take_turns(connection, _turn_of(tenant.id))
            decision = _decided(connection, tenant.id, wanted)
            if decision.choice is Choice.AMBIGUOUS:
                return None
            user_id = _user(connection, tenant.id, wanted, decision, now=datetime.now(UTC))
            return Linked(user_id, decision.choice is Choice.CREATE, decision.matched_by, 0)

        return self._database.write(change)


def _turn_of(tenant_id: str) -> int:
    """A lock of this tenant's people alone, as PostgreSQL's advisory locks are named: by 64 bits."""
    return int.from_bytes(hashlib.sha256(f"people of {tenant_id}".encode()).digest()[:8], "big", signed=True)


def _match(connection: sa.Connection, call: WorkCall, version: Version, *, run_id: str) -> Matched:
    details = call.details
    assert details is not None, "calls without details are left out by the stage"
    began, now = time.perf_counter(), datetime.now(UTC)
    wanted = user_wanted(details)
    decision = _decided(connection, call.tenant.id, wanted) if wanted else None
    user: Linked | None = None
    if wanted and decision and decision.choice is not Choice.AMBIGUOUS:
        if decision.choice is Choice.CREATE and not call.tenant.settings.create_users:
            return Matched(call, refusal=UserNotFound())
        user_id = _user(connection, call.tenant.id, wanted, decision, now=now)
        seen = _observe(connection, call, {"user_id": user_id}, decision.observe, now=now)
        user = Linked(user_id, decision.choice is Choice.CREATE, decision.matched_by, seen)
    contact = _contact(connection, call, contact_wanted(details, call.tenant.settings.phone_region), now=now)
    warnings = [Warn.USER_AMBIGUOUS] if decision and decision.choice is Choice.AMBIGUOUS else []
    warnings += [Warn.PHONE_UNUSUAL] if has_odd_phone(details, call.tenant.settings.phone_region) else []
    linked = {"user_id": user.id if user else None, "contact_id": contact.id if contact else None}
    connection.execute(sa.update(calls).where(calls.c.id == call.id).values(**linked))
    if warnings:
        add_warnings(connection, call.id, warnings)
    document = {"user": user.document() if user else None, "contact": contact.document() if contact else None}
    spent = time.perf_counter() - began
    put_result(connection, result_row(call.id, version, document, seconds=spent, run_id=run_id))
    return Matched(call, user, contact, tuple(warnings))


def _decided(connection: sa.Connection, tenant_id: str, wanted: UserWanted) -> Decision:
    own = users.c.tenant_id == tenant_id
    by_email, namesakes = None, []
    if wanted.email is not None:
        # Who submits for the tenant signs in by e-mail, and may speak in calls as well.
        same = sa.or_(users.c.email == wanted.email, users.c.login == wanted.email)
        query = sa.select(users).where(own, same).order_by(users.c.email.is_(None))
        by_email = next(map(_known_user, connection.execute(query)), None)
    if by_email is None and wanted.name is not None:
        query = sa.select(users).where(own, users.c.name_key == name_key(wanted.name)).order_by(users.c.id)
        namesakes = [_known_user(row) for row in connection.execute(query)]
    return decide_user(wanted, by_email, namesakes)


def _user(connection: sa.Connection, tenant_id: str, wanted: UserWanted, decision: Decision, *, now: datetime) -> str:
    """The id of the user, made or filled in as was decided."""
    key = name_key(wanted.name) if wanted.name is not None else None
    if decision.person_id is None:
        user_id = ids.user_id(now)
        values = {"id": user_id, "tenant_id": tenant_id, "login": wanted.email or user_id, "created_at": now}
        values |= {"email": wanted.email, "name": wanted.name, "name_key": key, "user_group": wanted.group}
        values["only_name"] = key if wanted.email is None else None
        connection.execute(sa.insert(users).values(**values))
        return user_id
    fill = {("user_group" if name == "group" else name): value for name, value in decision.fill.items()}
    if "name" in fill and key is not None:
        fill["name_key"] = key
    _fill(connection, users, decision.person_id, fill)
    if "email" in fill:
        nowhere = sa.and_(users.c.id == decision.person_id, users.c.login == users.c.id)
        connection.execute(sa.update(users).where(nowhere).values(login=fill["email"]))
    return decision.person_id


def _contact(
    connection: sa.Connection, call: WorkCall, wanted: ContactWanted | None, *, now: datetime
) -> Linked | None:
    """The contact that the call speaks of, made or filled in; None where it tells of none."""
    if wanted is None:
        return None

    def known(column: sa.Column[Any], value: str | None) -> KnownContact | None:
        query = sa.select(contacts).where(contacts.c.tenant_id == call.tenant.id, column == value)
        row = connection.execute(query).one_or_none() if value is not None else None
        return KnownContact(row.id, row.phone, row.email, row.name) if row is not None else None

    decision = decide_contact(wanted, known(contacts.c.phone, wanted.phone), known(contacts.c.email, wanted.email))
    contact_id = decision.person_id
    if contact_id is None:
        contact_id = ids.contact_id(now)
        values = {"id": contact_id, "tenant_id": call.tenant.id, "created_at": now}
        values |= {"phone": wanted.phone, "email": wanted.email, "name": wanted.name}
        connection.execute(sa.insert(contacts).values(**values))
    else:
        _fill(connection, contacts, contact_id, decision.fill)
    seen = _observe(connection, call, {"contact_id": contact_id}, decision.observe, now=now)
    return Linked(contact_id, decision.choice is Choice.CREATE, decision.matched_by, seen)


def _fill(connection: sa.Connection, table: sa.Table, person_id: str, fill: Mapping[str, str]) -> None:
    """Set what is empty; what is there stays."""
    if fill:
        values = {name: sa.func.coalesce(table.c[name], value) for name, value in fill.items()}
        connection.execute(sa.update(table).where(table.c.id == person_id).values(**values))


def _observe(
    connection: sa.Connection, call: WorkCall, person: Mapping[str, str], told: Mapping[str, str], *, now: datetime
) -> int:
    """Note values that differ from what is kept, each once; how many are new."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    new = 0
    for name, value in told.items():
        row: dict[str, Any] = {
            "id": f"observation_{ids.ulid(now)}",
            "tenant_id": call.tenant.id,
            "call_id": call.id,
            **person,
        }
        row |= {"field": name, "value": value, "digest": observation_digest(value), "created_at": now}
        # A count of rows is not told by every driver where a conflict is passed over.
        statement = insert(observations).values(**row).on_conflict_do_nothing().returning(observations.c.id)
        new += connection.scalar(statement) is not None
    return new


def _known_user(row: sa.Row[Any]) -> KnownUser:
    return KnownUser(row.id, row.email, row.name, row.user_group)
