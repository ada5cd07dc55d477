"""Packing speech into windows: nothing lost, nothing doubled, and every sample found again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.windows import Packer, Piece, Span, Window

LIMIT, GAP = 100, 7


@st.composite
def spans(draw: st.DrawFn) -> list[Span]:
    """Spans of one channel in order; some touch, some are longer than a window."""
    found, at = [], 0
    for apart, length in draw(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 350)), max_size=30)):
        found.append(Span(at + apart, at + apart + length))
        at = found[-1].end
    return found


def packed(found: list[Span], limit: int = LIMIT, gap: int = GAP) -> list[Window]:
    packer = Packer(limit, gap)
    return [window for span in found for window in packer.add(span)] + list(packer.end())


def samples_of(window: Window) -> list[int]:
    return [sample for piece in window.pieces for sample in range(piece.span.start, piece.span.end)]


@given(spans(), st.integers(1, 150), st.integers(0, 20))
def test_all_speech_is_in_the_windows_once_and_in_order(found: list[Span], limit: int, gap: int) -> None:
    said = [sample for span in found for sample in range(span.start, span.end)]
    assert [sample for window in packed(found, limit, gap) for sample in samples_of(window)] == said


@given(spans(), st.integers(1, 150), st.integers(0, 20))
def test_no_window_is_longer_than_allowed_or_empty(found: list[Span], limit: int, gap: int) -> None:
    assert all(0 < window.length <= limit for window in packed(found, limit, gap))


@given(spans())
def test_pieces_follow_each_other_with_the_gap_that_was_left_out_or_all_there_was(found: list[Span]) -> None:
    for window in packed(found):
        assert window.pieces[0].at == 0
        for before, after in pairwise(window.pieces):
            assert after.at - before.end == min(GAP, after.span.start - before.span.end) > 0


@given(spans())
def test_every_sample_of_a_piece_is_found_again_exactly(found: list[Span]) -> None:
    for window in packed(found):
        for piece in window.pieces:
            for offset in {0, piece.span.length // 2, piece.span.length - 1}:
                assert window.source(piece.at + offset) == piece.span.start + offset


@given(spans(), st.lists(st.floats(0, 400), min_size=2, max_size=10))
def test_the_way_back_never_turns_around(found: list[Span], places: list[float]) -> None:
    for window in packed(found):
        sources = [window.source(place) for place in sorted(places)]
        assert sources == sorted(sources)
        assert all(window.span.start <= source <= window.span.end for source in sources)


@given(spans(), st.floats(0, 120), st.floats(0, 30))
def test_a_word_is_placed_inside_one_piece(found: list[Span], start: float, length: float) -> None:
    for window in packed(found):
        first, last = window.place(start, start + length)
        assert first <= last
        assert any(piece.span.start <= first <= last <= piece.span.end for piece in window.pieces)


@given(spans(), st.integers(-5, 110))
def test_a_window_cut_in_two_holds_what_it_held(found: list[Span], position: int) -> None:
    for window in packed(found):
        before, after = window.until(position), window.after(position)
        held = samples_of(before) if before else []
        if after:
            rest, begins = after
            held += samples_of(rest)
            assert begins >= position
            assert all(rest.source(at) == window.source(at + begins) for at in range(rest.length))
        assert held == samples_of(window)


def test_a_span_longer_than_a_window_is_cut_into_equal_parts() -> None:
    assert [window.length for window in packed([Span(0, 250)])] == [83, 83, 84]


def test_spans_that_touch_are_one_piece() -> None:
    (window,) = packed([Span(10, 40), Span(40, 60)])
    assert window == Window((Piece(0, Span(10, 60)),))


def test_speech_on_both_sides_of_a_long_silence_shares_a_window() -> None:
    """An hour of silence costs seven samples."""
    (window,) = packed([Span(0, 40), Span(57_600_000, 57_600_040)])
    assert (window.length, window.speech, window.source(47)) == (87, 80, 57_600_000)


def test_the_middle_is_where_a_piece_begins_unless_that_is_far_off() -> None:
    (window,) = packed([Span(0, 30), Span(100, 140)])
    assert window.middle() == 37
    (lopsided,) = packed([Span(0, 5), Span(100, 180)])
    assert lopsided.middle() == lopsided.length // 2


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        Packer(0, 0)
