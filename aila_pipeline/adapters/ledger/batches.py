"""Batches in the ledger: received, accepted, refused, retried.

Lives here: the life of a batch as a submission. Does not: its calls' life (attempts.py, work.py).

    received ──accept──> accepted     its calls exist; the calls' statuses tell the rest
        │  ├───accept──> duplicate    the same content is another batch; its failed calls are tried again
        │  ├───refuse──> refused      nothing can be processed; the files lie beside the reasons
        │  └─withdraw──> withdrawn    the files changed before they were read; they are received anew
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger import retries
from aila_pipeline.adapters.ledger.acceptance import Acceptance
from aila_pipeline.adapters.ledger.attempts import close_batches
from aila_pipeline.adapters.ledger.database import Database, in_groups
from aila_pipeline.adapters.ledger.outbox_writing import audience_of, tell
from aila_pipeline.adapters.ledger.records import Accepted, Batch, Launch, Tenant
from aila_pipeline.adapters.ledger.tables import batches, calls, events, tenants
from aila_pipeline.domain import ids
from aila_pipeline.domain.deliveries import Fact, Notice
from aila_pipeline.domain.models import Priority, Submission, TenantSettings

FIRST_LAUNCH = 1
"""The launch that the API makes by itself of a batch that it has received."""


class Batches:
    """What happens to a batch from its arrival until its calls exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def receive(
        self,
        tenant: Tenant,
        user_id: str,
        *,
        kind: str,
        name: str,
        fingerprint: str,
        sources: Sequence[Mapping[str, Any]],
        problem: Mapping[str, Any] | None = None,
        priority: Priority = Priority.LIVE,
        now: datetime,
    ) -> Batch:
        """Note that a submission has arrived; the same fingerprint gives the batch that is known already."""

        def change(connection: sa.Connection) -> Batch:
            row = connection.execute(sa.select(batches).where(batches.c.fingerprint == fingerprint)).one_or_none()
            if row is None:
                values: dict[str, Any] = {
                    "id": ids.batch_id(now),
                    "tenant_id": tenant.id,
                    "user_id": user_id,
                    "kind": kind,
                }
                values |= {"name": name, "priority": priority, "state": "received", "fingerprint": fingerprint}
                values |= {"sources": [dict(source) for source in sources], "warnings": [], "received_at": now}
                values |= {"problem": dict(problem) if problem else None}
                row = connection.execute(sa.insert(batches).values(**values).returning(batches)).one()
            return batch_of(row, tenant)

        return self._database.write(change)

    def get(self, batch_id: str) -> Batch | None:
        """The batch, or None."""

        def question(connection: sa.Connection) -> Batch | None:
            row = connection.execute(sa.select(batches).where(batches.c.id == batch_id)).one_or_none()
            return batch_of(row, tenant_by_id(connection, row.tenant_id)) if row else None

        return self._database.read(question)

    def owner(self, tenant: Tenant, digest: str) -> str | None:
        """The id of the tenant's batch that has this content, if there is one."""
        query = sa.select(batches.c.id).where(batches.c.tenant_id == tenant.id, batches.c.digest == digest)
        return self._database.read(lambda connection: connection.scalar(query))

    def accept(
        self,
        batch: Batch,
        submission: Submission,
        *,
        sources: Sequence[Mapping[str, Any]],
        fingerprints: dict[int, str],
        shard_size: int,
        now: datetime,
    ) -> Accepted:
        """Make the batch's calls, attempts and shards, once; or find that its content is another batch's."""

        def change(connection: sa.Connection) -> Accepted:
            owner = connection.scalar(
                sa.select(batches.c.id).where(
                    batches.c.tenant_id == batch.tenant.id, batches.c.digest == submission.digest
                )
            )
            if owner is not None:
                return self._duplicate(connection, batch, owner, shard_size=shard_size, now=now)
            won = connection.execute(
                sa.update(batches)
                .where(batches.c.id == batch.id, batches.c.state == "received")
                .values(
                    state="accepted",
                    digest=submission.digest,
                    accepted_at=now,
                    total_calls=len(submission.calls),
                    warnings=list(submission.warnings),
                    sources=[dict(source) for source in sources],
                )
            ).rowcount
            if not won:
                state = connection.scalar(sa.select(batches.c.state).where(batches.c.id == batch.id))
                return Accepted(batch.id, str(state), (), 0, 0)
            acceptance = Acceptance(batch.id, batch.tenant.id, batch.priority, shard_size, now, fingerprints)
            shards, failed = acceptance.write(connection, submission.calls)
            close_batches(connection, [batch.id], now=now)
            return Accepted(batch.id, "accepted", tuple(shards), len(submission.calls), failed)

        return self._database.write(change)

    def _duplicate(
        self, connection: sa.Connection, batch: Batch, owner: str, *, shard_size: int, now: datetime
    ) -> Accepted:
        if owner == batch.id:  # this very batch was accepted by an earlier run
            return Accepted(batch.id, "accepted", (), 0, 0)
        won = connection.execute(
            sa.update(batches)
            .where(batches.c.id == batch.id, batches.c.state == "received")
            .values(state="duplicate", duplicate_of=owner, accepted_at=now, ended_at=now)
        ).rowcount
        shards: tuple[str, ...] = ()
        if won:
            shards = retries.retry_failed(
                connection, owner, shard_size=shard_size, priority=batch.priority, now=now
            ).shards
        return Accepted(owner, "duplicate", shards, 0, 0)

    def retry(self, batch_id: str, *, shard_size: int, now: datetime) -> list[str]:
        """A new attempt for each failed call of the batch that has data to try with; returns the new shards.

        The id of a duplicate means the batch that it duplicates.
        """

        def change(connection: sa.Connection) -> list[str]:
            owner = connection.scalar(sa.select(batches.c.duplicate_of).where(batches.c.id == batch_id))
            retried = retries.retry_failed(
                connection, owner or batch_id, shard_size=shard_size, priority=Priority.LIVE, now=now
            )
            return list(retried.shards)

        return self._database.write(change)

    def retry_passing(self, *, limit: int, pause: timedelta, shard_size: int, now: datetime, most: int) -> list[str]:
        """New attempts for calls that failed for a passing reason, at most `most` calls, in shards of their batches.

        A call gets at most `limit` automatic retries; the pause before each is twice the one before.
        """
        return self._database.write(
            lambda connection: retries.retry_passing(
                connection, limit=limit, pause=pause, shard_size=shard_size, now=now, most=most
            )
        )

    def count_passing(self, *, limit: int, pause: timedelta, now: datetime) -> int:
        """How many calls `retry_passing` would try again."""
        query = sa.select(sa.func.count()).select_from(calls).where(retries.due(limit, pause, now))
        return int(self._database.read(lambda connection: connection.scalar(query)) or 0)

    def ended_before(self, before: datetime, *, most: int) -> list[str]:
        """The oldest batches that ended before this time."""
        query = sa.select(batches.c.id).where(batches.c.ended_at < before).order_by(batches.c.ended_at).limit(most)
        return self._database.read(lambda connection: list(connection.scalars(query)))

    def refuse(self, batch_id: str, problem: Mapping[str, Any], *, now: datetime) -> bool:
        """Refuse the whole submission; False if something else has become of it."""

        def change(connection: sa.Connection) -> bool:
            won = connection.execute(
                sa.update(batches)
                .where(batches.c.id == batch_id, batches.c.state == "received")
                .values(state="refused", problem=dict(problem), accepted_at=now, ended_at=now, closings=1)
                .returning(batches.c.tenant_id)
            ).scalar_one_or_none()
            if won is not None:
                payload = {"status": "failed", "error_code": problem["code"], "calls": 0, "closing": 1}
                connection.execute(
                    sa.insert(events).values(kind="batch", subject_id=batch_id, n=1, payload=payload, created_at=now)
                )
                told = Fact(Notice.BATCH_FAILED, batch_id, 1, payload)
                tell(connection, audience_of(connection, won), [told], now=now)
            return won is not None

        return self._database.write(change)

    def withdraw(self, batch_id: str, *, now: datetime) -> None:
        """The files are not those that were received: forget this batch, they will be received anew."""
        self._database.write(
            lambda connection: connection.execute(
                sa.update(batches)
                .where(batches.c.id == batch_id, batches.c.state == "received")
                # Its fingerprint is free again: the same files, put back as they were, are a new arrival.
                .values(state="withdrawn", ended_at=now, fingerprint=f"withdrawn {batch_id}")
            )
        )

    def received(self, *, now: datetime, most: int) -> list[Launch]:
        """Batches that wait for their `submission` run, oldest first."""

        def question(connection: sa.Connection) -> list[Launch]:
            rows = connection.execute(
                sa.select(batches)
                .where(
                    batches.c.state == "received",
                    sa.or_(batches.c.not_before.is_(None), batches.c.not_before <= now),
                )
                .order_by(batches.c.priority != Priority.LIVE, batches.c.received_at)
                .limit(most)
            )
            return [Launch(row.id, row.launches, Priority(row.priority), row.tenant_id) for row in rows]

        return self._database.read(question)

    def launched(self, batch_ids: Sequence[str], *, now: datetime) -> None:
        """Count a launch of each; the next one waits longer each time (5 s doubling, at most 5 minutes)."""

        def change(connection: sa.Connection) -> None:
            for group in in_groups(batch_ids):
                for row in connection.execute(
                    sa.select(batches.c.id, batches.c.launches).where(batches.c.id.in_(group))
                ):
                    pause = timedelta(seconds=min(300.0, 5.0 * 2 ** min(row.launches, 6)))
                    connection.execute(
                        sa.update(batches)
                        .where(batches.c.id == row.id)
                        .values(launches=row.launches + 1, not_before=now + pause)
                    )

        self._database.write(change)

    def begin_launch(self, batch_id: str, *, now: datetime, until: datetime) -> Launch | None:
        """The launch that the API may make of what it has received; the sensor leaves the batch alone until then.

        None if that launch was begun before, or the sensor has its turn already.
        """
        begun = (
            sa.update(batches)
            .where(batches.c.id == batch_id, batches.c.state == "received")
            .where(batches.c.launches == FIRST_LAUNCH, batches.c.not_before > now)
            .values(launches=FIRST_LAUNCH + 1, not_before=until)
            .returning(batches.c.priority, batches.c.tenant_id)
        )
        row = self._database.write(lambda connection: connection.execute(begun).one_or_none())
        return Launch(batch_id, FIRST_LAUNCH, Priority(row.priority), row.tenant_id) if row is not None else None

    def give_back(self, launch: Launch, *, now: datetime) -> None:
        """The launch that was begun came to nothing: it is the sensor's turn now."""
        query = (
            sa.update(batches)
            .where(batches.c.id == launch.key, batches.c.state == "received", batches.c.launches == launch.n + 1)
            .values(not_before=now)
        )
        self._database.write(lambda connection: connection.execute(query))


def tenant_by_id(connection: sa.Connection, tenant_id: str) -> Tenant:
    """The tenant of this id, which must exist."""
    row = connection.execute(sa.select(tenants).where(tenants.c.id == tenant_id)).one()
    return Tenant(row.id, row.country, row.firm, TenantSettings.model_validate(row.settings))


def batch_of(row: sa.Row[Any], tenant: Tenant) -> Batch:
    """A row of the table as others know it."""
    return Batch(
        id=row.id,
        tenant=tenant,
        kind=row.kind,
        name=row.name,
        priority=Priority(row.priority),
        state=row.state,
        sources=tuple(row.sources),
        problem=row.problem,
        duplicate_of=row.duplicate_of,
        received_at=row.received_at,
        door=row.door,
    )
