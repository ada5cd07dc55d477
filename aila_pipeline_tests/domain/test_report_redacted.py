"""What a report shows of a call in which numbers were said."""

from __future__ import annotations

from aila_pipeline.domain.models import Role
from aila_pipeline.domain.report.redacted import redacted
from aila_pipeline.domain.scoring.phrases import Evidence
from aila_pipeline_tests.domain.conversations import said
from aila_pipeline_tests.domain.reports import a_call

DICTATED = said(
    "operator 0-3: thank you for calling metro internet may i have your card number please",
    "client 4-8: walrus walrus it is four one one one one one",
    "operator 8.2-8.5: uh-huh",
    "client 9-14: one one one one one one one one one one",
    "client 15-18: and write to osprey osprey dot walrus dot osprey at gmail dot com",
    seconds=20.0,
)


def test_transcript_and_keywords_hold_no_more_of_them() -> None:
    call = a_call(transcript=DICTATED)
    assert call.insights is not None
    assert "osprey" in str(call.insights.keywords)
    shown = redacted(call)
    assert shown.transcript is not None
    assert shown.insights is not None
    assert [turn.text for turn in shown.transcript.turns[1:]] == [
        "walrus walrus it is [card]",
        "uh-huh",
        "[card]",
        "and write to [email]",
    ]
    assert "walrus" in str(shown.insights.keywords)
    assert "osprey" not in str(shown.insights.keywords)


def test_evidence_is_shown_as_far_as_its_words_are() -> None:
    call = a_call(transcript=DICTATED)
    assert call.score is not None
    kept, gone, part = "may i have your card number", "osprey dot walrus dot osprey at gmail dot com", "one one one one"
    evidence = tuple(Evidence(start=0.0, quote=quote, role=Role.CLIENT) for quote in (kept, gone, part))
    item = call.score.items[0].model_copy(update={"evidence": evidence})
    shown = redacted(call.model_copy(update={"score": call.score.model_copy(update={"items": (item,)})}))
    assert shown.score is not None
    assert [each.quote for each in shown.score.items[0].evidence] == [kept, "[email]", "[redacted]"]


def test_a_call_without_numbers_is_shown_as_it_is() -> None:
    call = a_call()
    assert redacted(call) is call
    assert redacted(a_call(transcript=None, insights=None, score=None)).score is None
