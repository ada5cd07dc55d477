"""The measure by which recognition is judged."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline_tests import word_error_rate as module
from aila_pipeline_tests.word_error_rate import word_edits, word_error_rate

words = st.lists(st.sampled_from(["yes", "no", "four", "for"]), max_size=8)


def test_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(module).failed == 0


@given(words, words, words)
def test_edits_are_a_distance(one: list[str], other: list[str], third: list[str]) -> None:
    assert (word_edits(one, other) == 0) == (one == other)
    assert word_edits(one, other) == word_edits(other, one)
    assert word_edits(one, third) <= word_edits(one, other) + word_edits(other, third)


@given(words, words)
def test_edits_lie_between_the_difference_in_length_and_the_longer_length(one: list[str], other: list[str]) -> None:
    assert abs(len(one) - len(other)) <= word_edits(one, other) <= max(len(one), len(other))


def test_long_calls_weigh_more_than_short_ones() -> None:
    assert word_error_rate([("no", "yes"), ("a b c", "a b c")]) == 0.25


def test_nothing_said_has_no_rate() -> None:
    with pytest.raises(ValueError, match="no words"):
        word_error_rate([("", "something")])
