"""Attempts: opening one, ending one, and what follows for batches. Every path to a terminal status goes through here.

Lives here: functions over an open write transaction. Does not: transactions, leases (leases.py), acceptance.

An attempt ends once: by a compare-and-swap on `outcome IS NULL`, which also writes the event to be told and the
messages of the outbox. A batch closes when none of the calls it links is open; a new attempt of any of them opens it
again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import in_groups
from aila_pipeline.adapters.ledger.outbox_writing import audience_of, tell
from aila_pipeline.adapters.ledger.tables import attempts, batch_calls, batches, calls, events, shards, tenants
from aila_pipeline.domain.deliveries import Fact, Notice
from aila_pipeline.domain.ids import shard_key
from aila_pipeline.domain.models import Priority
from aila_pipeline.domain.status import CallStatus, Stage, roll_up

Error = tuple[str, str, bool]
"""Why an attempt failed: code, message, whether trying again can help."""


def end_attempt(
    connection: sa.Connection,
    call_id: str,
    n: int,
    *,
    now: datetime,
    stage: Stage,
    error: Error | None = None,
    payload: dict[str, Any] | None = None,
) -> bool:
    """End attempt `n`: completed, or failed with `error` (code, message, retryable). False if it had ended before."""
    status = CallStatus.FAILED if error else CallStatus.COMPLETED
    code, message, retryable = error or (None, None, False)
    result = {"error_code": code, "error_message": message, "retryable": retryable, "stage": stage, "ended_at": now}
    ended = connection.execute(
        sa.update(attempts)
        .where(attempts.c.call_id == call_id, attempts.c.n == n, attempts.c.outcome.is_(None))
        .values(outcome=status, **result)
        .returning(attempts.c.batch_id, attempts.c.shard_id)
    ).one_or_none()
    if ended is None:
        return False
    tenant_id = connection.scalar(
        sa.update(calls)
        .where(calls.c.id == call_id, calls.c.attempt == n)
        .values(status=status, **result)
        .returning(calls.c.tenant_id)
    )
    attempt = {"n": n, "outcome": status, "batch_id": ended.batch_id, "shard_id": ended.shard_id} | result
    connection.execute(sa.insert(events).values(**_event(call_id, attempt, payload)))
    # An open attempt is its call's newest, so the call was found.
    tell(connection, audience_of(connection, str(tenant_id)), [_fact(call_id, attempt)], now=now)
    return True


def _event(call_id: str, ended: Mapping[str, Any], payload: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The event of an attempt that has ended; `ended` has the columns of the attempt that it tells."""
    told = {"status": ended["outcome"], "error_code": ended["error_code"], "attempt": ended["n"]}
    told |= {"stage": ended["stage"], "batch_id": ended["batch_id"], "shard": ended["shard_id"], **(payload or {})}
    row = {"kind": "call", "subject_id": call_id, "n": ended["n"], "shard_id": ended["shard_id"], "payload": told}
    return row | {"created_at": ended["ended_at"]}


def _fact(call_id: str, ended: Mapping[str, Any]) -> Fact:
    """What the outbox keeps of an attempt that has ended."""
    facts = {"status": ended["outcome"], "error_code": ended["error_code"], "batch_id": ended["batch_id"]}
    return Fact(Notice.of(ended["outcome"]), call_id, ended["n"], facts)


def fail_at_once(
    connection: sa.Connection, batch_id: str, failed: Sequence[tuple[str, Error]], *, now: datetime
) -> None:
    """The first attempt of calls that intake rejected, ended as it is opened: none is left without a status.

    In groups of one error, since a column that is wrong in one row is wrong in most.
    """
    if not failed:
        return
    by_error: dict[Error, list[str]] = {}
    for call_id, error in failed:
        by_error.setdefault(error, []).append(call_id)
    tenant_id = connection.scalar(sa.select(batches.c.tenant_id).where(batches.c.id == batch_id))
    audience = audience_of(connection, str(tenant_id))
    status, stage = CallStatus.FAILED, Stage.SUBMISSION
    for (code, message, retryable), ids in by_error.items():
        result = {"error_code": code, "error_message": message, "retryable": retryable, "stage": stage, "ended_at": now}
        attempt = {"n": 1, "batch_id": batch_id, "shard_id": None, "outcome": status, "created_at": now} | result
        for group in in_groups(ids):
            connection.execute(sa.insert(attempts), [{"call_id": call_id} | attempt for call_id in group])
            connection.execute(sa.update(calls).where(calls.c.id.in_(group)).values(attempt=1, status=status, **result))
            connection.execute(sa.insert(events), [_event(call_id, attempt) for call_id in group])
            tell(connection, audience, [_fact(call_id, attempt) for call_id in group], now=now)


def open_attempts(
    connection: sa.Connection,
    batch_id: str,
    call_ids: Sequence[str],
    *,
    now: datetime,
    shard_size: int,
    priority: Priority,
) -> list[str]:
    """A new attempt for each of the calls, none of which may be open, in new shards of the batch.

    Returns the shards' keys. Every batch that links one of the calls is open again.
    """
    if not call_ids:
        return []
    keys = _new_shards(connection, batch_id, -(-len(call_ids) // shard_size), now=now, priority=priority)
    for key, group in zip(keys, in_groups(call_ids, shard_size), strict=True):
        _start(connection, batch_id, key, group, now=now)
    _open_batches(connection, call_ids)
    return keys


def start_attempts(
    connection: sa.Connection, batch_id: str, shard_id: str, call_ids: Sequence[str], *, now: datetime
) -> None:
    """The next attempt of each call, in this shard. The unique index on open attempts refuses a second open one."""
    _start(connection, batch_id, shard_id, call_ids, now=now)
    _open_batches(connection, call_ids)


def _start(connection: sa.Connection, batch_id: str, shard_id: str, call_ids: Iterable[str], *, now: datetime) -> None:
    for group in in_groups(call_ids):
        numbers = connection.execute(
            sa.update(calls)
            .where(calls.c.id.in_(group))
            .values(
                attempt=calls.c.attempt + 1,
                status=CallStatus.PENDING,
                stage=Stage.SUBMISSION,
                error_code=None,
                error_message=None,
                retryable=False,
                ended_at=None,
            )
            .returning(calls.c.id, calls.c.attempt)
        ).all()
        connection.execute(
            sa.insert(attempts),
            [
                {"call_id": row.id, "n": row.attempt, "batch_id": batch_id, "shard_id": shard_id}
                | {"stage": Stage.SUBMISSION, "created_at": now}
                for row in numbers
            ],
        )


def _open_batches(connection: sa.Connection, call_ids: Iterable[str]) -> None:
    """No batch that links one of the calls has ended any more."""
    for group in in_groups(call_ids):
        linking = sa.select(batch_calls.c.batch_id).where(batch_calls.c.call_id.in_(group))
        connection.execute(sa.update(batches).where(batches.c.id.in_(linking)).values(ended_at=None))


def _new_shards(
    connection: sa.Connection, batch_id: str, count: int, *, now: datetime, priority: Priority
) -> list[str]:
    batch = connection.execute(
        sa.update(batches)
        .where(batches.c.id == batch_id)
        .values(touched=batches.c.touched + 1)
        .returning(batches.c.tenant_id, batches.c.accepted_at)
    ).one()
    tenant = connection.execute(sa.select(tenants).where(tenants.c.id == batch.tenant_id)).one()
    last = connection.scalar(sa.select(sa.func.max(shards.c.number)).where(shards.c.batch_id == batch_id)) or 0
    rows = [
        {
            "id": shard_key(batch_id, number, country=tenant.country, firm=tenant.firm, accepted_at=batch.accepted_at),
            "batch_id": batch_id,
            "tenant_id": batch.tenant_id,
            "number": number,
            "priority": priority,
            "state": "waiting",
            "created_at": now,
        }
        for number in range(last + 1, last + count + 1)
    ]
    connection.execute(sa.insert(shards), rows)
    return [str(row["id"]) for row in rows]


def count_statuses(connection: sa.Connection, batch_id: str) -> dict[CallStatus, int]:
    """How many of the batch's calls are in each status."""
    rows = connection.execute(
        sa.select(calls.c.status, sa.func.count())
        .join(batch_calls, batch_calls.c.call_id == calls.c.id)
        .where(batch_calls.c.batch_id == batch_id)
        .group_by(calls.c.status)
    )
    return {CallStatus(status): count for status, count in rows}


def close_batches(connection: sa.Connection, batch_ids: Iterable[str], *, now: datetime) -> list[str]:
    """Close those of the batches in which no call is open any more, and note the event. Returns the closed ones."""
    closed = []
    for batch_id in sorted(set(batch_ids)):
        # Locks the row first: of two shards that end at once, the second sees what the first has committed.
        batch = connection.execute(
            sa.update(batches)
            .where(batches.c.id == batch_id, batches.c.ended_at.is_(None), batches.c.state == "accepted")
            .values(touched=batches.c.touched + 1)
            .returning(batches.c.tenant_id, batches.c.closings, batches.c.total_calls)
        ).one_or_none()
        if batch is None:
            continue
        # The end of that shard looks again. Counting 100,000 calls at the end of each of 1,000 shards is too dear.
        unfinished = sa.select(shards.c.id).where(shards.c.batch_id == batch_id, shards.c.state != "ended")
        if connection.scalar(unfinished.limit(1)) is not None:
            continue
        counts = count_statuses(connection, batch_id)
        status = roll_up(counts)
        if not status.terminal:
            continue
        closing = batch.closings + 1
        completed, failed = counts.get(CallStatus.COMPLETED, 0), counts.get(CallStatus.FAILED, 0)
        ended = {"ended_at": now, "closings": closing, "completed_calls": completed, "failed_calls": failed}
        connection.execute(sa.update(batches).where(batches.c.id == batch_id).values(**ended))
        payload = {"status": status, "closing": closing, "calls": batch.total_calls}
        payload |= {"completed": completed, "failed": failed}
        connection.execute(
            sa.insert(events).values(kind="batch", subject_id=batch_id, n=closing, payload=payload, created_at=now)
        )
        told = Fact(Notice.of(status), batch_id, closing, payload)
        tell(connection, audience_of(connection, batch.tenant_id), [told], now=now)
        closed.append(batch_id)
    return closed


def batches_linking(connection: sa.Connection, call_ids: Sequence[str]) -> set[str]:
    """The batches that link any of the calls."""
    found: set[str] = set()
    for group in in_groups(call_ids):
        found.update(
            connection.scalars(sa.select(batch_calls.c.batch_id).where(batch_calls.c.call_id.in_(group)).distinct())
        )
    return found
