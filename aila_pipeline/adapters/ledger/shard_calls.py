"""A shard's calls, as a run works on them.

Lives here: reading them with the results that a stage needs. Does not: anything that a run writes (work.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.batches import tenant_by_id
from aila_pipeline.adapters.ledger.database import in_groups
from aila_pipeline.adapters.ledger.records import StageResult, WorkCall
from aila_pipeline.adapters.ledger.tables import attempts, batch_calls, calls, stage_results
from aila_pipeline.domain.models import CallDetails
from aila_pipeline.domain.status import Stage

CALLS_OF_SHARD = (
    sa.select(
        calls.c.id,
        calls.c.tenant_id,
        calls.c.batch_id,
        calls.c.details,
        calls.c.status,
        calls.c.retryable,
        calls.c.warnings,
        attempts.c.n,
        attempts.c.outcome,
        attempts.c.error_code,
        attempts.c.crashes,
        batch_calls.c.position,
    )
    .join(attempts, (attempts.c.call_id == calls.c.id) & (attempts.c.n == calls.c.attempt))
    .join(batch_calls, (batch_calls.c.call_id == calls.c.id) & (batch_calls.c.batch_id == attempts.c.batch_id))
    .where(attempts.c.shard_id == sa.bindparam("shard"))
    .order_by(batch_calls.c.position)
)
"""Calls whose newest attempt is in the shard, in the batch's order."""


def calls_of_shard(connection: sa.Connection, shard_id: str, stages: Sequence[Stage]) -> list[WorkCall]:
    """The shard's calls with their results of these stages."""
    rows = connection.execute(CALLS_OF_SHARD, {"shard": shard_id}).all()
    found: dict[str, dict[Stage, StageResult]] = {row.id: {} for row in rows}
    for group in in_groups(found):
        query = sa.select(stage_results).where(stage_results.c.call_id.in_(group), stage_results.c.stage.in_(stages))
        for result in connection.execute(query):
            stored = StageResult(result.version, result.document, result.seconds)
            found[result.call_id][Stage(result.stage)] = stored
    tenants = {name: tenant_by_id(connection, name) for name in {row.tenant_id for row in rows}}
    return [
        WorkCall(
            id=row.id,
            n=row.n,
            open=row.outcome is None,
            status=row.status,
            batch_id=row.batch_id,
            position=row.position,
            tenant=tenants[row.tenant_id],
            details=CallDetails.model_validate(row.details) if row.details else None,
            warnings=tuple(row.warnings),
            results=found[row.id],
            error_code=row.error_code,
            crashes=row.crashes,
        )
        for row in rows
    ]
