"""Items of kind `question`: judged by a language model's answer, and left out where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from aila_pipeline.domain.insights import analyse
from aila_pipeline.domain.models import Role
from aila_pipeline.domain.scoring import Checklist, ItemScore, Score, Verdict, parse_checklist, score
from aila_pipeline.domain.summary import Answer, Question, Quote
from aila_pipeline.errors import ChecklistInvalid
from aila_pipeline_tests.domain.conversations import said

CALL = said("operator 0-4: good morning how can i help you", "client 5-7: my phone is broken")
TEXT = """\
id: support
version: 1
title: Support
segments: [support]
items:
  - id: greeting
    title: Greets
    kind: phrase
    any_of: [good morning]
  - id: repair
    title: Offers a repair
    kind: question
    weight: 3
    ask: Does the operator offer to repair it?
"""
EVIDENCE = Quote(start=5.5, quote="phone is broken")


def a_checklist(**fields: Any) -> Checklist:
    question = "\n".join(f"    {name}: {value}" for name, value in fields.items())
    return parse_checklist(TEXT + question + "\n", "support.yaml")


def scored(checklist: Checklist, *answers: Answer) -> Score:
    return score(CALL, analyse(CALL), checklist, answers)


def the_question(told: Score) -> ItemScore:
    return told.items[1]


def test_a_checklist_tells_what_has_to_be_answered() -> None:
    assert a_checklist().questions == (Question(id="repair", text="Does the operator offer to repair it?"),)


@pytest.mark.parametrize(
    ("expect", "answer", "verdict", "total"),
    [
        ("yes", "yes", Verdict.PASS, 100),
        ("yes", "no", Verdict.FAIL, 25),
        ("no", "no", Verdict.PASS, 100),
        ("no", "yes", Verdict.FAIL, 25),
        ('"no"', "yes", Verdict.FAIL, 25),
        ("yes", "not_applicable", Verdict.NOT_APPLICABLE, 100),
    ],
)
def test_the_answer_decides(expect: str, answer: Any, verdict: Verdict, total: float) -> None:
    """YAML reads a bare `yes` as true; it is meant as the word."""
    told = scored(a_checklist(expect=expect), Answer(item_id="repair", verdict=answer, evidence=EVIDENCE))
    assert (the_question(told).verdict, told.total) == (verdict, total)


def test_what_the_model_quotes_is_the_evidence_with_who_said_it() -> None:
    told = the_question(scored(a_checklist(), Answer(item_id="repair", verdict="yes", evidence=EVIDENCE)))
    (place,) = told.evidence
    assert (place.start, place.quote, place.role) == (5.5, "phone is broken", Role.CLIENT)
    assert told.reason == "answered yes, wanted yes"


def test_a_no_needs_no_evidence() -> None:
    told = the_question(scored(a_checklist(), Answer(item_id="repair", verdict="no")))
    assert (told.verdict, told.evidence) == (Verdict.FAIL, ())


def test_without_a_model_the_question_counts_nothing_and_says_so() -> None:
    told = score(CALL, analyse(CALL), a_checklist())
    assert (the_question(told).verdict, told.total) == (Verdict.NOT_ANSWERED, 100)
    assert the_question(told).reason == "no language model has read this call"


def test_a_question_that_was_not_answered_counts_nothing_and_says_so() -> None:
    told = scored(a_checklist(), Answer(item_id="another", verdict="no"))
    assert (the_question(told).verdict, told.total) == (Verdict.NOT_ANSWERED, 100)
    assert the_question(told).reason == "the language model gave no answer that holds"


def test_a_question_applies_when_its_condition_holds() -> None:
    checklist = a_checklist(when="{said: {any_of: [too expensive]}}")
    told = scored(checklist, Answer(item_id="repair", verdict="no"))
    assert (the_question(told).verdict, told.total) == (Verdict.NOT_APPLICABLE, 100)


def test_where_nothing_but_questions_is_asked_and_none_is_answered_there_is_no_total() -> None:
    alone = TEXT[: TEXT.index("  - id: greeting")] + TEXT[TEXT.index("  - id: repair") :]
    assert score(CALL, analyse(CALL), parse_checklist(alone, "alone.yaml")).total is None


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("    ask: Does the operator offer to repair it?\n", "", 10),
        ("weight: 3", "expect: maybe", 13),
        ("weight: 3", "any_of: [repair]", 13),
        ("ask: Does the operator offer to repair it?", "ask: ''", 14),
    ],
)
def test_a_question_that_cannot_be_asked_is_told_with_its_line(before: str, after: str, line: int) -> None:
    with pytest.raises(ChecklistInvalid, match=f"support.yaml, line {line}: "):
        parse_checklist(TEXT.replace(before, after, 1), "support.yaml")
