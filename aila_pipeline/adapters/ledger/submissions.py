"""Submissions through the API: counted, written and answered in one transaction.

Lives here: a list of calls cut into its shard at once; a checked pair noted for its `submission` run. Does not:
checking (domain/intake), the drop zone's arrivals (batches.py).

What is acknowledged is committed, whole; what is not acknowledged left nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from aila_pipeline.adapters.ledger import limits, retries
from aila_pipeline.adapters.ledger.acceptance import Acceptance, Fate, fate_of, known_calls
from aila_pipeline.adapters.ledger.attempts import close_batches, count_statuses
from aila_pipeline.adapters.ledger.batches import FIRST_LAUNCH
from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.idempotency import Claim, remember
from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.adapters.ledger.retries import Retried
from aila_pipeline.adapters.ledger.tables import batches
from aila_pipeline.adapters.ledger.uploads import Upload
from aila_pipeline.domain import ids
from aila_pipeline.domain.models import Priority, Submission
from aila_pipeline.domain.status import BatchStatus, roll_up

T = TypeVar("T")

API = "api"
LAUNCH_HEAD_START = timedelta(seconds=5)
"""The API launches the run of a pair itself; the sensor makes up for it when that did not happen by then."""


@dataclass(frozen=True)
class Submitted:
    """What a submission has become. `standing` is None where nothing was counted: it had been submitted before."""

    batch_id: str
    calls: int
    shards: tuple[str, ...]
    standing: limits.Standing | None
    status: BatchStatus = BatchStatus.SUBMITTED


@dataclass(frozen=True)
class Answering(Generic[T]):
    """How the request will be answered, to be remembered under its Idempotency-Key."""

    claim: Claim
    body: Callable[[T], Mapping[str, Any]]


class Submissions:
    """The two doors of the API."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def fates(self, tenant_id: str, submission: Submission, fingerprints: Mapping[int, str]) -> dict[int, Fate]:
        """What would become of each item now; changes nothing, promises nothing."""
        wanted = [call.external_id for call in submission.calls if call.external_id]
        known = self._database.read(lambda connection: known_calls(connection, tenant_id, wanted))
        return {
            call.position: fate_of(call, known.get(call.external_id or ""), fingerprints.get(call.position))
            for call in submission.calls
        }

    def standing(self, access: Access, calls: int, *, now: datetime) -> limits.Standing:
        """Where the tenant would stand with one more batch of so many calls. Raises LimitReached; promises nothing."""
        return self._database.read(lambda c: limits.count(c, access.tenant.id, calls, now=now, lock=False))

    def submit_calls(
        self,
        access: Access,
        submission: Submission,
        *,
        fingerprints: Mapping[int, str],
        shard_size: int,
        now: datetime,
        answering: Answering[Submitted] | None = None,
    ) -> Submitted:
        """A new batch of these calls, with its shards.

        Raises LimitReached, ManifestInvalid for ids that other calls have, RequestInFlight for a lost claim.
        """
        calls = len(submission.calls)

        def change(connection: sa.Connection) -> Submitted:
            standing = limits.count(connection, access.tenant.id, calls, now=now)
            batch_id = ids.batch_id(now)
            row = _row(access, batch_id, now) | {
                "kind": "manifest",
                "name": "batch-upload",
                "state": "accepted",
                "fingerprint": f"{API} {batch_id}",
                "warnings": list(submission.warnings),
                "sources": [],
                "total_calls": calls,
                "counted_calls": calls,
                "accepted_at": now,
            }
            connection.execute(sa.insert(batches).values(**row))
            acceptance = Acceptance(
                batch_id, access.tenant.id, Priority.LIVE, shard_size, now, fingerprints, conflicts_refuse=True
            )
            shards, _ = acceptance.write(connection, submission.calls)
            close_batches(connection, [batch_id], now=now)
            status = roll_up(count_statuses(connection, batch_id), started=False)
            return _answered(connection, Submitted(batch_id, calls, tuple(shards), standing, status), answering)

        return self._database.write(change)

    def submit_pair(
        self,
        access: Access,
        upload: Upload,
        *,
        sources: Sequence[Mapping[str, Any]],
        rows: int,
        now: datetime,
        answering: Answering[Submitted] | None = None,
    ) -> Submitted:
        """The batch of this upload, which waits for its `submission` run; the one it has already, if it has one.

        Raises LimitReached, RequestInFlight for a lost claim.
        """

        def change(connection: sa.Connection) -> Submitted:
            known = connection.scalar(sa.select(batches.c.id).where(batches.c.fingerprint == upload.fingerprint))
            if known is not None:
                return _answered(connection, Submitted(known, rows, (), None), answering)
            standing = limits.count(connection, access.tenant.id, rows, now=now)
            batch_id = ids.batch_id(now)
            row = _row(access, batch_id, now) | {
                "kind": "pair",
                "name": upload.id,
                "state": "received",
                "fingerprint": upload.fingerprint,
                "warnings": [],
                "sources": [dict(source) for source in sources],
                "counted_calls": rows,
                "launches": FIRST_LAUNCH,
                "not_before": now + LAUNCH_HEAD_START,
            }
            connection.execute(sa.insert(batches).values(**row))
            return _answered(connection, Submitted(batch_id, rows, (), standing), answering)

        return self._database.write(change)

    def retry_failed(
        self,
        access: Access,
        batch_id: str,
        *,
        shard_size: int,
        now: datetime,
        answering: Answering[Retried] | None = None,
    ) -> Retried | None:
        """A new attempt for each failed call of the tenant's batch; None if the tenant has no such batch.

        The id of a duplicate means the batch that it duplicates. Raises RequestInFlight for a lost claim.
        """
        known = sa.select(batches.c.id, batches.c.duplicate_of)
        known = known.where(batches.c.id == batch_id, batches.c.tenant_id == access.tenant.id)

        def change(connection: sa.Connection) -> Retried | None:
            row = connection.execute(known).one_or_none()
            if row is None:
                return None
            owner = row.duplicate_of or row.id
            retried = retries.retry_failed(connection, owner, shard_size=shard_size, priority=Priority.LIVE, now=now)
            return _answered(connection, retried, answering)

        return self._database.write(change)

    def of_upload(self, upload: Upload) -> str | None:
        """The id of the batch that the upload has become, if it has."""
        query = sa.select(batches.c.id).where(batches.c.fingerprint == upload.fingerprint)
        return self._database.read(lambda connection: connection.scalar(query))


def _row(access: Access, batch_id: str, now: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {"id": batch_id, "tenant_id": access.tenant.id, "user_id": access.user_id, "door": API}
    return row | {"priority": Priority.LIVE, "received_at": now}


def _answered(connection: sa.Connection, done: T, answering: Answering[T] | None) -> T:
    if answering is not None:
        remember(connection, answering.claim, 200, answering.body(done))
    return done
