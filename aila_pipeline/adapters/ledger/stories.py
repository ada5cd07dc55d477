"""Stories: all that the ledger knows about one call, in time order.

Lives here: the steps in words. Does not: what Dagster and the store know (cli/story.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.batch_views import waits_for
from aila_pipeline.adapters.ledger.tables import attempts, batch_calls, batches, shards, stage_results


@dataclass(frozen=True)
class Step:
    """One line of a call's story."""

    at: datetime
    what: str
    run_id: str | None = None


def story(connection: sa.Connection, call_id: str) -> list[Step]:
    """The call's steps; empty when there is no such call."""
    steps = []
    links = sa.select(batches).join(batch_calls, batch_calls.c.batch_id == batches.c.id)
    for row in connection.execute(links.where(batch_calls.c.call_id == call_id)):
        steps.append(Step(row.received_at, f"batch {row.id} received ({row.kind} {row.name})"))
        if row.accepted_at:
            steps.append(Step(row.accepted_at, f"batch {row.id} {row.state}"))
        if row.ended_at:
            steps.append(Step(row.ended_at, f"batch {row.id} ended"))
    for row in connection.execute(sa.select(attempts).where(attempts.c.call_id == call_id)):
        steps += _attempt_steps(connection, row)
    for row in connection.execute(sa.select(stage_results).where(stage_results.c.call_id == call_id)):
        told = f"{row.stage} done in {row.seconds:.2f} s (version {row.version[:12]})"
        steps.append(Step(row.created_at, told, row.run_id))
    return sorted(steps, key=lambda step: step.at)


def _attempt_steps(connection: sa.Connection, row: sa.Row[Any]) -> list[Step]:
    steps = [Step(row.created_at, f"attempt {row.n} opened" + (f" in shard {row.shard_id}" if row.shard_id else ""))]
    if row.started_at:
        steps.append(Step(row.started_at, f"attempt {row.n} started", row.run_id))
    if row.crashes:
        steps.append(Step(row.started_at or row.created_at, f"attempt {row.n}: {row.crashes} workers died on it"))
    if row.ended_at:
        told = f"attempt {row.n} {row.outcome}" + (f": {row.error_code}, {row.error_message}" if row.error_code else "")
        steps.append(Step(row.ended_at, told, row.run_id))
    elif row.shard_id:
        shard = connection.execute(sa.select(shards).where(shards.c.id == row.shard_id)).one()
        steps.append(Step(datetime.now(UTC), f"attempt {row.n} {waits_for(shard)}", shard.run_id))
    return steps
