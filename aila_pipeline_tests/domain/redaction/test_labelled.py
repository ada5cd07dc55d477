"""How much of what must go is found in hand-written utterances, and how little else."""

from __future__ import annotations

import re

import pytest

from aila_pipeline.domain.redaction import find, redact
from aila_pipeline_tests.domain.redaction.labelled import FILES, Utterance, tally, utterances

RECALL, PRECISION = 0.98, 0.95
DIGIT_RUN = re.compile(r"(?:\d[\s\-.,()]{0,2}){5,}")


@pytest.fixture(scope="module")
def labelled() -> list[Utterance]:
    return [one for name in FILES for one in utterances(name)]


def test_the_set_is_large_and_hard_enough_to_tell(labelled: list[Utterance]) -> None:
    without = [one for one in labelled if not one.marked]
    assert len(labelled) >= 320
    assert len({one.text for one in labelled}) == len(labelled)
    assert 0.4 <= len(without) / len(labelled) <= 0.6
    assert all(sum(one.language == language for one in labelled) >= 120 for language in ("en", "ru"))


@pytest.mark.parametrize("name", FILES)
def test_what_must_go_is_found_and_little_else(name: str) -> None:
    told = tally(utterances(name), find)
    assert told.recall >= RECALL, str(told)
    assert told.precision >= PRECISION, str(told)


def test_most_of_it_is_found_as_what_it_is(labelled: list[Utterance]) -> None:
    """A wrong placeholder costs a reader something, but leaks nothing."""
    told = tally(labelled, find)
    assert told.kinds / told.marks >= 0.9, str(told)


def test_no_written_digits_of_a_mark_are_left(labelled: list[Utterance]) -> None:
    """Whatever a mark's kind and however well it was found: no run of five digits of it gets out."""
    for one in labelled:
        left = redact(one.text)
        for mark in one.marked:
            for digits in DIGIT_RUN.findall(one.text[mark.start : mark.end]):
                assert digits not in left, left


def test_the_counting_itself_sees_misses_and_false_findings() -> None:
    """Found nothing: recall 0. Everything marked as found: recall 1, and false where nothing is marked."""
    said = utterances("tuning.txt")
    assert tally(said, lambda _: ()).recall == 0
    marks = {one.text: one.marked for one in said}
    assert (tally(said, marks.__getitem__).recall, tally(said, marks.__getitem__).precision) == (1, 1)
    shifted = [one for one in said if one.marked]
    plain = [one for one in said if not one.marked]
    wrong = {bad.text: good.marked for bad, good in zip(plain, shifted, strict=False)}
    assert tally([one for one in plain if one.text in wrong], wrong.__getitem__).precision == 0
