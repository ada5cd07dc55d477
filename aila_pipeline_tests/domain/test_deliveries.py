"""How often and after which pauses a message is tried."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.deliveries import (
    FAILURES_IN_A_ROW,
    UNTIL_DEAD,
    WEBHOOK,
    Backoff,
    Notice,
    known_notices,
    usual,
)
from aila_pipeline.domain.status import BatchStatus, CallStatus
from aila_pipeline.settings import Settings

BACKOFF = Backoff(25, timedelta(seconds=10), timedelta(hours=6))


def test_as_the_settings_are_a_day_of_outage_is_far_below_what_kills_a_message() -> None:
    settings = Settings.model_fields
    backoff = Backoff(settings["delivery_tries"].default, timedelta(seconds=settings["delivery_pause_seconds"].default))
    assert backoff.least() == timedelta(seconds=40_950 + 12 * 21_600)
    assert backoff.least() > UNTIL_DEAD


def test_pauses_double_from_ten_seconds_up_to_six_hours() -> None:
    pauses = [pause.total_seconds() for n in range(1, 25) if (pause := BACKOFF.pause(n)) is not None]
    assert pauses[:12] == [10 * 2**n for n in range(12)]
    assert pauses[12:] == [21_600] * 12


@given(st.integers(1, 24), st.floats(0, 1), st.integers(0, 10**9))
def test_no_chance_and_no_receiver_shortens_a_pause(tries: int, chance: float, asked: int) -> None:
    least = BACKOFF.pause(tries)
    pause = BACKOFF.pause(tries, asked=timedelta(seconds=asked), chance=chance)
    assert least is not None
    assert pause is not None
    assert least <= pause <= max(least * 1.25, timedelta(days=1)) + timedelta(milliseconds=1)


def test_a_receiver_that_asks_for_time_gets_it_but_not_for_years() -> None:
    assert BACKOFF.pause(1, asked=timedelta(minutes=7)) == timedelta(minutes=7)
    assert BACKOFF.pause(1, asked=timedelta(days=4000)) == timedelta(days=1)
    assert BACKOFF.rest(1, asked=timedelta(minutes=7)) == timedelta(minutes=7)


@given(st.integers(1, 10**6))
def test_a_destination_rests_only_after_several_failures_in_a_row_and_never_long(failures: int) -> None:
    rest = BACKOFF.rest(failures)
    if failures < FAILURES_IN_A_ROW:
        assert rest is None
    else:
        assert rest is not None
        assert timedelta(seconds=10) <= rest <= timedelta(minutes=10)


def test_every_way_to_end_has_its_event() -> None:
    ended = [status for status in (*CallStatus, *BatchStatus) if status.terminal]
    assert {Notice.of(status) for status in ended} == set(Notice)


def test_a_crm_is_told_of_calls_alone() -> None:
    assert set(usual(WEBHOOK)) == set(Notice)
    assert set(usual("hubspot")) == {Notice.CALL_COMPLETED, Notice.CALL_FAILED}
    with pytest.raises(ValueError, match=r"known are call\.completed, call\.failed"):
        known_notices(["batch.failed"], "hubspot")
