"""A call as a document: in full with what was found in it, and as one row of a list.

Lives here: which fields a client is shown, and loading what the stages found, for the report as well. Does not: HTTP
(api/calls.py), reading the ledger (adapters/ledger/whole_calls.py).

What is not there yet is null. An audio URL is shown without its query: a signature opens the recording.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aila_pipeline.adapters.analysis import load_transcript
from aila_pipeline.adapters.ledger.call_pages import ListedCall
from aila_pipeline.adapters.ledger.call_views import iso
from aila_pipeline.adapters.ledger.model_requests import Usage
from aila_pipeline.adapters.ledger.records import StageResult
from aila_pipeline.adapters.ledger.whole_calls import Attempt, WholeCall
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.domain.insights import Insights
from aila_pipeline.domain.models import ArchiveSource, AudioFacts, CallDetails, Transcript
from aila_pipeline.domain.scoring import Score
from aila_pipeline.domain.status import CallStatus, Stage
from aila_pipeline.domain.summary import Summary
from aila_pipeline.errors import ObjectMissing

STAGES = (Stage.CALL_AUDIO, Stage.TRANSCRIPTS, Stage.INSIGHTS, Stage.SCORES, Stage.SUMMARIES)
"""The stages that find something about a call."""


@dataclass(frozen=True)
class Findings:
    """What the stages found about a call, as far as they have come."""

    audio: AudioFacts | None
    transcript: Transcript | None
    insights: Insights | None
    summary: Summary | None
    score: Score | None
    """None as well where no checklist fits the call."""


def load_findings(store: ObjectStore, details: CallDetails | None, results: Mapping[Stage, StageResult]) -> Findings:
    """The findings behind the results. A transcript whose object is gone is None; `aila verify` tells of it."""
    audio, heard, insights, score, summary = (results.get(stage) for stage in STAGES)
    try:
        transcript = load_transcript(store, heard, details) if heard else None
    except ObjectMissing:
        transcript = None
    return Findings(
        audio=AudioFacts.model_validate(audio.document) if audio else None,
        transcript=transcript,
        insights=Insights.model_validate(insights.document) if insights else None,
        summary=Summary.model_validate(summary.document) if summary else None,
        score=Score.model_validate(score.document) if score and score.document["checklist"] else None,
    )


def whole_document(call: WholeCall, findings: Findings, *, dagster_url: str) -> dict[str, Any]:
    """The call in full. `dagster_url` is where people open Dagster's pages."""
    details, newest = call.details, call.attempts[-1] if call.attempts else None
    run_id = newest.run_id if newest else None
    return {
        "id": call.id,
        "external_id": call.external_id,
        "partner_call_id": details.partner_call_id if details else None,
        "batch_id": call.batch_id,
        "batch_ids": list(call.batch_ids),
        "audio_file_name": _file_name(details),
        "audio_url": _url(details),
        "status": str(call.status),
        "progress": _progress(call.status),
        "error": _error(call),
        "warnings": list(call.warnings),
        "user": {
            "id": call.user_id,
            "name": details.user_name if details else None,
            "email": details.user_email if details else None,
            "group": details.user_group if details else None,
        },
        "contact": {
            "id": call.contact_id,
            "name": details.contact_name if details else None,
            "phone": details.contact_phone if details else None,
            "email": details.contact_email if details else None,
        },
        "call_date": iso(details.started_at) if details else None,
        "direction": str(details.direction) if details and details.direction else None,
        "segment_type": details.segment_type if details else None,
        "disconnect_reason": details.disconnect_reason if details else None,
        "metadata": details.metadata if details else {},
        "audio": _audio(findings.audio),
        "transcript": _transcript(findings.transcript),
        "insights": _insights(findings, call.usage),
        "score": findings.score.model_dump(mode="json", exclude={"digest"}) if findings.score else None,
        "created_at": iso(call.created_at),
        "started_at": iso(newest.started_at) if newest else None,
        "processed_at": iso(call.ended_at),
        "attempt": newest.n if newest else 0,
        "attempts": [_attempt(each) for each in call.attempts],
        "dagster_run_id": run_id,
        "dagster_run_url": f"{without_user(dagster_url).rstrip('/')}/runs/{run_id}" if run_id else None,
    }


def listed_document(call: ListedCall) -> dict[str, Any]:
    """The call as one row of a list."""
    return {
        "id": call.id,
        "external_id": call.external_id,
        "batch_id": call.batch_id,
        "audio_file_name": call.audio_file_name,
        "audio_url": without_query(call.audio_url),
        "status": str(call.status),
        "progress": _progress(call.status),
        "error": _error(call),
        "warnings": list(call.warnings),
        "attempt": call.attempt,
        "created_at": iso(call.created_at),
        "ended_at": iso(call.ended_at),
    }


def without_query(url: str | None) -> str | None:
    """The URL up to its query; the key of an `s3://` URL is literal and has none.

    >>> without_query("https://example.org/a.mp3?X-Amz-Signature=0123#t=5")
    'https://example.org/a.mp3'
    """
    if url is None or url.lower().startswith("s3://"):
        return url
    return url.partition("?")[0].partition("#")[0]


def without_user(url: str) -> str:
    """The URL without a user and password.

    >>> without_user("https://ops:secret@dagster.example/ui")
    'https://dagster.example/ui'
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _file_name(details: CallDetails | None) -> str | None:
    return details.source.name if details and isinstance(details.source, ArchiveSource) else None


def _url(details: CallDetails | None) -> str | None:
    return without_query(details.source.url) if details and not isinstance(details.source, ArchiveSource) else None


def _progress(status: CallStatus) -> str | None:
    """Contracts, gap 14: the stage again, while the call is not terminal."""
    return None if status.terminal else str(status)


def _error(told: WholeCall | ListedCall | Attempt) -> dict[str, Any] | None:
    if told.error_code is None:
        return None
    return {"code": told.error_code, "message": told.error_message or "", "retryable": told.retryable}


def _audio(facts: AudioFacts | None) -> dict[str, Any] | None:
    return facts.model_dump(mode="json", include={"sha256", "seconds", "channels", "format"}) if facts else None


def _transcript(said: Transcript | None) -> dict[str, Any] | None:
    return said.model_dump(mode="json", include={"language", "model", "turns"}) if said else None


def _insights(found: Findings, usage: Usage) -> dict[str, Any] | None:
    """The figures, and beside them what a language model made of the conversation, if one is configured."""
    if found.insights is None:
        return None
    conversation: dict[str, Any] | None = None
    if found.summary is not None:
        conversation = {"language_model": None}
        if found.summary.language_model is not None:
            conversation = found.summary.model_dump(mode="json") | {"usage": usage.document()}
    return found.insights.model_dump(mode="json") | {"conversation": conversation}


def _attempt(each: Attempt) -> dict[str, Any]:
    return {
        "n": each.n,
        "batch_id": each.batch_id,
        "outcome": str(each.outcome) if each.outcome else None,
        "stage": str(each.stage),
        "error": _error(each),
        "created_at": iso(each.created_at),
        "started_at": iso(each.started_at),
        "ended_at": iso(each.ended_at),
        "dagster_run_id": each.run_id,
    }
