"""Small builders for tests that need something in a ledger.

    tenant = a_tenant(ledger)
    accepted = an_accepted_batch(ledger, a_call(0, "c-0"), a_call(1, problem="ROW_INVALID"), tenant=tenant)
    run(ledger, accepted.shards[0], failing={"c-0": AudioInvalid()})

Lives here: arranging. Does not: asserting (invariants.py), databases (conftest.py).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.leases import Leases
from aila_pipeline.adapters.ledger.records import Accepted, Batch, Tenant, WorkCall
from aila_pipeline.adapters.ledger.tables import calls
from aila_pipeline.adapters.ledger.tenants import DROP_ZONE
from aila_pipeline.adapters.ledger.work import Work
from aila_pipeline.domain.intake.identity import source_fingerprint
from aila_pipeline.domain.models import CallDetails, Priority, Problem, Role, Submission, SubmittedCall, UrlSource
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.versions import Version
from aila_pipeline.errors import CallError

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SOURCES = ({"key": "inbox/kz/acme/jan/calls.json", "size_bytes": 10, "etag": "e"},)


def a_tenant(ledger: Ledger, firm: str = "acme", country: str = "kz") -> Tenant:
    """The firm, made where missing."""
    return ledger.tenants.ensure(country, firm)


def a_call(
    position: int = 0,
    external_id: str | None = None,
    *,
    url: str | None = None,
    started_at: datetime = NOW,
    problem: str | None = None,
    **said: Any,
) -> SubmittedCall:
    """One item of a submission with what else is `said` of it; rejected with the code `problem` if that is given."""
    if problem:
        told = Problem(position=position, field="start_time", code=problem, message="is no time")
        return SubmittedCall(position=position, external_id=external_id, problems=(told,))
    details = CallDetails(
        source=UrlSource(url=url or f"s3://calls/{external_id or position}.wav"),
        external_id=external_id,
        started_at=started_at,
        left_channel=Role.CLIENT,
        right_channel=Role.OPERATOR,
        **said,
    )
    return SubmittedCall(position=position, external_id=external_id, details=details)


def a_submission(*submitted: SubmittedCall, digest: str | None = None) -> Submission:
    """A manifest with these calls; unlike any other, unless a `digest` is given."""
    return Submission(kind="manifest", digest=hexdigest(digest or secrets.token_hex(8)), calls=submitted)


def hexdigest(text: str) -> str:
    """Any text as a SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()


def received(
    ledger: Ledger,
    *,
    tenant: Tenant | None = None,
    fingerprint: str | None = None,
    name: str = "calls.json",
    priority: Priority = Priority.LIVE,
    now: datetime = NOW,
) -> Batch:
    """A batch that has arrived; unlike any other, unless a `fingerprint` is given."""
    tenant = tenant or a_tenant(ledger)
    return ledger.batches.receive(
        tenant,
        ledger.tenants.ensure_user(tenant, DROP_ZONE),
        kind="manifest",
        name=name,
        fingerprint=hexdigest(fingerprint or secrets.token_hex(8)),
        sources=SOURCES,
        priority=priority,
        now=now,
    )


def accept(
    ledger: Ledger, batch: Batch, submission: Submission, *, shard_size: int = 100, now: datetime = NOW
) -> Accepted:
    """Accept the submission as the batch's content."""
    fingerprints = {
        call.position: source_fingerprint(call.details, None) for call in submission.calls if call.details is not None
    }
    return ledger.batches.accept(
        batch, submission, sources=SOURCES, fingerprints=fingerprints, shard_size=shard_size, now=now
    )


def an_accepted_batch(
    ledger: Ledger,
    *submitted: SubmittedCall,
    tenant: Tenant | None = None,
    shard_size: int = 100,
    priority: Priority = Priority.LIVE,
    now: datetime = NOW,
) -> Accepted:
    """A batch with these calls (one call, if none is given), received and accepted at `now`."""
    batch = received(ledger, tenant=tenant, priority=priority, now=now)
    return accept(ledger, batch, a_submission(*(submitted or (a_call(),))), shard_size=shard_size, now=now)


def a_worker(ledger: Ledger, shard: str, *, token: str = "worker-1", run_id: str = "run-1") -> Work:
    """A worker that holds the shard's lease until NOW + 30 s, without a heartbeat, and never says goodbye."""
    lease = Leases(ledger.database).claim(shard, token=token, run_id=run_id, seconds=30, now=NOW)
    return Work(ledger.database, lease, run_id)


@contextmanager
def holding(
    ledger: Ledger,
    shard: str,
    *,
    token: str = "worker-1",
    run_id: str = "run-1",
    lease_seconds: float = 30.0,
    stall_seconds: float = 1800.0,
) -> Iterator[Work]:
    """The shard, claimed by the worker `token`."""
    claimed = ledger.claimed(
        shard, run_id=run_id, lease_seconds=lease_seconds, stall_seconds=stall_seconds, token=token
    )
    with claimed as work:
        yield work


def a_version(stage: Stage, made_by: str = "v1") -> Version:
    """What a result of this stage would be decided by."""
    return Version(stage, made_by, ())


def run(
    ledger: Ledger,
    shard: str,
    *,
    failing: Mapping[str, CallError] | None = None,
    token: str = "worker-1",
    run_id: str = "run-1",
) -> list[str]:
    """Work the shard off in one step; calls whose external id is in `failing` fail. Returns the closed batches."""
    names = {row.id: row.external_id for row in rows(ledger, calls)}
    with holding(ledger, shard, token=token, run_id=run_id) as work:
        work.enter(Stage.CALL_AUDIO)
        done: list[tuple[WorkCall, dict[str, Any]]] = []
        for call in work.calls():
            error = (failing or {}).get(names[call.id] or "")
            if call.open and error is not None:
                work.fail(call, Stage.CALL_AUDIO, error)
            elif call.open:
                work.save(call, a_version(Stage.CALL_AUDIO), {"sha256": "00"}, seconds=0.1)
                done.append((call, {"seconds": 1.0}))
        return work.end(done)


def rows(ledger: Ledger, table: sa.Table, *where: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
    """What a table of the ledger holds."""
    query = sa.select(table).where(*where).order_by(*table.primary_key.columns)
    return list(ledger.database.read(lambda connection: connection.execute(query).all()))
