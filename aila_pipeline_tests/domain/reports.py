"""Builders of reported calls and batches, for the tests of the report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aila_pipeline.domain.insights import analyse
from aila_pipeline.domain.models import AudioFacts, Direction, Transcript
from aila_pipeline.domain.report import BatchReport, ReportedCall, ReportedError
from aila_pipeline.domain.scoring import choose, parse_checklists, score
from aila_pipeline.domain.status import BatchStatus, CallStatus
from aila_pipeline_tests.domain.conversations import CHECKLISTS, said

RECEIVED = datetime(2026, 1, 13, 9, 30, tzinfo=UTC)
CONVERSATION = (
    "operator 0.4-4.5: thank you for calling metro internet my name is anna how can i help you today",
    "client 5.1-9.0: hello my router is broken and i am not happy with your service",
    "operator 9.6-13.5: i am very sorry to hear that may i have your customer number please",
    "client 14.0-17.2: yes it is four two seven",
    "operator 22.0-27.5: thank you for waiting i can see your order i will send you a new router tomorrow",
    "client 27.0-29.5: great that sounds good thank you",
    "operator 30.0-33.0: thank you for calling have a nice day",
)


def a_call(position: int = 2, transcript: Transcript | None = None, **fields: Any) -> ReportedCall:
    """A completed support call with transcript, insights and score; `fields` replace what they name."""
    heard = transcript if transcript is not None else said(*CONVERSATION, seconds=35.0)
    insights = analyse(heard)
    segment = fields.get("segment_type", "support")
    checklist = choose(
        parse_checklists({p.name: p.read_text(encoding="utf-8") for p in CHECKLISTS.glob("*.yaml")}), segment
    )
    told: dict[str, Any] = {
        "call_id": f"aila_{position:012x}",
        "position": position,
        "external_id": f"CALL-{position:03}",
        "audio_name": f"call_{position:03}.wav",
        "status": CallStatus.COMPLETED,
        "segment_type": segment,
        "started_at": RECEIVED - timedelta(hours=position),
        "direction": Direction.INBOUND,
        "user_name": "Anna Miller",
        "audio": AudioFacts(
            sha256="0" * 64, size_bytes=560_000, format="wav", codec="pcm_s16le", channels=2, sample_rate_hz=8000,
            seconds=heard.seconds,
        ),
        "transcript": heard,
        "insights": insights,
        "score": score(heard, insights, checklist) if checklist else None,
    }  # fmt: skip
    return ReportedCall(**(told | fields))


def a_failed_call(position: int, code: str = "FILE_NOT_FOUND", **fields: Any) -> ReportedCall:
    """A call that failed before anything was heard."""
    error = ReportedError(
        code=code,
        message="the archive has no entry of this name; add the file and send both again",
        advice="add the file and send both again",
    )
    return ReportedCall(
        **({"call_id": f"aila_{position:012x}", "position": position, "audio_name": f"call_{position:03}.wav",
            "status": CallStatus.FAILED, "error": error} | fields)
    )  # fmt: skip


def a_report(*calls: ReportedCall, **fields: Any) -> BatchReport:
    """A batch of these calls."""
    told: dict[str, Any] = {
        "batch_id": "batch_01jd6r6b1q",
        "tenant": "kz/acme",
        "status": BatchStatus.PARTIAL,
        "received_at": RECEIVED,
        "finished_at": RECEIVED + timedelta(minutes=3, seconds=12),
        "generated_at": RECEIVED + timedelta(minutes=4),
        "source": "inbox/kz/acme/jan-13",
        "model": "small",
        "calls": calls,
    }
    return BatchReport(**(told | fields))
