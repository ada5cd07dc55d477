"""Leases: one writer a shard. Whoever lost it writes nothing, however late it wakes up.

Lives here: the rules, at times of our choosing. Does not: the renewing thread (test_heartbeat.py).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.all_tables import metadata
from aila_pipeline.adapters.ledger.leases import Lease, Leases
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.ledger.tables import attempts, batches, shards, stage_results
from aila_pipeline.adapters.ledger.work import Work
from aila_pipeline.domain.status import Stage
from aila_pipeline.errors import AudioInvalid, LeaseLost, LedgerUnavailable
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_version,
    a_worker,
    an_accepted_batch,
    holding,
    rows,
    run,
)
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound

MINUTE = timedelta(minutes=1)


@pytest.fixture
def shard(ledger: Ledger) -> str:
    """A shard with two open calls."""
    return an_accepted_batch(ledger, a_call(0, "a"), a_call(1, "b")).shards[0]


def claim(ledger: Ledger, shard: str, token: str, *, after: timedelta = timedelta(0)) -> Lease:
    return Leases(ledger.database).claim(shard, token=token, run_id=f"run of {token}", seconds=30, now=NOW + after)


def lose(ledger: Ledger, shard: str) -> Lease:
    """Let another worker take the shard, as if its lease had run out."""
    expire(ledger)
    return claim(ledger, shard, "thief")


def expire(ledger: Ledger) -> None:
    """Let all leases run out."""
    ledger.database.write(lambda c: c.execute(sa.update(shards).values(lease_expires_at=NOW - MINUTE)))


def test_of_two_claimers_one_wins(ledger: Ledger, shard: str) -> None:
    lease = claim(ledger, shard, "first")
    with pytest.raises(LeaseLost):
        claim(ledger, shard, "second")
    row = rows(ledger, shards)[0]
    assert (row.lease_token, row.lease_epoch, row.run_id, row.state) == ("first", 1, "run of first", "admitted")
    assert lease.epoch == 1


def test_a_shard_that_does_not_exist_cannot_be_claimed(ledger: Ledger) -> None:
    """Someone may add a partition by hand in the UI."""
    with pytest.raises(LeaseLost):
        claim(ledger, "2026-01-01.kz-acme.batch_x.001", "first")


def test_claiming_starts_the_batch_once(ledger: Ledger, shard: str) -> None:
    claim(ledger, shard, "first")
    claim(ledger, shard, "first", after=MINUTE)
    assert rows(ledger, batches)[0].started_at == NOW


def test_a_time_in_another_zone_is_the_same_moment(ledger: Ledger, shard: str) -> None:
    """SQLite keeps no zones: a time that is not brought to UTC on its way in would be off by hours."""
    almaty = NOW.astimezone(timezone(timedelta(hours=5)))
    Leases(ledger.database).claim(shard, token="t", run_id="r", seconds=30, now=almaty)
    row = rows(ledger, shards)[0]
    assert (row.admitted_at, row.lease_expires_at) == (NOW, NOW + timedelta(seconds=30))


def test_the_same_process_claims_again_without_a_new_epoch(ledger: Ledger, shard: str) -> None:
    assert [claim(ledger, shard, "first").epoch for _ in range(3)] == [1, 1, 1]


def test_an_expired_lease_can_be_taken_and_the_epoch_grows(ledger: Ledger, shard: str) -> None:
    claim(ledger, shard, "first")
    with pytest.raises(LeaseLost):
        claim(ledger, shard, "second", after=timedelta(seconds=29))
    assert claim(ledger, shard, "second", after=timedelta(seconds=31)).epoch == 2
    with pytest.raises(LeaseLost):
        claim(ledger, shard, "first", after=timedelta(seconds=32))


def gather(work: Work, call: WorkCall, results: int = 1) -> None:
    for _ in range(results):
        work.save(call, a_version(Stage.SCORES), {}, seconds=0.0)


WRITES: dict[str, Callable[[Work, WorkCall], object]] = {
    "enter": lambda work, call: work.enter(Stage.SCORES),
    "take": lambda work, call: work.take(call),
    "fail": lambda work, call: work.fail(call, Stage.SCORES, AudioInvalid()),
    "end": lambda work, call: work.end([(call, {})]),
    "reopen": lambda work, call: work.reopen(force=True),
    "save": lambda work, call: gather(work, call, results=50),
    "flush": lambda work, call: work.flush(),
    "calls": lambda work, call: work.calls(),
}


@pytest.mark.parametrize("verb", WRITES)
def test_every_write_of_a_worker_that_lost_its_shard_is_refused(ledger: Ledger, shard: str, verb: str) -> None:
    work = a_worker(ledger, shard)
    call = work.calls()[0]
    gather(work, call)
    lose(ledger, shard)
    before = [rows(ledger, table) for table in metadata.sorted_tables]
    with pytest.raises(LeaseLost):
        WRITES[verb](work, call)
    assert [rows(ledger, table) for table in metadata.sorted_tables] == before


def end_step_after_losing(ledger: Ledger, shard: str) -> None:
    with holding(ledger, shard) as work:
        gather(work, work.calls()[0])
        lose(ledger, shard)


def test_what_was_gathered_is_refused_at_the_end_of_the_step(ledger: Ledger, shard: str) -> None:
    with pytest.raises(LeaseLost):
        end_step_after_losing(ledger, shard)
    assert rows(ledger, stage_results) == []
    assert rows(ledger, shards)[0].lease_token == "thief", "nor does it give back what is not its own"


def test_a_lost_lease_is_neither_renewed_nor_released(ledger: Ledger, shard: str) -> None:
    old = claim(ledger, shard, "first")
    lose(ledger, shard)
    with pytest.raises(LeaseLost):
        Leases(ledger.database).renew(old, seconds=30, now=NOW)
    Leases(ledger.database).release(old)
    assert rows(ledger, shards)[0].lease_token == "thief"


def test_a_released_shard_can_be_claimed_at_once(ledger: Ledger, shard: str) -> None:
    Leases(ledger.database).release(claim(ledger, shard, "first"))
    assert claim(ledger, shard, "second").epoch == 2


def test_the_lease_is_kept_between_the_steps_of_a_run(ledger: Ledger, shard: str) -> None:
    with holding(ledger, shard) as work:
        epoch = work.epoch
    assert rows(ledger, shards)[0].lease_token == "worker-1"
    with pytest.raises(LeaseLost), holding(ledger, shard, token="worker-2"):
        pass
    with holding(ledger, shard) as work:
        assert work.epoch == epoch


def test_the_lease_is_given_back_when_the_shard_has_ended(ledger: Ledger, shard: str) -> None:
    run(ledger, shard)
    row = rows(ledger, shards)[0]
    assert (row.state, row.lease_token, row.lease_expires_at) == ("ended", None, None)


def test_a_step_that_fails_gives_the_lease_back_and_says_why(ledger: Ledger, shard: str) -> None:
    with pytest.raises(LedgerUnavailable), holding(ledger, shard):
        raise LedgerUnavailable("gone")
    row = rows(ledger, shards)[0]
    assert (row.lease_token, row.last_error) == (None, LedgerUnavailable("gone").message)


def test_of_a_strange_exception_only_the_type_is_kept(ledger: Ledger, shard: str) -> None:
    """Its message may quote a call."""
    with pytest.raises(ValueError, match="Aigerim"), holding(ledger, shard):
        raise ValueError("Aigerim said hello")
    assert rows(ledger, shards)[0].last_error == "ValueError"


def test_a_worker_that_dies_is_counted_against_the_call_in_its_hand(ledger: Ledger, shard: str) -> None:
    for died in range(3):
        work = a_worker(ledger, shard, token=f"worker-{died}")
        first, second = work.calls()
        assert (work.take(first), work.take(second)) == (0, died)
        expire(ledger)
    claim(ledger, shard, "the last")
    assert sorted(row.crashes for row in rows(ledger, attempts)) == [0, 3]
    assert_sound(ledger)


@pytest.mark.parametrize("then", ["saved", "failed", "next stage", "released"])
def test_a_worker_that_dies_without_a_call_in_hand_blames_none(ledger: Ledger, shard: str, then: str) -> None:
    """Else the last call of a stage is blamed for whatever kills a worker later, until it is failed for it."""
    work = a_worker(ledger, shard)
    call = work.calls()[0]
    work.take(call)
    if then == "saved":
        gather(work, call)
        work.flush()
    elif then == "failed":
        work.fail(call, Stage.TRANSCRIPTS, AudioInvalid())
    elif then == "next stage":
        work.enter(Stage.INSIGHTS)
    else:
        Leases(ledger.database).release(Lease(shard, "worker-1", work.epoch))
    lose(ledger, shard)
    assert [row.crashes for row in rows(ledger, attempts)] == [0, 0]


@pytest.mark.parametrize("then", ["saved", "failed"])
def test_a_call_taken_ahead_stays_in_hand_while_another_one_ends(ledger: Ledger, shard: str, then: str) -> None:
    work = a_worker(ledger, shard)
    ended, ahead = work.calls()
    work.take(ended)
    work.take(ahead)
    if then == "saved":
        gather(work, ended)
        work.flush()
    else:
        work.fail(ended, Stage.TRANSCRIPTS, AudioInvalid())
    lose(ledger, shard)
    assert {row.call_id: row.crashes for row in rows(ledger, attempts)} == {ended.id: 0, ahead.id: 1}


def test_one_thread_may_take_calls_while_another_saves_results(ledger: Ledger, shard: str) -> None:
    """Hundreds of times each; no result is written twice or lost."""
    work = a_worker(ledger, shard)
    first, second = work.calls()
    with ThreadPoolExecutor(1) as reader:
        taken = reader.submit(lambda: [work.take(second) for _ in range(100)])
        for _ in range(300):
            gather(work, first)
        assert taken.result() == [0] * 100
    work.flush()
    assert len(rows(ledger, stage_results)) == 1
    assert_sound(ledger)


def test_a_new_attempt_starts_without_the_crashes_of_the_one_before(ledger: Ledger, shard: str) -> None:
    work = a_worker(ledger, shard)
    work.take(work.calls()[0])
    expire(ledger)
    run(ledger, shard, token="worker-2", failing={"a": AudioInvalid()})
    (key,) = ledger.batches.retry(rows(ledger, batches)[0].id, shard_size=100, now=NOW)
    again = a_worker(ledger, key)
    assert again.take(again.calls()[0]) == 0
    assert [(row.n, row.crashes) for row in rows(ledger, attempts, attempts.c.n == 2)] == [(2, 0)]
    assert sorted(row.crashes for row in rows(ledger, attempts)) == [0, 0, 1]
