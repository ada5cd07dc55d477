"""Limits: exact whatever happens at once, and the wait that is told is long enough and no longer (contracts, gap 23).

Lives here: counting in the ledger. Does not: headers and answers (api/test_limits.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.adapters.ledger.tables import batches, calls, shards
from aila_pipeline.errors import AudioInvalid, LimitReached
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_call, an_accepted_batch, rows, run
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound
from aila_pipeline_tests.adapters.ledger.submitting import ROOMY, an_access, an_upload, submit
from aila_pipeline_tests.adapters.ledger.test_two_at_once import at_once

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
THREADS = 32


def wait_told(ledger: Ledger, access: Access, *, calls: int = 1, now: datetime) -> int:
    """The seconds that a refusal tells."""
    with pytest.raises(LimitReached) as refused:
        submit(ledger, access, *(a_call(n) for n in range(calls)), now=now)
    return refused.value.retry_after_seconds


def submit_often(ledger: Ledger, access: Access, *, times: int, calls: int = 1) -> Callable[[], tuple[int, int]]:
    """What one of many clients does; returns how many were accepted and refused."""

    def client() -> tuple[int, int]:
        accepted = refused = 0
        for _ in range(times):
            try:
                submit(ledger, access, *(a_call(n) for n in range(calls)))
                accepted += 1
            except LimitReached:
                refused += 1
        return accepted, refused

    return client


def all_at_once(ledger: Ledger, access: Access, *, times: int, calls: int = 1) -> tuple[int, int]:
    done = at_once([submit_often(ledger, access, times=times, calls=calls)] * THREADS)
    return sum(accepted for accepted, _ in done), sum(refused for _, refused in done)


def test_of_160_batches_at_once_exactly_100_are_accepted(ledger: Ledger) -> None:
    access = an_access(ledger, concurrent_batches=10**6)
    assert all_at_once(ledger, access, times=5) == (100, 60)
    assert len(rows(ledger, batches)) == len(rows(ledger, calls)) == 100
    assert_sound(ledger)


@pytest.mark.slow
def test_of_12800_calls_at_once_exactly_10000_are_accepted(ledger: Ledger) -> None:
    access = an_access(ledger, batches_per_hour=10**6, concurrent_batches=10**6)
    assert all_at_once(ledger, access, times=4, calls=100) == (100, 28)
    assert len(rows(ledger, calls)) == 10_000


def test_lists_of_odd_sizes_at_once_fill_the_limit_of_calls_and_never_pass_it(ledger: Ledger) -> None:
    access = an_access(ledger, batches_per_hour=10**6, concurrent_batches=10**6, calls_per_hour=200)
    at_once([submit_often(ledger, access, times=4, calls=size % 7 + 1) for size in range(THREADS)])
    assert 194 <= len(rows(ledger, calls)) <= 200
    left = 200 - len(rows(ledger, calls))
    if left:
        submit(ledger, access, *(a_call(n) for n in range(left)))
    assert len(rows(ledger, calls)) == 200


def test_of_64_batches_at_once_exactly_10_are_under_way(ledger: Ledger) -> None:
    access = an_access(ledger)
    assert all_at_once(ledger, access, times=2) == (10, 54)
    run(ledger, rows(ledger, shards)[0].id)
    assert all_at_once(ledger, access, times=1) == (1, 31)


def test_what_is_refused_counts_nothing(ledger: Ledger) -> None:
    access = an_access(ledger, batches_per_hour=2)
    for _ in range(2):
        submit(ledger, access)
    for _ in range(5):
        wait_told(ledger, access, now=NOW + MINUTE)
    assert len(rows(ledger, batches)) == 2
    submit(ledger, access, now=NOW + HOUR)


def test_the_wait_for_a_batch_ends_when_the_oldest_has_left_the_hour(ledger: Ledger) -> None:
    access = an_access(ledger, batches_per_hour=2)
    submit(ledger, access, now=NOW)
    submit(ledger, access, now=NOW + 10 * MINUTE)
    asked = NOW + 20 * MINUTE
    wait = wait_told(ledger, access, now=asked)
    assert wait == 40 * 60
    wait_told(ledger, access, now=asked + timedelta(seconds=wait - 1))
    submit(ledger, access, now=asked + timedelta(seconds=wait))


def test_the_wait_for_calls_ends_when_enough_of_them_have_left_the_hour(ledger: Ledger) -> None:
    """Three of ten are needed: the first batch's one call is not enough, the second's four are."""
    access = an_access(ledger, calls_per_hour=10)
    for minutes, size in ((0, 1), (5, 4), (9, 5)):
        submit(ledger, access, *(a_call(n) for n in range(size)), now=NOW + minutes * MINUTE)
    asked = NOW + 30 * MINUTE
    wait = wait_told(ledger, access, calls=3, now=asked)
    assert wait == 35 * 60
    three = [a_call(n) for n in range(3)]
    wait_told(ledger, access, calls=3, now=asked + timedelta(seconds=wait - 1))
    submit(ledger, access, *three, now=asked + timedelta(seconds=wait))


def test_the_wait_is_rounded_up_to_whole_seconds(ledger: Ledger) -> None:
    access = an_access(ledger, batches_per_hour=1)
    submit(ledger, access, now=NOW)
    assert wait_told(ledger, access, now=NOW + HOUR - timedelta(milliseconds=1)) == 1
    assert wait_told(ledger, access, now=NOW + timedelta(milliseconds=1)) == 3600


def test_more_calls_than_the_limit_will_ever_hold_are_told_the_whole_hour(ledger: Ledger) -> None:
    access = an_access(ledger, calls_per_hour=2)
    assert wait_told(ledger, access, calls=3, now=NOW) == 3600


def test_a_batch_that_has_ended_makes_room_for_another_at_once(ledger: Ledger) -> None:
    access = an_access(ledger, concurrent_batches=1)
    (shard,) = submit(ledger, access).shards
    assert 0 < wait_told(ledger, access, now=NOW) <= 60
    run(ledger, shard)
    submit(ledger, access)


def test_a_retried_batch_is_under_way_again(ledger: Ledger) -> None:
    access = an_access(ledger, concurrent_batches=1)
    submitted = submit(ledger, access, a_call(0, "c"))
    run(ledger, submitted.shards[0], failing={"c": AudioInvalid()})
    ledger.batches.retry(submitted.batch_id, shard_size=100, now=NOW)
    wait_told(ledger, access, now=NOW)


def test_the_drop_zone_neither_counts_nor_is_refused(ledger: Ledger) -> None:
    access = an_access(ledger, batches_per_hour=1, concurrent_batches=1, calls_per_hour=2)
    for _ in range(3):
        an_accepted_batch(ledger, a_call(0), a_call(1), a_call(2), tenant=access.tenant)
    submit(ledger, access)
    an_accepted_batch(ledger, tenant=access.tenant)


def test_pairs_and_lists_count_together(ledger: Ledger) -> None:
    access = an_access(ledger, calls_per_hour=10)
    upload = an_upload(ledger, access)
    ledger.submissions.submit_pair(access, upload, sources=[], rows=8, now=NOW)
    wait_told(ledger, access, calls=3, now=NOW)
    submit(ledger, access, a_call(0), a_call(1))
    with pytest.raises(LimitReached):
        ledger.submissions.submit_pair(access, an_upload(ledger, access), sources=[], rows=1, now=NOW)


def test_one_tenant_s_submissions_do_not_touch_another_s_limits(ledger: Ledger) -> None:
    full, free = an_access(ledger, batches_per_hour=1), an_access(ledger, "globex", batches_per_hour=1)
    submit(ledger, full)
    wait_told(ledger, full, now=NOW)
    submit(ledger, free)


def test_a_limit_of_zero_closes_the_api_for_the_tenant(ledger: Ledger) -> None:
    assert wait_told(ledger, an_access(ledger, batches_per_hour=0), now=NOW) == 3600


def test_the_standing_tells_the_tightest_limit(ledger: Ledger) -> None:
    access = an_access(ledger, batches_per_hour=4, calls_per_hour=100, concurrent_batches=50)
    submit(ledger, access, now=NOW)
    standing = submit(ledger, access, a_call(0), a_call(1), now=NOW + MINUTE).standing
    assert standing is not None
    assert (standing.batches.taken, standing.calls.taken, standing.concurrent.taken) == (2, 3, 2)
    tightest = standing.tightest
    assert (tightest.name, tightest.most, tightest.left) == ("batches per hour", 4, 2)
    assert tightest.reset_seconds == 59 * 60


def test_asking_where_one_stands_takes_nothing(ledger: Ledger) -> None:
    access = an_access(ledger, batches_per_hour=1)
    for _ in range(3):
        assert ledger.submissions.standing(access, 1, now=NOW).batches.left == 0
    submit(ledger, access)
    with pytest.raises(LimitReached):
        ledger.submissions.standing(access, 1, now=NOW + SECOND)


def test_changed_settings_count_at_once(ledger: Ledger) -> None:
    """Enterprise customers get higher limits; the key in use need not be made anew."""
    access = an_access(ledger, batches_per_hour=1)
    submit(ledger, access)
    wait_told(ledger, access, now=NOW)
    an_access(ledger, **ROOMY)
    submit(ledger, access)
