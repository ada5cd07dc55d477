"""Views of calls: one call as a batch shows it.

Lives here: contract B's fields of a call in a batch. Does not: a call in full, lists of a tenant's calls, or the
ledger's transactions (views.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.tables import batch_calls, calls
from aila_pipeline.domain.models import CallDetails
from aila_pipeline.domain.status import CallStatus, Stage

LinkedCall: TypeAlias = tuple[str | None, str, str, datetime | None, str | None, str | None, bool, str]
"""external_id, id, status, ended_at, error_code, error_message, retryable, and the warnings as JSON."""


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
        shown = linked_call(
            (
                self.external_id,
                self.id,
                str(self.status),
                self.ended_at,
                self.error_code,
                self.error_message,
                self.retryable,
                json.dumps(self.warnings),
            )
        )
        return shown | ({"processed_at": iso(self.ended_at)} if "processed_at" in shown else {})


def linked_call(call: LinkedCall) -> dict[str, Any]:
    """Contract B's fields of one call in a batch, with `processed_at` as a datetime.

    A row is not made an object first, and a time no text: a status is polled every few seconds by many, a hundred
    calls each time, and who writes the JSON writes times faster than `iso`.
    """
    external_id, call_id, status, ended_at, error_code, error_message, retryable, warnings = call
    shown: dict[str, Any] = {"external_id": external_id, "status": status, "aila_call_id": call_id}
    if status in _ENDED:
        shown["processed_at"] = ended_at
    else:
        shown["progress"] = status
    if error_code:
        shown["error"] = {"code": error_code, "message": error_message, "retryable": retryable}
    # Most have none, and to parse a hundred empty lists takes longer than to read the rows.
    shown["warnings"] = [] if warnings == "[]" else json.loads(warnings)
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
    calls.c.ended_at,
    calls.c.error_code,
    calls.c.error_message,
    calls.c.retryable,
    sa.cast(calls.c.warnings, sa.Text).label("warnings"),
).join(calls, calls.c.id == batch_calls.c.call_id)
"""A call's position, then a `LinkedCall`; no more, for `details` alone are most of a call's bytes."""


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
    if moment is None:
        return None
    moment = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return moment.isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
