"""One call with all that the ledger knows about it, read in one transaction.

Lives here: the call, its batches, its attempts, what the stages found. Does not: lists (call_pages.py), how it is
shown (adapters/call_document.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.model_requests import Usage, usage_of_call
from aila_pipeline.adapters.ledger.records import StageResult
from aila_pipeline.adapters.ledger.tables import attempts, batch_calls, calls, stage_results
from aila_pipeline.domain.models import CallDetails
from aila_pipeline.domain.status import CallStatus, Stage


@dataclass(frozen=True)
class Attempt:
    """One try at a call; `outcome` is None while it is open."""

    n: int
    batch_id: str
    outcome: CallStatus | None
    stage: Stage
    error_code: str | None
    error_message: str | None
    retryable: bool
    run_id: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class WholeCall:
    """One call. `batch_id` is the batch that brought its data, `batch_ids` are all that link it, oldest first.

    `details` is None where its row or item was rejected. `user_id` and `contact_id` are whom it was matched with.
    `attempts` are in their order. `usage` is what a language model was asked about it, and what that cost.
    """

    id: str
    external_id: str | None
    batch_id: str
    batch_ids: tuple[str, ...]
    status: CallStatus
    error_code: str | None
    error_message: str | None
    retryable: bool
    warnings: tuple[str, ...]
    details: CallDetails | None
    user_id: str | None
    contact_id: str | None
    attempts: tuple[Attempt, ...]
    results: dict[Stage, StageResult]
    usage: Usage
    created_at: datetime
    ended_at: datetime | None


class WholeCalls:
    """Reading one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, tenant_id: str, call_id: str) -> WholeCall | None:
        """The tenant's call; None when it has no call of this id."""
        mine = sa.select(calls).where(calls.c.id == call_id, calls.c.tenant_id == tenant_id)
        links = sa.select(batch_calls.c.batch_id).where(batch_calls.c.call_id == call_id)
        tries = sa.select(attempts).where(attempts.c.call_id == call_id).order_by(attempts.c.n)
        found = sa.select(stage_results).where(stage_results.c.call_id == call_id)

        def question(connection: sa.Connection) -> WholeCall | None:
            row = connection.execute(mine).one_or_none()
            if row is None:
                return None
            return WholeCall(
                id=row.id,
                external_id=row.external_id,
                batch_id=row.batch_id,
                batch_ids=tuple(sorted(connection.scalars(links))),
                status=CallStatus(row.status),
                error_code=row.error_code,
                error_message=row.error_message,
                retryable=row.retryable,
                warnings=tuple(row.warnings),
                details=CallDetails.model_validate(row.details) if row.details else None,
                user_id=row.user_id,
                contact_id=row.contact_id,
                attempts=tuple(_attempt(each) for each in connection.execute(tries)),
                results={
                    Stage(each.stage): StageResult(each.version, each.document, each.seconds)
                    for each in connection.execute(found)
                },
                usage=usage_of_call(connection, call_id),
                created_at=row.created_at,
                ended_at=row.ended_at,
            )

        return self._database.read(question)


def _attempt(row: sa.Row[Any]) -> Attempt:
    return Attempt(
        n=row.n,
        batch_id=row.batch_id,
        outcome=CallStatus(row.outcome) if row.outcome else None,
        stage=Stage(row.stage),
        error_code=row.error_code,
        error_message=row.error_message,
        retryable=row.retryable,
        run_id=row.run_id,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
