"""Which windows go into a batch together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.adapters.speech_pool import Pool

Window = tuple[int, int, int]
"""Number, length, kind."""


def a_pool(*windows: Window) -> Pool[Window]:
    pool: Pool[Window] = Pool(length=lambda window: window[1], kind=lambda window: window[2])
    for window in windows:
        pool.put(window)
    return pool


def test_windows_of_like_length_go_together_with_the_oldest_among_them() -> None:
    pool = a_pool((0, 10, 0), (1, 29, 0), (2, 11, 0), (3, 28, 0), (4, 9, 0))
    assert [number for number, *_ in pool.take(3)] == [0, 2, 4]
    assert [number for number, *_ in pool.take(3)] == [1, 3]
    assert pool.take(3) == []


def test_windows_of_another_kind_wait_for_their_own_batch() -> None:
    pool = a_pool((0, 10, 1), (1, 10, 2), (2, 10, 1))
    assert [number for number, *_ in pool.take(3)] == [0, 2]
    assert [number for number, *_ in pool.take(3)] == [1]


def test_what_is_put_back_comes_first() -> None:
    pool = a_pool((0, 10, 0), (1, 10, 0))
    pool.put_back((9, 30, 0))
    assert pool.take(1) == [(9, 30, 0)]


def test_what_is_dropped_is_never_taken() -> None:
    pool = a_pool((0, 10, 0), (1, 10, 0), (2, 10, 0))
    assert pool.drop(lambda window: window[0] != 1) == 2
    assert pool.take(9) == [(1, 10, 0)]


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 2)), max_size=40), st.integers(1, 9))
def test_every_window_is_taken_once_and_none_is_overtaken_for_ever(windows: list[tuple[int, int]], count: int) -> None:
    pool = a_pool(*((number, length, kind) for number, (length, kind) in enumerate(windows)))
    taken: list[int] = []
    while batch := pool.take(count):
        oldest = min(set(range(len(windows))) - set(taken))
        assert oldest in {number for number, *_ in batch}
        assert len(batch) <= count
        assert len({kind for *_, kind in batch}) == 1
        taken += [number for number, *_ in batch]
    assert sorted(taken) == list(range(len(windows)))
