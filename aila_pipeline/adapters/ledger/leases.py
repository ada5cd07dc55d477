"""Leases: who may write a shard. One holder at a time, fenced by an epoch.

Lives here: claiming, renewing, releasing and taking back. Does not: what is written under a lease (work.py).

Every write under a lease first swaps the shard's row on (token, epoch). A worker that was thought dead and wakes up
finds another epoch, gets LeaseLost and writes nothing. The expiry only decides when others may try; the epoch decides
who is right, so clocks that differ cost time and never correctness.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.schema import UtcDateTime
from aila_pipeline.adapters.ledger.tables import attempts, batches, calls, shards
from aila_pipeline.errors import LeaseLost

_PROCESS = (os.getpid(), uuid.uuid4().hex)


def process_token() -> str:
    """A token of this process, the same for all its steps; another one after a fork."""
    global _PROCESS  # noqa: PLW0603 - the one fact that really is about the process
    if _PROCESS[0] != os.getpid():
        _PROCESS = (os.getpid(), uuid.uuid4().hex)
    return _PROCESS[1]


@dataclass(frozen=True)
class Lease:
    """The right to write one shard, as long as the ledger shows this token and epoch."""

    shard_id: str
    token: str
    epoch: int

    def hold(self, connection: sa.Connection, **values: object) -> None:
        """Lock the shard's row for this transaction and set `values` on it; LeaseLost if it is another's."""
        held = connection.execute(
            sa.update(shards)
            .where(shards.c.id == self.shard_id, shards.c.lease_token == self.token)
            .where(shards.c.lease_epoch == self.epoch)
            .values(lease_token=self.token, **values)
        ).rowcount
        if not held:
            raise LeaseLost(self.shard_id)


class Leases:
    """The life of leases in the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, shard_id: str, *, token: str, run_id: str, seconds: float, now: datetime) -> Lease:
        """Take the shard if it is free, expired or this process's own; else LeaseLost."""

        def change(connection: sa.Connection) -> Lease:
            before = connection.execute(sa.select(shards).where(shards.c.id == shard_id)).one_or_none()
            if before is None:
                raise LeaseLost(f"no such shard: {shard_id}")
            own = before.lease_token == token
            free = before.lease_token is None or before.lease_expires_at < now
            if not own and not free:
                raise LeaseLost(shard_id)
            taken = connection.execute(
                sa.update(shards)
                .where(shards.c.id == shard_id, shards.c.lease_epoch == before.lease_epoch)
                .where(shards.c.lease_token.is_not_distinct_from(before.lease_token))
                .values(
                    lease_token=token,
                    lease_epoch=before.lease_epoch + (0 if own else 1),
                    lease_expires_at=now + timedelta(seconds=seconds),
                    run_id=run_id,
                    state="ended" if before.state == "ended" else "admitted",
                    admitted_at=sa.func.coalesce(shards.c.admitted_at, sa.literal(now, UtcDateTime)),
                )
            ).rowcount
            if not taken:
                raise LeaseLost(shard_id)
            if not own:
                blame(connection, shard_id, before.in_hand)
            connection.execute(
                sa.update(batches)
                .where(batches.c.id == before.batch_id, batches.c.started_at.is_(None))
                .values(started_at=now)
            )
            return Lease(shard_id, token, before.lease_epoch + (0 if own else 1))

        return self._database.write(change)

    def renew(self, lease: Lease, *, seconds: float, now: datetime) -> None:
        """Move the expiry; LeaseLost if another holds the shard."""
        expires = now + timedelta(seconds=seconds)
        self._database.write(lambda connection: lease.hold(connection, lease_expires_at=expires))

    def release(self, lease: Lease, *, error: str | None = None) -> None:
        """Give the shard back; with `error`, note why its run stopped. Quiet if another holds it by now."""
        self._database.write(
            lambda connection: connection.execute(
                sa.update(shards)
                .where(shards.c.id == lease.shard_id, shards.c.lease_token == lease.token)
                .where(shards.c.lease_epoch == lease.epoch)
                .values(lease_token=None, lease_expires_at=None, in_hand=None, last_error=error)
            )
        )


def blame(connection: sa.Connection, shard_id: str, call_id: str | None) -> None:
    """A worker died with this call in hand: count it, so that a call that kills every worker is found out."""
    if call_id is None:
        return
    connection.execute(
        sa.update(attempts)
        .where(attempts.c.call_id == call_id, attempts.c.shard_id == shard_id, attempts.c.outcome.is_(None))
        .where(attempts.c.n == sa.select(calls.c.attempt).where(calls.c.id == call_id).scalar_subquery())
        .values(crashes=attempts.c.crashes + 1)
    )
    connection.execute(sa.update(shards).where(shards.c.id == shard_id).values(in_hand=None))
