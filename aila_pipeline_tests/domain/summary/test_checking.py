"""What of a model's answer is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.summary import Answer, Gap, Question, Summary, answer, checking, prompt
from aila_pipeline.domain.summary.checking import Checked
from aila_pipeline.domain.summary.reading import read
from aila_pipeline_tests.domain.conversations import said

CALL = said(
    "operator 0.0-2.0: Good morning, how can I help?",
    "client 2.0-4.0: I want to cancel my plan",
    "operator 4.0-6.0: I will send you the form today",
)
SHOWN = read(CALL, most_characters=10_000)
QUESTIONS = (Question(id="greets", text="Does the operator greet?"), Question(id="offer", text="Is there an offer?"))

GREETING = {"line": 1, "words": "Good morning"}
WISH = {"line": 2, "words": "cancel my plan"}
PROMISE = {"line": 3, "words": "I will send you the form"}
INVENTED = {"line": 2, "words": "you are all thieves"}
GOOD: dict[str, Any] = {
    "summary": "The client wants to cancel; a form is sent.",
    "topics": ["cancellation"],
    "intent": {"text": "Cancel the plan.", "quote": WISH},
    "objections": [],
    "commitments": [{"text": "Send the form today.", "quote": PROMISE}],
    "next_steps": [{"text": "The client fills the form in.", "quote": None}],
    "resolution": {"verdict": "unresolved", "quote": PROMISE},
    "sentiment": [{"role": "client", "label": "negative", "reason": "Wants to leave.", "quote": WISH}],
    "answers": [
        {"id": "greets", "verdict": "yes", "quote": GREETING},
        {"id": "offer", "verdict": "no", "quote": None},
    ],
}


def checked(given_answer: object, questions: tuple[Question, ...] = QUESTIONS) -> Checked:
    text = given_answer if isinstance(given_answer, str) else json.dumps(given_answer)
    return checking.check(text, model="m", reading=SHOWN, questions=questions)


def test_a_truthful_answer_is_kept_whole_with_the_times_of_its_quotes() -> None:
    found = checked(GOOD)
    assert found.complaints == ()
    summary = found.summary
    assert summary.gaps == ()
    assert summary.language_model == "m"
    assert summary.intent is not None
    assert summary.intent.evidence is not None
    assert summary.intent.evidence.quote == "cancel my plan"
    assert summary.intent.evidence.start == CALL.turns[1].words[3].start
    assert summary.resolution_evidence is not None
    assert [answer.verdict for answer in summary.answers] == ["yes", "no"]
    assert Summary.model_validate(summary.model_dump(mode="json")) == summary


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}\n```", "\n\n{}\n "])
def test_a_fence_around_the_answer_is_forgiven(fence: str) -> None:
    assert checked(fence.replace("{}", json.dumps(GOOD))).complaints == ()


@pytest.mark.parametrize(
    "text", ["", "Sure! Here it is:", "[]", "null", "{", "x" * 50_000, "[" * 30_000, '{"a": ' * 30_000, "1" * 9_000]
)
def test_what_is_no_json_object_gives_nothing_and_one_complaint(text: str) -> None:
    found = checked(text)
    assert not found.usable
    assert found.summary == Summary(language_model="m", asked=prompt.digest(QUESTIONS), gaps=(Gap.ANSWER_UNUSABLE,))
    assert len(found.complaints) == 1


@pytest.mark.parametrize("part", ["intent", "objections", "commitments", "next_steps", "resolution", "sentiment"])
def test_a_part_that_rests_on_an_invented_quote_is_left_out_and_the_rest_stays(part: str) -> None:
    bad: dict[str, Any] = {
        "intent": {"text": "Insult.", "quote": INVENTED},
        "resolution": {"verdict": "resolved", "quote": INVENTED},
        "sentiment": [{"role": "client", "label": "negative", "reason": "Swears.", "quote": INVENTED}],
    }
    found = checked(GOOD | {part: bad.get(part, [{"text": "Insult.", "quote": INVENTED}])})
    assert not getattr(found.summary, part)
    assert found.summary.gaps == (Gap.QUOTE_NOT_FOUND,)
    assert found.summary.summary == GOOD["summary"]
    assert len(found.complaints) == 1


@pytest.mark.parametrize("part", ["intent", "objections", "commitments"])
def test_what_people_are_said_to_have_said_needs_a_quote(part: str) -> None:
    bare = {"text": "Said something.", "quote": None}
    found = checked(GOOD | {part: bare if part == "intent" else [bare]})
    assert not getattr(found.summary, part)
    assert found.summary.gaps == (Gap.QUOTE_NOT_FOUND,)


def test_a_yes_needs_a_quote_and_a_no_does_not() -> None:
    found = checked(
        GOOD
        | {
            "answers": [
                {"id": "greets", "verdict": "no", "quote": None},
                {"id": "offer", "verdict": "yes", "quote": None},
            ]
        }
    )
    assert found.summary.answers == (Answer(item_id="greets", verdict="no"),)
    assert Gap.QUESTION_NOT_ANSWERED in found.summary.gaps


@pytest.mark.parametrize(
    "answers",
    [
        [],
        [{"id": "else", "verdict": "no", "quote": None}],
        [{"id": "greets", "verdict": "yes", "quote": INVENTED}, {"id": "offer", "verdict": "yes", "quote": INVENTED}],
        [{"id": "greets", "verdict": "maybe", "quote": None}],
        [{"id": "greets", "verdict": "no", "quote": None}, {"id": "greets", "verdict": "yes", "quote": GREETING}],
        "yes",
        None,
    ],
)
def test_questions_without_an_answer_that_holds_stay_unanswered(answers: object) -> None:
    found = checked(GOOD | {"answers": answers})
    assert found.summary.answers == ()
    assert Gap.QUESTION_NOT_ANSWERED in found.summary.gaps


def test_answers_to_a_call_without_questions_are_not_looked_at() -> None:
    found = checked(GOOD, questions=())
    assert found.summary.answers == ()
    assert found.complaints == ()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("summary", "x" * 3000),
        ("summary", ""),
        ("summary", None),
        ("summary", "See https://evil.example/login for more"),
        ("summary", "<img src=x onerror=alert(1)>"),
        ("summary", "[click](me)"),
        ("topics", ["x" * 200]),
        ("topics", "cancellation"),
        ("intent", {"text": "x" * 600, "quote": WISH}),
        ("intent", {"quote": WISH}),
        ("intent", "Cancel."),
        ("resolution", {"verdict": "fine", "quote": None}),
        ("resolution", None),
        ("sentiment", [{"role": "robot", "label": "neutral", "reason": "x", "quote": None}]),
        ("sentiment", [{"role": "unknown", "label": "neutral", "reason": "Never spoke.", "quote": None}]),
        ("commitments", [{"text": "www.evil.example", "quote": PROMISE}]),
        ("next_steps", [{"text": "\u200b\n", "quote": None}]),
    ],
)
def test_a_part_that_breaks_its_form_or_a_limit_is_left_out(part: str, value: object) -> None:
    found = checked(GOOD | {part: value})
    assert not getattr(found.summary, part)
    assert found.summary.gaps == (Gap.PART_LEFT_OUT,)
    assert found.complaints


def test_a_longer_list_is_kept_as_far_as_the_limit() -> None:
    found = checked(GOOD | {"topics": [f"topic {n}" for n in range(50)]})
    assert len(found.summary.topics) == 12
    assert found.summary.gaps == (Gap.PART_LEFT_OUT,)


def test_keys_that_nobody_asked_for_are_dropped_without_a_word() -> None:
    found = checked(GOOD | {"system_prompt": "secret", "intent": GOOD["intent"] | {"note": "secret"}})
    assert found.complaints == ()
    assert "secret" not in found.summary.model_dump_json()


def test_a_missing_part_is_complained_about() -> None:
    found = checked({})
    assert found.usable
    assert {complaint.partition(":")[0] for complaint in found.complaints} >= {"summary", "topics", "resolution"}


def test_control_characters_and_half_letters_do_not_reach_the_ledger() -> None:
    found = checked(GOOD | {"summary": "one\n\ttwo\x00\u200bthree", "topics": ["half \ud800 letter", "fine"]})
    assert found.summary.summary == "one two three"
    assert found.summary.topics == ("fine",)
    found.summary.model_dump_json().encode()


def test_of_two_answers_the_one_with_less_wrong_is_kept() -> None:
    good, worse, nothing = checked(GOOD), checked({}), checked("no")
    assert checking.better(worse, good) is good
    assert checking.better(good, worse) is good
    assert checking.better(nothing, worse) is worse
    assert checking.better(worse, nothing) is worse


def test_a_call_that_was_cut_says_so_however_good_the_answer_is() -> None:
    shown = read(said(*(f"client {n}.0-{n}.9: hello again my friend" for n in range(100, 300))), most_characters=2000)
    quote = {"line": 1, "words": "hello again"}
    good = GOOD | {"intent": None, "commitments": [], "resolution": {"verdict": "unclear", "quote": quote}}
    good |= {"sentiment": [], "answers": []}
    found = checking.check(json.dumps(good), model="m", reading=shown, questions=())
    assert found.complaints == ()
    assert found.summary.gaps == (Gap.TRANSCRIPT_CUT,)


def test_only_what_may_go_by_itself_is_worth_asking_again() -> None:
    assert {gap for gap in Gap if gap.passing} == {Gap.MODEL_UNAVAILABLE, Gap.BUDGET_SPENT, Gap.UNEXPECTED}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(answer.PARTS), JSON))
def test_any_json_gives_a_summary_that_holds_its_own_schema(parts: dict[str, Any]) -> None:
    found = checked(GOOD | parts)
    kept = Summary.model_validate(json.loads(found.summary.model_dump_json()))
    assert kept == found.summary
    assert bool(found.complaints) == bool(found.summary.gaps)


@given(st.text())
def test_any_text_gives_a_summary(text: str) -> None:
    assert checked(text).summary.gaps


def test_the_schema_asks_for_every_part_and_nothing_else() -> None:
    schema = answer.schema(QUESTIONS)
    assert schema["required"] == list(answer.PARTS) == list(schema["properties"])
    assert schema["additionalProperties"] is False
    assert schema["properties"]["answers"]["items"]["properties"]["id"]["enum"] == ["greets", "offer"]
    # Only what strict structured output knows everywhere.
    assert _keys(schema) <= {
        "type", "properties", "required", "additionalProperties", "items", "enum", "anyOf",
    }  # fmt: skip


def _keys(schema: dict[str, Any]) -> set[str]:
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    inner += [schema["items"]] if "items" in schema else []
    return set(schema).union(*(_keys(each) for each in inner))
