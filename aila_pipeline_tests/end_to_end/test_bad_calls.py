"""Bad calls among good ones: each ends with its own code and a message to act on; the good ones complete.

All of them travel in one pair, as they would from a client with a bad day, so the pipeline runs once for the table.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aila_pipeline.adapters.analysis import load_transcript
from aila_pipeline.adapters.intake import rejects_key
from aila_pipeline.adapters.ledger.views import CallView
from aila_pipeline.domain.models import Role, Transcript
from aila_pipeline.domain.status import BatchStatus, CallStatus, Stage
from aila_pipeline.errors import advice_of
from aila_pipeline_tests.adapters.zips import by_hand
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end import hostile
from aila_pipeline_tests.end_to_end.hostile import Sent
from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline, zipped

pytestmark = pytest.mark.slow

RECORDINGS = Path(__file__).parent.parent / "adapters" / "recordings"


@dataclass(frozen=True)
class BadDay:
    """One pair, processed: what was sent and what became of it, by name."""

    pipeline: Pipeline
    sent: dict[str, Sent]
    calls: dict[str, CallView]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BadDay]:
    folder = tmp_path_factory.mktemp("sounds")
    speech = (RECORDINGS / "two_voices.flac").read_bytes()
    first, last = hostile.good_calls(speech)
    rows = [
        first,
        *hostile.odd_rows(speech),
        *hostile.bad_rows(speech),
        *hostile.bad_entries(speech),
        *hostile.bad_recordings(folder),
        *hostile.odd_recordings(folder, speech),
        last,
    ]
    limits = {
        "max_audio_bytes": hostile.MAX_AUDIO_BYTES,
        "max_audio_hours": hostile.MAX_AUDIO_SECONDS / 3600,
    }
    with a_pipeline(tmp_path_factory.mktemp("home"), **limits) as pipeline:
        pipeline.drop_pair(a_csv(*(sent.row for sent in rows)), by_hand([e for sent in rows for e in sent.entries]))
        pipeline.run()
        calls = dict(zip((sent.name for sent in rows), pipeline.calls(), strict=True))
        yield BadDay(pipeline, {sent.name: sent for sent in rows}, calls)


CODES = [
    "ROW_INVALID",
    "FILE_NOT_FOUND",
    "FILE_AMBIGUOUS",
    "ENTRY_NESTED",
    "ENTRY_ENCRYPTED",
    "ENTRY_UNSUPPORTED",
    "ENTRY_CORRUPT",
    "ENTRY_BOMB",
    "AUDIO_EMPTY",
    "AUDIO_INVALID",
    "AUDIO_TRUNCATED",
    "AUDIO_TOO_LONG",
    "AUDIO_TOO_LARGE",
]


@pytest.mark.parametrize("code", CODES)
def test_each_call_ends_with_the_code_of_what_is_wrong_with_it(day: BadDay, code: str) -> None:
    wanted = {name for name, sent in day.sent.items() if sent.code == code}
    assert wanted
    assert wanted == {name for name, call in day.calls.items() if call.error_code == code}
    assert all(day.calls[name].status is CallStatus.FAILED for name in wanted)


def test_every_call_that_was_sent_in_order_completes_with_its_warnings(day: BadDay) -> None:
    wanted = {name: sent.warnings for name, sent in day.sent.items() if sent.code is None}
    found = {name: call.warnings for name, call in day.calls.items() if call.status is CallStatus.COMPLETED}
    assert found == wanted
    assert day.pipeline.the_batch().status is BatchStatus.PARTIAL


def test_each_failure_tells_a_person_what_to_do_in_one_line(day: BadDay) -> None:
    """What happened, and the advice of its code, or (for a row) each field with its rule; never a value of it."""
    for name, call in day.calls.items():
        if call.error_code is None:
            continue
        message = call.error_message or ""
        assert "\n" not in message, name
        assert 20 < len(message) < 300, name
        if call.error_code == "ROW_INVALID":
            field = next(iter(day.sent[name].cells))
            assert message.count(field) == 1, message
        else:
            assert message.endswith(advice_of(call.error_code)), message
        assert f"{name}." not in message, "an audio file's name may hold a caller's number"


def test_one_terminal_event_is_told_for_each_attempt_and_nothing_differs(day: BadDay) -> None:
    told = Counter(str(event.partition) for event in day.pipeline.events("call"))
    assert told == Counter(call.id for call in day.calls.values())
    assert len(day.pipeline.events("batch")) == 1
    assert day.pipeline.differences() == []


@pytest.mark.parametrize(("name", "roles"), [("mono", {Role.UNKNOWN}), ("dual-mono", {Role.UNKNOWN})])
def test_who_spoke_is_unknown_where_channels_cannot_tell(day: BadDay, name: str, roles: set[Role]) -> None:
    """The text is there all the same."""
    assert {turn.role for turn in transcript_of(day, name).turns} == roles


@pytest.mark.parametrize("name", ["both-silent", "tone"])
def test_without_speech_the_transcript_is_empty(day: BadDay, name: str) -> None:
    assert transcript_of(day, name).turns == ()


def transcript_of(day: BadDay, name: str) -> Transcript:
    call = day.calls[name]
    found = day.pipeline.ledger.views.results([call.id], Stage.TRANSCRIPTS)[call.id][Stage.TRANSCRIPTS]
    return load_transcript(day.pipeline.store, found, call.details)


def test_the_rejected_rows_lie_ready_with_their_reasons(day: BadDay) -> None:
    text = day.pipeline.store.read(rejects_key(day.pipeline.the_batch().id)).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    at_intake = [name for name, call in day.calls.items() if call.error_code and call.stage is Stage.SUBMISSION]
    assert [row["audio_file_name"] for row in rows] == [day.sent[name].row["audio_file_name"] for name in at_intake]
    assert all(row["reason"] for row in rows)


def test_rejected_rows_that_were_mended_complete_as_the_same_calls(pipeline: Pipeline, speech: bytes) -> None:
    """`rejects.csv` itself, its bad cells mended, is the CSV of the next pair."""
    bad = a_csv(a_row("good.flac", partner_call_id="a"), a_row("mended.flac", partner_call_id="b", direction="none"))
    archive = zipped({"good.flac": speech, "mended.flac": speech})
    pipeline.drop_pair(bad, archive)
    pipeline.run()
    (first,) = pipeline.batches()
    rejects = pipeline.store.read(rejects_key(first.id))
    assert [call.status for call in pipeline.calls(first)] == [CallStatus.COMPLETED, CallStatus.FAILED]
    pipeline.drop_pair(rejects.replace(b"none", b"inbound"), archive, place="inbox/kz/acme/mended")
    pipeline.run()
    second, first = pipeline.batches()
    assert [call.status for call in pipeline.calls(second)] == [CallStatus.COMPLETED]
    assert [call.status for call in pipeline.calls(first)] == [CallStatus.COMPLETED] * 2
    assert pipeline.calls(second)[0].id == pipeline.calls(first)[1].id
    assert first.status is second.status is BatchStatus.COMPLETED
    assert pipeline.differences() == []
