"""Problems of a list of calls in the words and the shape of contract B."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.intake.manifest_problems import told_by_item
from aila_pipeline.domain.models import Problem


def a_problem(position: int, message: str) -> Problem:
    return Problem(position=position, field="x", code="MANIFEST_INVALID", message=message)


def test_errors_are_told_by_item_in_order_each_once() -> None:
    problems = [a_problem(2, "b"), a_problem(0, "a"), a_problem(2, "c"), a_problem(2, "b")]
    body = {"calls": [{"external_id": "one"}, {"external_id": "two"}, {"external_id": "three"}]}
    assert told_by_item(problems, body) == [
        {"index": 0, "external_id": "one", "errors": ["a"]},
        {"index": 2, "external_id": "three", "errors": ["b", "c"]},
    ]


def test_an_id_that_is_none_is_null() -> None:
    for wrong in (None, 1, "", " ", "x" * 256, "a\x00b", ["a"], {"a": 1}, True):
        (told,) = told_by_item([a_problem(0, "a")], {"calls": [{"external_id": wrong}]})
        assert told["external_id"] is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["calls", "external_id", "x"]), inner),
)


@given(json_values, st.lists(st.integers(0, 5), max_size=6))
def test_any_body_and_any_places_give_one_entry_per_place(body: Any, places: list[int]) -> None:
    told = told_by_item([a_problem(place, "wrong") for place in places], body)
    assert [each["index"] for each in told] == sorted(set(places))
    assert all(each["errors"] == ["wrong"] for each in told)
