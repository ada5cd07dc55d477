"""What a window's tokens say, and when it has to be heard on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.adapters.speech_tokens import Reading, Segment, Vocabulary, read

IDS = Vocabulary(end_of_text=100, first_timestamp=110)
LIMIT = 12


def at(seconds: float) -> int:
    """The token of this time."""
    return IDS.first_timestamp + round(seconds / 0.02)


def reading(*tokens: int, seconds: float = 20.0) -> Reading:
    return read(tokens, IDS, limit=LIMIT, seconds=seconds)


def test_text_between_timestamps_is_a_segment_with_their_times() -> None:
    tokens = (at(0), 1, 2, at(3), at(4), 3, at(6))
    assert reading(*tokens) == Reading((Segment(0.0, 3.0, (1, 2)), Segment(4.0, 6.0, (3,))))


def test_text_without_timestamps_is_one_segment_of_the_whole_window() -> None:
    assert reading(1, 2, 3) == Reading((Segment(0.0, 20.0, (1, 2, 3)),))


def test_text_that_ends_without_its_timestamp_is_kept() -> None:
    assert reading(at(0), 1, at(3), at(4), 2) == Reading((Segment(0.0, 3.0, (1,)), Segment(4.0, 20.0, (2,))))


def test_no_tokens_are_no_segments() -> None:
    assert reading() == Reading(())
    assert reading(at(0), at(0)) == Reading(())


def test_a_segment_opened_and_left_empty_means_to_hear_on_from_there() -> None:
    assert reading(at(0), 1, at(5), at(5)) == Reading((Segment(0.0, 5.0, (1,)),), rest_from=5.0)


def test_a_rest_as_short_as_a_margin_is_not_heard_again() -> None:
    assert reading(at(0), 1, at(5), at(5), seconds=5.5) == Reading((Segment(0.0, 5.0, (1,)),))


def test_tokens_that_did_not_suffice_are_kept_up_to_the_last_whole_segment() -> None:
    tokens = (at(0), 1, 2, 3, at(4), at(4), 4, 5, 6, 7, 8, 9)
    assert len(tokens) == LIMIT
    assert reading(*tokens) == Reading((Segment(0.0, 4.0, (1, 2, 3)),), rest_from=4.0)


def test_tokens_that_did_not_suffice_and_tell_no_time_mean_to_halve_the_window() -> None:
    assert reading(*range(1, LIMIT + 1)) == Reading((), halve=True)


def test_a_short_window_full_of_tokens_is_taken_as_it_is() -> None:
    """Nobody speaks so fast: the model repeats itself, and would in the halves."""
    assert reading(*range(1, LIMIT + 1), seconds=4.0).halve is False


@given(st.lists(st.integers(0, 99) | st.integers(110, 1610), max_size=LIMIT), st.floats(0.1, 30))
def test_what_is_heard_on_is_always_shorter_than_the_window(tokens: list[int], seconds: float) -> None:
    found = read(tokens, IDS, limit=LIMIT, seconds=seconds)
    assert found.rest_from is None or 0 < found.rest_from < seconds
    assert not found.halve or (not found.segments and found.rest_from is None)
    said = [token for segment in found.segments for token in segment.tokens]
    assert said == [token for token in tokens if token < IDS.end_of_text][: len(said)]
