"""Idempotency keys: the first answer to each is remembered, so that a request sent twice is done once.

Lives here: claiming a key, remembering an answer. Does not: what is done (submissions.py), HTTP (api).

    (nothing) ──claim──> claimed ──remember──> answered     the same key and request: that answer again
        ^                   │                               the same key, another request: IdempotencyKeyReused
        └──release/expiry───┘                               the same key while claimed: RequestInFlight

A refusal is not remembered, as in Stripe's API: the mended request may use the same key. Where the request makes a
batch, its answer is written in the very transaction that makes it, so a crash leaves both or neither.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.tables import idempotency_keys as keys
from aila_pipeline.errors import IdempotencyKeyReused, RequestInFlight

CLAIM = timedelta(minutes=2)
"""A claim whose process died is free again after so long; no request takes nearly as long."""


@dataclass(frozen=True)
class Claim:
    """The right to answer the first request of a key."""

    tenant_id: str
    key: str
    token: str


@dataclass(frozen=True)
class Remembered:
    """The answer that was given."""

    status: int
    body: dict[str, Any]


class Idempotency:
    """The keys of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self, tenant_id: str, key: str, request: str, *, now: datetime, remembered_for: timedelta
    ) -> Claim | Remembered:
        """The right to answer, or the answer that was given before.

        `request` is a digest of all that makes the request what it is. Raises IdempotencyKeyReused, RequestInFlight.
        """
        claim = Claim(tenant_id, key, secrets.token_hex(16))
        values = {"request": request, "claim_token": claim.token, "claimed_until": now + CLAIM, "created_at": now}
        mine = sa.and_(keys.c.tenant_id == tenant_id, keys.c.key == key)

        def change(connection: sa.Connection) -> Claim | Remembered:
            row = connection.execute(sa.select(keys).where(mine).with_for_update()).one_or_none()
            if row is None:
                connection.execute(sa.insert(keys).values(tenant_id=tenant_id, key=key, **values))
                return claim
            answered = row.answer_status is not None
            if (answered and row.created_at < now - remembered_for) or (not answered and row.claimed_until < now):
                connection.execute(sa.update(keys).where(mine).values(answer_status=None, answer=None, **values))
                return claim
            if row.request != request:
                raise IdempotencyKeyReused()
            if not answered:
                raise RequestInFlight()
            return Remembered(row.answer_status, row.answer)

        return self._database.write(change)

    def remember(self, claim: Claim, status: int, body: Mapping[str, Any]) -> None:
        """Keep an answer that needed no transaction of its own. Raises RequestInFlight when the claim was lost."""
        self._database.write(lambda connection: remember(connection, claim, status, body))

    def release(self, claim: Claim) -> None:
        """The request was refused: the key is as if it had never been used."""
        self._database.write(
            lambda connection: connection.execute(
                sa.delete(keys).where(
                    keys.c.tenant_id == claim.tenant_id,
                    keys.c.key == claim.key,
                    keys.c.claim_token == claim.token,
                    keys.c.answer_status.is_(None),
                )
            )
        )

    def forget(self, before: datetime) -> int:
        """Remove what was first asked before this time; returns how many keys."""
        query = sa.delete(keys).where(keys.c.created_at < before)
        return int(self._database.write(lambda connection: connection.execute(query).rowcount))


def remember(connection: sa.Connection, claim: Claim, status: int, body: Mapping[str, Any]) -> None:
    """Keep the answer in an open write transaction.

    Raises RequestInFlight when somebody else has the claim by now; what the transaction did is then undone with it.
    """
    kept = connection.execute(
        sa.update(keys)
        .where(keys.c.tenant_id == claim.tenant_id, keys.c.key == claim.key)
        .where(keys.c.claim_token == claim.token, keys.c.answer_status.is_(None))
        .values(answer_status=status, answer=dict(body))
    ).rowcount
    if not kept:
        raise RequestInFlight()
