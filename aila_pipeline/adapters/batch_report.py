"""The report of a batch: gathered from ledger and store, rendered, kept beside the batch's files.

Lives here: gathering and writing. Does not: the page (domain/report).
"""

from __future__ import annotations

from datetime import UTC, datetime

from aila_pipeline import errors
from aila_pipeline.adapters.call_document import STAGES, load_findings, without_query
from aila_pipeline.adapters.call_objects import OWN
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import StageResult
from aila_pipeline.adapters.ledger.views import CallView
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.domain.models import ArchiveSource
from aila_pipeline.domain.report import BatchReport, ReportedCall, ReportedError, render
from aila_pipeline.domain.report.redacted import redacted
from aila_pipeline.domain.status import Stage
from aila_pipeline.errors import ObjectMissing


def report_key(batch_id: str) -> str:
    """Where the report lies."""
    return f"{OWN}batches/{batch_id}/report.html"


def report_url(store: ObjectStore, batch_id: str) -> str:
    """The report's place as a URL (file:// or s3://)."""
    return f"{store.url.rstrip('/')}/{report_key(batch_id)}"


def write_report(ledger: Ledger, store: ObjectStore, batch_id: str) -> str:
    """Write the report of a batch as it stands now; returns its URL."""
    page = render(gather(ledger, store, batch_id))
    store.write(report_key(batch_id), page.encode(), content_type="text/html; charset=utf-8")
    return report_url(store, batch_id)


def gather(ledger: Ledger, store: ObjectStore, batch_id: str) -> BatchReport:
    """All that the report shows. Raises ObjectMissing when there is no such batch."""
    batch = ledger.views.batch(batch_id)
    if batch is None:
        raise ObjectMissing(f"the ledger knows no batch {batch_id}")
    views = ledger.views.calls_of(batch.id)
    results = ledger.views.results([view.id for view in views], *STAGES)
    calls = tuple(_reported(view, results[view.id], store) for view in views)
    models = {call.transcript.model for call in calls if call.transcript is not None}
    refused = (f"{batch.problem['code']}: {batch.problem['message']}",) if batch.problem else ()
    return BatchReport(
        batch_id=batch.id,
        tenant=f"{batch.country}/{batch.firm}",
        status=batch.status,
        received_at=batch.received_at,
        finished_at=batch.ended_at,
        generated_at=datetime.now(UTC),
        source=f"{batch.kind} {batch.name}",
        model=", ".join(sorted(models)) or None,
        warnings=refused + batch.warnings,
        calls=calls,
    )


def _reported(view: CallView, results: dict[Stage, StageResult], store: ObjectStore) -> ReportedCall:
    details = view.details
    name = None
    if details is not None:
        name = details.source.name if isinstance(details.source, ArchiveSource) else without_query(details.source.url)
    found = load_findings(store, details, results)
    call = ReportedCall(
        call_id=view.id,
        position=view.position,
        external_id=view.external_id,
        audio_name=name,
        status=view.status,
        attempt=view.attempt,
        error=_error(view),
        warnings=view.warnings,
        segment_type=details.segment_type if details else None,
        started_at=details.started_at if details else None,
        direction=details.direction if details else None,
        user_name=(details.user_name or details.user_email) if details else None,
        audio=found.audio,
        transcript=found.transcript,
        insights=found.insights,
        summary=found.summary,
        score=found.score,
    )
    return redacted(call)


def _error(view: CallView) -> ReportedError | None:
    if view.error_code is None:
        return None
    advice = errors.advice_of(view.error_code)
    return ReportedError(
        code=view.error_code, message=view.error_message or "", advice=advice, retryable=view.retryable
    )
