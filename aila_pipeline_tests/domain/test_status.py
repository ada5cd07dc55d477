"""Statuses: how a batch's follows from its calls'."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.status import STATUS_IN_STAGE, TERMINAL, BatchStatus, CallStatus, Stage, roll_up

COUNTS = st.dictionaries(st.sampled_from(CallStatus), st.integers(0, 3))
ORDER = list(CallStatus)


@pytest.mark.parametrize(
    ("counts", "started", "status"),
    [
        ({CallStatus.PENDING: 2}, False, BatchStatus.SUBMITTED),
        ({CallStatus.PENDING: 2}, True, BatchStatus.PROCESSING),
        ({CallStatus.PENDING: 1, CallStatus.FAILED: 1}, False, BatchStatus.PROCESSING),
        ({CallStatus.ANALYZING: 1, CallStatus.COMPLETED: 5}, True, BatchStatus.PROCESSING),
        ({CallStatus.COMPLETED: 3}, True, BatchStatus.COMPLETED),
        ({CallStatus.COMPLETED: 3}, False, BatchStatus.COMPLETED),
        ({CallStatus.COMPLETED: 3, CallStatus.FAILED: 1}, True, BatchStatus.PARTIAL),
        ({CallStatus.FAILED: 3}, True, BatchStatus.FAILED),
        ({CallStatus.FAILED: 3}, False, BatchStatus.FAILED),
        ({}, False, BatchStatus.SUBMITTED),
        ({}, True, BatchStatus.FAILED),
    ],
)
def test_the_status_of_a_batch(counts: dict[CallStatus, int], started: bool, status: BatchStatus) -> None:
    assert roll_up(counts, started=started) is status


@given(counts=COUNTS, started=st.booleans())
def test_a_batch_is_terminal_exactly_when_all_its_calls_are(counts: dict[CallStatus, int], started: bool) -> None:
    some = sum(counts.values()) > 0
    open_calls = sum(count for status, count in counts.items() if status not in TERMINAL)
    if some:
        assert roll_up(counts, started=started).terminal == (open_calls == 0)


@given(statuses=st.lists(st.sampled_from(CallStatus), min_size=1), place=st.integers(0), to=st.sampled_from(CallStatus))
def test_a_call_that_goes_on_never_takes_its_batch_back(statuses: list[CallStatus], place: int, to: CallStatus) -> None:
    """Without a new attempt, a batch that is over stays over, with the status it has."""
    before = roll_up(Counter(statuses))
    place %= len(statuses)
    if statuses[place].terminal:
        return
    statuses[place] = max(statuses[place], to, key=ORDER.index)
    after = roll_up(Counter(statuses))
    assert not before.terminal
    assert after.terminal == all(status.terminal for status in statuses)


@given(counts=COUNTS, started=st.booleans())
def test_counts_of_zero_mean_nothing(counts: dict[CallStatus, int], started: bool) -> None:
    without = {status: count for status, count in counts.items() if count}
    assert roll_up(counts, started=started) is roll_up(without, started=started)


def test_each_stage_shows_as_a_status_that_is_not_terminal_and_never_goes_back() -> None:
    shown = [STATUS_IN_STAGE[stage] for stage in Stage]
    assert shown == sorted(shown, key=ORDER.index)
    assert not TERMINAL & set(shown)


def test_the_values_are_contract_b_s() -> None:
    assert list(CallStatus) == ["pending", "downloading", "transcribing", "analyzing", "completed", "failed"]
    assert list(BatchStatus) == ["submitted", "processing", "completed", "partial", "failed"]
