"""Which checklist serves which segment: the tenant's own, the tenant's `*`, then the files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.scoring import Checklist, Selection, segment_label


def a_checklist(name: str, *segments: str) -> Checklist:
    item = {"id": "item", "title": "An item", "kind": "phrase", "any_of": ["hello"]}
    return Checklist.model_validate(
        {"id": name, "version": "1", "title": name, "segments": segments or (name,), "items": [item]}
    )


FILES = (a_checklist("file-sales", "Sales"), a_checklist("file-rest", "*"))


def chosen(selection: Selection, segment: str | None) -> str | None:
    checklist = selection.of(segment)
    return checklist.id if checklist else None


@pytest.mark.parametrize(
    ("active", "segment", "expected"),
    [
        ((), "sales", "file-sales"),
        ((), "support", "file-rest"),
        ((), None, "file-rest"),
        (("support",), " SUPPORT ", "own-support"),
        (("support",), "sales", "file-sales"),
        (("support",), "other", "file-rest"),
        (("*",), "sales", "own-*"),
        (("*",), None, "own-*"),
        (("*", "sales"), "Sales", "own-sales"),
        (("*",), "*", "own-*"),
    ],
)
def test_what_is_nearest_to_the_segment_serves_it(active: tuple[str, ...], segment: str | None, expected: str) -> None:
    own = {name: a_checklist("own", name).model_copy(update={"id": f"own-{name}"}) for name in active}
    assert chosen(Selection(FILES, own), segment) == expected


def test_a_segment_that_nobody_serves_has_no_checklist() -> None:
    assert chosen(Selection((), {"sales": a_checklist("sales")}), "support") is None


@given(st.text(max_size=120), st.text(max_size=120))
def test_a_label_stands_for_its_segment(one: str, other: str) -> None:
    """It is short, can be shown, is its own label, and chooses what the segment chooses."""
    label = segment_label(one)
    assert len(label) <= 57
    assert label.isprintable()
    assert segment_label(label) == label
    own = Selection(FILES, {name: a_checklist(f"own-{n}") for n, name in enumerate({one.strip().casefold(), "x"})})
    assert own.of_label(label) == own.of(one)
    if one.strip().casefold() != other.strip().casefold():
        assert segment_label(other) != label


def test_a_long_segment_keeps_its_own_checklist() -> None:
    long, longer = "s" * 90, "s" * 91
    own = Selection((), {long: a_checklist("long")})
    assert (chosen(own, long.upper()), chosen(own, longer)) == ("long", None)
