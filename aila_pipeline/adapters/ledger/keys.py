"""API keys: who may ask, as a tenant and user; kept as SHA-256, shown once.

Lives here: making, finding, revoking. Does not: reading a request's header (api/access.py).

A key is `aila_<id>_<secret>`: the id finds the row, the whole is compared with its digest in constant time. 256 bits
of chance need no salt and no slow hash: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.ledger.tables import api_keys, tenants, users
from aila_pipeline.domain.ids import ulid
from aila_pipeline.domain.models import TenantSettings

_PREFIX = "aila_"
_NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Access:
    """In whose name a request is made."""

    key_id: str
    tenant: Tenant
    user_id: str


@dataclass(frozen=True)
class ApiKey:
    """What can be told about a key; `hint` is its end."""

    id: str
    country: str
    firm: str
    login: str
    hint: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class ApiKeys:
    """The keys of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, tenant: Tenant, user_id: str, *, now: datetime) -> str:
        """A new key. It is returned here and can never be read again."""
        name = ulid(now)
        key = f"{_PREFIX}{name}_{secrets.token_urlsafe(32)}"
        values = {"id": f"key_{name}", "tenant_id": tenant.id, "user_id": user_id, "created_at": now}
        values |= {"digest": _digest(key), "hint": key[-4:]}
        self._database.write(lambda connection: connection.execute(sa.insert(api_keys).values(**values)))
        return key

    def find(self, key: str) -> Access | None:
        """Whose key it is; None for one that is unknown, changed or revoked."""
        key_id = key_id_of(key)
        if key_id is None:
            return None
        row = self._database.glance(lambda c: c.execute(_ACCESS, {"key_id": key_id}).one_or_none())
        return access_of(row, key)

    def used(self, moments: Mapping[str, datetime]) -> None:
        """Note when keys were last used, by their ids; an earlier moment changes nothing."""

        def change(connection: sa.Connection) -> None:
            for key_id, at in sorted(moments.items()):
                known = api_keys.c.last_used_at
                connection.execute(
                    sa.update(api_keys)
                    .where(api_keys.c.id == key_id, sa.or_(known.is_(None), known < at))
                    .values(last_used_at=at)
                )

        self._database.write(change)

    def revoke(self, key_id: str, *, now: datetime) -> bool:
        """From now on the key opens nothing; False if there is no such key, or it was revoked before."""
        query = sa.update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        return bool(self._database.write(lambda c: c.execute(query.values(revoked_at=now)).rowcount))

    def all(self) -> list[ApiKey]:
        """Every key, the newest first."""
        query = (
            sa.select(api_keys, tenants.c.country, tenants.c.firm, users.c.login)
            .join(tenants, tenants.c.id == api_keys.c.tenant_id)
            .join(users, users.c.id == api_keys.c.user_id)
            .order_by(api_keys.c.id.desc())
        )
        return self._database.read(lambda connection: [_shown(row) for row in connection.execute(query)])


ACCESS = (
    api_keys.c.id.label("key_id"),
    api_keys.c.digest,
    api_keys.c.user_id,
    api_keys.c.tenant_id,
    api_keys.c.revoked_at,
    tenants.c.country,
    tenants.c.firm,
    tenants.c.settings,
)
"""What `access_of` reads, of a key joined with its tenant."""

# Compiled once: this runs before every request.
_ACCESS = (
    sa.select(*ACCESS)
    .join(tenants, tenants.c.id == api_keys.c.tenant_id)
    .where(api_keys.c.id == sa.bindparam("key_id"))
)


def key_id_of(key: str) -> str | None:
    """The id in a key; None for what cannot be one."""
    name, _, secret = key.removeprefix(_PREFIX).partition("_")
    if not key.startswith(_PREFIX) or not secret or not (key.isascii() and name.isalnum()):
        return None
    return f"key_{name}"


def access_of(row: Any, key: str) -> Access | None:
    """What the row that was found by the key's id gives access to; None if it is another key, or revoked."""
    same = hmac.compare_digest(_digest(key), row.digest if row is not None else _NOBODY)
    if row is None or not same or row.revoked_at is not None:
        return None
    tenant = Tenant(row.tenant_id, row.country, row.firm, TenantSettings.model_validate(row.settings))
    return Access(row.key_id, tenant, row.user_id)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _shown(row: sa.Row[Any]) -> ApiKey:
    return ApiKey(row.id, row.country, row.firm, row.login, row.hint, row.created_at, row.last_used_at, row.revoked_at)
