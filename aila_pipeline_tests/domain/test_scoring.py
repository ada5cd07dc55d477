"""Verdicts worked out by hand, and what holds for any call and checklist."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.insights import analyse
from aila_pipeline.domain.models import Recognition, Role, Transcript
from aila_pipeline.domain.scoring import (
    Checklist,
    ItemScore,
    Score,
    Verdict,
    choose,
    parse_checklist,
    parse_checklists,
    score,
)
from aila_pipeline.domain.transcript import merge_turns
from aila_pipeline_tests.domain.conversations import CHECKLISTS, VOCABULARY, recognitions, said

CALL = said(
    "operator 0-4: good morning this is anna how can i help you",
    "client 5-7: my phone is brocken",
    "operator 8-12: i am sorry we can send you a new phone",
    "client 13-14: that is too expensive",
    "operator 40-44: thank you for calling good bye",
    seconds=45,
)


def an_item(kind: str = "phrase", **fields: Any) -> dict[str, Any]:
    return {"id": "item", "title": "An item", "kind": kind} | fields


def a_checklist(*items: dict[str, Any], **fields: Any) -> Checklist:
    named = [item | {"id": f"item-{n}"} for n, item in enumerate(items)]
    return Checklist.model_validate(
        {"id": "test", "version": "1", "title": "Test", "segments": ["sales"], "items": named} | fields
    )


def scored(transcript: Transcript, *items: dict[str, Any]) -> Score:
    return score(transcript, analyse(transcript), a_checklist(*items))


def the_item(transcript: Transcript, kind: str = "phrase", **fields: Any) -> ItemScore:
    return scored(transcript, an_item(kind, **fields)).items[0]


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"any_of": ["good morning"]}, "pass"),
        ({"any_of": ["good evening", "how can I help"]}, "pass"),
        ({"any_of": ["goodbye"]}, "pass"),
        ({"any_of": ["good evening"]}, "fail"),
        ({"any_of": ["broken"], "role": "client"}, "pass"),
        ({"any_of": ["broken"], "role": "client", "similarity": 99}, "fail"),
        ({"any_of": ["broken"]}, "fail"),
        ({"any_of": ["broken"], "role": "any"}, "pass"),
        ({"any_of": ["thank you"], "within_first_seconds": 20}, "fail"),
        ({"any_of": ["thank you"], "within_last_seconds": 5}, "pass"),
        ({"any_of": ["good morning"], "within_last_seconds": 5}, "fail"),
        ({"any_of": ["help you my phone"], "role": "any"}, "fail"),
        ({"any_of": ["hello"], "role": "unknown"}, "not_applicable"),
        ({"any_of": ["sorry"], "when": {"min_call_seconds": 45}}, "pass"),
        ({"any_of": ["sorry"], "when": {"min_call_seconds": 46}}, "not_applicable"),
        ({"any_of": ["discount"], "when": {"said": {"any_of": ["too expensive"]}}}, "fail"),
        ({"any_of": ["discount"], "when": {"said": {"any_of": ["too late"]}}}, "not_applicable"),
    ],
)
def test_a_phrase_passes_when_it_is_heard_in_its_place(fields: dict[str, Any], verdict: str) -> None:
    assert the_item(CALL, **fields).verdict == verdict


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"any_of": ["calm down"]}, "pass"),
        ({"any_of": ["a new phone"]}, "fail"),
        ({"any_of": ["too expensive"]}, "pass"),
        ({"any_of": ["calm down"], "role": "unknown"}, "not_applicable"),
    ],
)
def test_a_forbidden_phrase_passes_when_it_is_not_heard(fields: dict[str, Any], verdict: str) -> None:
    assert the_item(CALL, "forbidden_phrase", **fields).verdict == verdict


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"metric": "turns.operator", "min": 3, "max": 3}, "pass"),
        ({"metric": "turns.operator", "min": 4}, "fail"),
        ({"metric": "silence.longest_seconds", "max": 26}, "pass"),
        ({"metric": "silence.longest_seconds", "max": 25.9}, "fail"),
        ({"metric": "first_response_delay_seconds", "max": 1}, "pass"),
        ({"metric": "turns.unknown", "max": 3}, "not_applicable"),
        ({"metric": "words_per_minute.client", "max": 500}, "pass"),
    ],
)
def test_a_metric_passes_between_its_bounds(fields: dict[str, Any], verdict: str) -> None:
    assert the_item(CALL, "metric", **fields).verdict == verdict


def test_a_figure_that_could_not_be_measured_is_not_applicable() -> None:
    short = said("operator 0-1: hello", "client 2-3: hello")
    assert the_item(short, "metric", metric="first_response_delay_seconds", max=3).verdict == "not_applicable"


def test_what_is_forbidden_is_not_seen_in_its_opposite() -> None:
    told = the_item(said("operator 0-2: yes i can help you"), "forbidden_phrase", any_of=["i cannot help you"])
    assert told.verdict == "pass"


def test_evidence_tells_where_it_was_said_and_quotes_what_was_heard() -> None:
    (evidence,) = the_item(CALL, any_of=["broken"], role="client").evidence
    assert (evidence.start, evidence.quote, evidence.role) == (6.5, "brocken", Role.CLIENT)


def test_every_forbidden_phrase_that_was_heard_is_evidence_in_time_order() -> None:
    found = the_item(CALL, "forbidden_phrase", any_of=["new phone", "good morning"]).evidence
    assert [place.quote for place in found] == ["good morning", "new phone"]


def test_the_total_weighs_passed_against_applicable_items() -> None:
    """Passed 2 of 2 + 1, the third item does not apply: 66.7."""
    told = scored(
        CALL,
        an_item(any_of=["good morning"], weight=2),
        an_item(any_of=["good evening"], weight=1),
        an_item(any_of=["hello"], role="unknown", weight=50),
    )
    assert told.total == 66.7


def test_totals_round_half_up() -> None:
    """1 of 16 is 6.25 percent: 6.3, where rounding to even would say 6.2."""
    assert scored(CALL, an_item(any_of=["sorry"]), an_item(any_of=["evening"], weight=15)).total == 6.3


def test_an_empty_call_has_no_total() -> None:
    silent = Transcript(language=None, model="test", seconds=5, turns=())
    assert scored(silent, an_item(any_of=["hello"]), an_item("metric", metric="sentiment.client", min=0)).total is None


items = st.one_of(
    st.builds(
        lambda kind, phrases, role, weight, similarity: an_item(
            kind, any_of=phrases, role=role, weight=weight, similarity=similarity
        ),
        st.sampled_from(["phrase", "forbidden_phrase"]),
        st.lists(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=3).map(" ".join), min_size=1, max_size=3),
        st.sampled_from(["operator", "client", "unknown", "any"]),
        st.integers(1, 9),
        st.integers(50, 100),
    ),
    st.builds(
        lambda metric, low, weight: an_item("metric", metric=metric, min=low, weight=weight),
        st.sampled_from(["talk_share.operator", "silence.longest_seconds", "turns.client", "sentiment.client"]),
        st.floats(0, 5),
        st.integers(1, 9),
    ),
)


@given(recognitions, st.lists(items, min_size=1, max_size=8))
def test_totals_lie_between_0_and_100_and_say_what_the_verdicts_say(
    recognition: Recognition, checklist: list[dict[str, Any]]
) -> None:
    transcript = merge_turns(recognition, Role.CLIENT, Role.OPERATOR)
    told = scored(transcript, *checklist)
    verdicts = {item.verdict for item in told.items} - {Verdict.NOT_APPLICABLE}
    assert (told.total is None) == (not verdicts)
    if told.total is not None:
        assert 0 <= told.total <= 100
        assert (verdicts == {Verdict.PASS}) == (told.total == 100)
        assert (verdicts == {Verdict.FAIL}) == (told.total == 0)


@given(recognitions, st.lists(items, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_neither_the_order_of_items_nor_what_does_not_apply_changes_the_total(
    recognition: Recognition, checklist: list[dict[str, Any]], random: Any
) -> None:
    transcript = merge_turns(recognition, Role.CLIENT, Role.OPERATOR)
    shuffled = random.sample(checklist, len(checklist))
    idle = an_item(any_of=["hello"], role="any", weight=99, when={"min_call_seconds": 1e6})
    assert scored(transcript, *checklist).total == scored(transcript, idle, *shuffled).total


@given(recognitions, st.lists(items, min_size=1, max_size=4))
def test_quotes_are_in_the_transcript_where_they_say(recognition: Recognition, checklist: list[dict[str, Any]]) -> None:
    transcript = merge_turns(recognition, Role.CLIENT, Role.OPERATOR)
    for item in scored(transcript, *checklist).items:
        for place in item.evidence:
            assert any(
                place.quote in turn.text and turn.role is place.role and turn.start <= place.start <= turn.end
                for turn in transcript.turns
            )


def test_a_segment_gets_the_checklist_that_names_it_or_else_the_one_for_all() -> None:
    sales = a_checklist(an_item(any_of=["a"]), id="sales", segments=["sales", "Upsell"])
    rest = a_checklist(an_item(any_of=["a"]), id="rest", segments=["*"])
    assert choose([rest, sales], " SALES ") is sales
    assert choose([rest, sales], "upsell") is sales
    assert choose([rest, sales], "support") is rest
    assert choose([rest, sales], None) is rest
    assert choose([sales], "support") is None
    assert choose([rest], "*") is rest


def test_the_digest_follows_what_is_asked_and_not_how_it_is_written() -> None:
    text = (CHECKLISTS / "sales.yaml").read_text(encoding="utf-8")
    plain, commented = parse_checklist(text, "a"), parse_checklist(f"# note\n\n{text}", "b")
    heavier = parse_checklist(text.replace("weight: 2", "weight: 5", 1), "c")
    assert plain.digest == commented.digest != heavier.digest


def test_the_samples_tell_a_good_call_from_a_bad_one() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in CHECKLISTS.glob("*.yaml")}
    support = choose(parse_checklists(texts), "support")
    assert support is not None
    good = said(
        "operator 0-4: good morning metro internet anna speaking how can i help you",
        "client 5-8: my router is broken and i am unhappy",
        "operator 8.5-14: i am sorry to hear that may i have your customer number please",
        "client 15-17: yes it is one two three",
        "operator 18-24: thank you let me check that i will send you a new router tomorrow",
        "operator 25-27: is there anything else i can help you with",
        "client 28-29: no thank you",
        "operator 30-32: thank you for calling have a nice day",
    )
    bad = said(
        "client 0-4: hello my router is broken and i am unhappy",
        "operator 24-26: that is not my problem",
        "client 27-31: this is not acceptable i want to speak to your manager",
        "operator 31.5-33: i do not know",
    )
    assert score(good, analyse(good), support).total == 100
    # Against it: greeting 2, help 2, name 2, sorry 2, check 3, solution 3, anything else 1, thanks 1, forbidden 3,
    # silence of 20 s 1. For it: talk share 1 and no interruption 1, so 2 of 22.
    assert score(bad, analyse(bad), support).total == 9.1
