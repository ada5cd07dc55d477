"""Views of calls: one call as a batch shows it.

Lives here: contract B's fields of a call in a batch. Does not: a call in full, lists of a tenant's calls, or the
ledger's transactions (views.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.tables import batch_calls, calls
from aila_pipeline.domain.models import CallDetails
from aila_pipeline.domain.status import CallStatus, Stage


@dataclass(frozen=True)
class CallView:
    """One call as a batch shows it."""

    id: str
    position: int
    external_id: str | None
    status: CallStatus
    stage: Stage
    attempt: int
    error_code: str | None
    error_message: str | None
    retryable: bool
    warnings: tuple[str, ...]
    details: CallDetails | None
    ended_at: datetime | None

    def document(self) -> dict[str, Any]:
        """Contract B's fields of one call in a batch."""
        return linked_call(self)


def linked_call(row: Any) -> dict[str, Any]:
    """Contract B's fields of one call in a batch, from a view or from a row of `LINKED_CALLS`.

    A row is not made a view first: a status is polled every few seconds by many, a hundred calls each time.
    """
    status = row.status
    shown: dict[str, Any] = {"external_id": row.external_id, "status": str(status), "aila_call_id": row.id}
    if status in _ENDED:
        shown["processed_at"] = iso(row.ended_at)
    else:
        shown["progress"] = str(status)
    if row.error_code:
        shown["error"] = {"code": row.error_code, "message": row.error_message, "retryable": row.retryable}
    shown["warnings"] = list(row.warnings)
    return shown


_ENDED = frozenset({str(CallStatus.COMPLETED), str(CallStatus.FAILED)})

CALLS = sa.select(calls, batch_calls.c.position, batch_calls.c.external_id.label("submitted_id")).join(
    batch_calls, batch_calls.c.call_id == calls.c.id
)

LINKED_CALLS = sa.select(
    batch_calls.c.position,
    batch_calls.c.external_id,
    calls.c.id,
    calls.c.status,
    calls.c.error_code,
    calls.c.error_message,
    calls.c.retryable,
    calls.c.warnings,
    calls.c.ended_at,
).join(calls, calls.c.id == batch_calls.c.call_id)
"""What `linked_call` needs, and no more: `details` alone are most of a call's bytes."""


def call_view(row: sa.Row[Any]) -> CallView:
    """A row of `CALLS` as others know it."""
    return CallView(
        id=row.id,
        position=row.position,
        external_id=row.submitted_id,
        status=CallStatus(row.status),
        stage=Stage(row.stage),
        attempt=row.attempt,
        error_code=row.error_code,
        error_message=row.error_message,
        retryable=row.retryable,
        warnings=tuple(row.warnings),
        details=CallDetails.model_validate(row.details) if row.details else None,
        ended_at=row.ended_at,
    )


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the second, as both contracts write times."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None
