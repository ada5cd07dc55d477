"""What is wrong with a checklist, and on which line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.scoring import parse_checklist, parse_checklists
from aila_pipeline.errors import ChecklistInvalid
from aila_pipeline_tests.domain.conversations import CHECKLISTS

DOCS = Path(__file__).parent.parent.parent / "docs"

GOOD = """\
id: sales
version: 1
title: Sales
segments: [sales]
items:
  - id: greeting
    title: Greets
    kind: phrase
    any_of: [hello]
  - id: silence
    title: No silence
    kind: metric
    metric: silence.longest_seconds
    max: 10
"""


@pytest.mark.parametrize("name", ["sales", "support"])
def test_the_samples_are_checklists_of_their_segment(name: str) -> None:
    checklist = parse_checklist((CHECKLISTS / f"{name}.yaml").read_text(encoding="utf-8"), name)
    assert (checklist.id, checklist.segments) == (name, (name,))
    assert 8 <= len(checklist.items) <= 12


def test_the_example_of_the_documentation_is_a_checklist_with_every_kind() -> None:
    text = (DOCS / "checklists.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    checklist = parse_checklist(text, "docs/checklists.md")
    assert {item.kind for item in checklist.items} == {"phrase", "forbidden_phrase", "metric", "question"}


def test_a_number_will_do_as_a_version() -> None:
    assert parse_checklist(GOOD, "good.yaml").version == "1"


@pytest.mark.parametrize(
    ("before", "after", "line", "reason"),
    [
        ("title: Sales", "title:", 3, "title: must be text"),
        ("segments: [sales]", "segments: []", 4, "segments: "),
        ("    title: Greets\n", "", 6, "title: is missing"),
        ("kind: phrase", "kind: phrases", 6, "phrases"),
        ("any_of: [hello]", "any_of: [hello, no]", 9, "put it in quotes"),
        ("any_of: [hello]", "any_of: ['...']", 9, "at least one word"),
        ("any_of: [hello]", "any_of: [hello]\n    wieght: 3", 10, "wieght: there is no such key"),
        ("any_of: [hello]", "any_of: [hello]\n    weight: 0", 10, "weight"),
        ("any_of: [hello]", "any_of: [hello]\n    similarity: 101", 10, "similarity"),
        ("any_of: [hello]", "any_of: [hello]\n    any_of: [hi]", 10, "given twice"),
        ("any_of: [hello]", "any_of: [hello]\n    role: boss", 10, "role"),
        ("metric: silence.longest_seconds", "metric: silence.longest", 13, "silence.longest_seconds"),
        ("    max: 10\n", "", 10, "min, max or both"),
        ("max: 10", "max: .nan", 14, "max"),
        ("max: 10", "max: 10\n    min: 11", 10, "nothing can pass"),
        ("id: silence", "id: greeting", 1, "2 items have the id 'greeting'"),
        ("title: No silence", "title: *alias", 11, "alias"),
        ("title: Greets", "title: &a Greets\n    when: *a", 8, "anchors and aliases"),
        ("any_of: [hello]", "any_of: [hello", 10, "not YAML"),
        ("id: sales", "id: 2026-02-31", 1, "cannot be read"),
    ],
)
def test_a_mistake_is_told_with_its_line(before: str, after: str, line: int, reason: str) -> None:
    assert before in GOOD
    with pytest.raises(ChecklistInvalid) as told:
        parse_checklist(GOOD.replace(before, after, 1), "sales.yaml")
    assert f"sales.yaml, line {line}: " in told.value.detail
    assert reason in told.value.detail


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ChecklistInvalid) as told:
        parse_checklist(GOOD.replace("max: 10", "max: ten").replace("version: 1", "version: []"), "sales.yaml")
    assert "line 2" in told.value.detail
    assert "line 14" in told.value.detail


@pytest.mark.parametrize("text", ["", "# only a comment", "- a list", "just text", "\x00", "[" * 5000, "a: " * 5000])
def test_what_is_no_checklist_at_all_is_refused_in_words(text: str) -> None:
    with pytest.raises(ChecklistInvalid, match=r"x\.yaml, line \d+"):
        parse_checklist(text, "x.yaml")


def test_two_files_may_not_claim_one_id_or_segment() -> None:
    with pytest.raises(ChecklistInvalid, match=r"b\.yaml, line 1: the id 'sales' is already taken by a\.yaml"):
        parse_checklists({"a.yaml": GOOD, "b.yaml": GOOD})
    other = GOOD.replace("id: sales", "id: upsell").replace("[sales]", "[Sales]")
    with pytest.raises(ChecklistInvalid, match="the segment 'sales' is already taken"):
        parse_checklists({"a.yaml": GOOD, "b.yaml": other})


@given(st.text(max_size=300) | st.integers(0, len(GOOD)).flatmap(lambda at: st.just(GOOD[:at] + "\t: [&" + GOOD[at:])))
def test_any_text_gives_a_checklist_or_is_refused(text: str) -> None:
    told = ""
    try:
        parse_checklist(text, "any.yaml")
    except ChecklistInvalid as refused:
        told = refused.detail
    assert not told or told.startswith("any.yaml, line ")
