"""Admission and recovery: which shard runs next, and what is done about one whose run is gone."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import AdmittedShard, Launch
from aila_pipeline.adapters.ledger.tables import attempts, batches, shards
from aila_pipeline.domain.models import Priority
from aila_pipeline.domain.status import Stage
from aila_pipeline.errors import AudioInvalid, LeaseLost
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_tenant,
    a_worker,
    an_accepted_batch,
    received,
    rows,
    run,
)

SECOND = timedelta(seconds=1)


def a_batch_of(
    ledger: Ledger, shard_count: int, *, firm: str = "acme", priority: Priority = Priority.LIVE
) -> list[str]:
    submitted = [a_call(n) for n in range(shard_count)]
    tenant = a_tenant(ledger, firm)
    return list(an_accepted_batch(ledger, *submitted, tenant=tenant, shard_size=1, priority=priority).shards)


def admit(ledger: Ledger, limit: int, *, after: timedelta = timedelta(0)) -> list[Launch]:
    return ledger.shards.admit(most_in_flight=limit, now=NOW + after)


def the_admitted(ledger: Ledger, *, after: timedelta = timedelta(0)) -> AdmittedShard:
    (found,) = ledger.shards.admitted(now=NOW + after)
    return found


def test_shards_are_admitted_up_to_the_limit_and_then_as_others_end(ledger: Ledger) -> None:
    keys = a_batch_of(ledger, 3)
    assert [launch.key for launch in admit(ledger, 2)] == keys[:2]
    assert admit(ledger, 2) == []
    run(ledger, keys[0])
    assert [launch.key for launch in admit(ledger, 2)] == keys[2:]


def test_the_oldest_goes_first(ledger: Ledger) -> None:
    newer = an_accepted_batch(ledger, now=NOW + SECOND).shards
    older = an_accepted_batch(ledger, now=NOW).shards
    assert tuple(launch.key for launch in admit(ledger, 9)) == older + newer


def test_live_goes_before_backfill_however_old_that_is(ledger: Ledger) -> None:
    backfill = a_batch_of(ledger, 2, priority=Priority.BACKFILL)
    live = a_batch_of(ledger, 2, firm="globex")
    assert [launch.key for launch in admit(ledger, 3)] == [*live, backfill[0]]


def test_a_tenant_with_fewer_shards_in_flight_goes_first(ledger: Ledger) -> None:
    """Ten shards of one firm do not keep the two of another waiting."""
    a_batch_of(ledger, 10)
    a_batch_of(ledger, 2, firm="globex")
    assert sorted(Counter(launch.tenant for launch in admit(ledger, 4)).values()) == [2, 2]
    assert sorted(Counter(launch.tenant for launch in admit(ledger, 8)).values()) == [4]


def test_each_launch_has_a_run_key_of_its_own(ledger: Ledger) -> None:
    a_batch_of(ledger, 1)
    keys = set()
    for n in range(1, 4):
        later = timedelta(hours=n)
        (launch,) = admit(ledger, 1, after=later)
        assert launch.n == n
        keys.add(launch.run_key)
        assert ledger.shards.recover(the_admitted(ledger), now=NOW + later)
    assert len(keys) == 3


@pytest.mark.parametrize("limit", [1, 5])
def test_eight_admissions_at_once_do_not_pass_the_limit(ledger: Ledger, limit: int) -> None:
    a_batch_of(ledger, 12)
    a_batch_of(ledger, 12, firm="globex")
    with ThreadPoolExecutor(8) as pool:
        launches = [launch.key for found in pool.map(lambda _: admit(ledger, limit), range(8)) for launch in found]
    assert len(launches) == len(set(launches)) == limit
    assert len(ledger.shards.admitted(now=NOW)) == limit


def test_a_run_that_claims_a_waiting_shard_by_itself_counts_as_in_flight(ledger: Ledger) -> None:
    """A backfill from the UI launches shards that nobody admitted."""
    first, second = a_batch_of(ledger, 2)
    a_worker(ledger, first)
    assert admit(ledger, 1) == []
    assert [launch.key for launch in admit(ledger, 2)] == [second]


def test_an_admitted_shard_tells_who_holds_it(ledger: Ledger) -> None:
    (key,) = a_batch_of(ledger, 1)
    admit(ledger, 1)
    assert (the_admitted(ledger).held_by, the_admitted(ledger).expired) == (None, False)
    a_worker(ledger, key, run_id="run-7")
    assert (the_admitted(ledger).held_by, the_admitted(ledger).expired) == ("run-7", False)
    assert the_admitted(ledger, after=31 * SECOND).expired


def test_a_recovered_shard_fences_its_old_worker_and_waits_again(ledger: Ledger) -> None:
    (key,) = a_batch_of(ledger, 1)
    admit(ledger, 1)
    worker = a_worker(ledger, key)
    assert ledger.shards.recover(the_admitted(ledger), now=NOW)
    with pytest.raises(LeaseLost):
        worker.fail(worker.calls()[0], Stage.SCORES, AudioInvalid())
    assert rows(ledger, shards)[0].state == "waiting"
    assert [launch.n for launch in admit(ledger, 1)] == [2]


def test_a_shard_that_moved_on_is_not_recovered(ledger: Ledger) -> None:
    """The sensor looked, a new run claimed the shard, and only then the sensor acts on what it saw."""
    (key,) = a_batch_of(ledger, 1)
    admit(ledger, 1)
    seen = the_admitted(ledger)
    a_worker(ledger, key)
    assert not ledger.shards.recover(seen, now=NOW)
    assert ledger.shards.recover(the_admitted(ledger), now=NOW)
    assert not ledger.shards.recover(seen, now=NOW)


def test_an_ended_shard_is_not_recovered(ledger: Ledger) -> None:
    (key,) = a_batch_of(ledger, 1)
    admit(ledger, 1)
    seen = the_admitted(ledger)
    run(ledger, key)
    assert not ledger.shards.recover(AdmittedShard(key, 1, 1, NOW, None, expired=False), now=NOW)
    assert not ledger.shards.recover(seen, now=NOW)


def test_launches_that_end_no_call_wait_twice_as_long_each_time_up_to_five_minutes(ledger: Ledger) -> None:
    a_batch_of(ledger, 1)
    now, waited = NOW, []
    for _ in range(9):
        ledger.shards.admit(most_in_flight=1, now=now)
        ledger.shards.recover(ledger.shards.admitted(now=now)[0], now=now)
        row = rows(ledger, shards)[0]
        waited.append((row.not_before - now).total_seconds())
        if waited[-1]:
            assert ledger.shards.admit(most_in_flight=1, now=row.not_before - SECOND) == []
        now = row.not_before
    assert waited == [0, 5, 10, 20, 40, 80, 160, 300, 300]


def test_a_call_that_ends_makes_the_next_launch_wait_no_more(ledger: Ledger) -> None:
    (key,) = an_accepted_batch(ledger, a_call(0), a_call(1)).shards
    ledger.database.write(lambda c: c.execute(sa.update(shards).values(fruitless=5)))
    worker = a_worker(ledger, key)
    worker.fail(worker.calls()[0], Stage.SCORES, AudioInvalid())
    ledger.shards.recover(the_admitted(ledger), now=NOW)
    assert rows(ledger, shards)[0].not_before == NOW


@pytest.mark.parametrize("tries", [1_100, 100_000])
def test_pauses_stay_finite_after_days_without_success(ledger: Ledger, tries: int) -> None:
    a_batch_of(ledger, 1)
    batch = received(ledger)
    ledger.database.write(lambda c: c.execute(sa.update(shards).values(fruitless=tries)))
    ledger.database.write(lambda c: c.execute(sa.update(batches).values(launches=tries)))
    admit(ledger, 1)
    assert ledger.shards.recover(the_admitted(ledger), now=NOW)
    ledger.batches.launched([batch.id], now=NOW)
    assert rows(ledger, shards)[0].not_before == NOW + timedelta(minutes=5)
    assert ledger.batches.received(now=NOW + timedelta(minutes=5), most=1)[0].n == tries + 1


def test_recovery_blames_the_call_in_hand(ledger: Ledger) -> None:
    (key,) = a_batch_of(ledger, 1)
    worker = a_worker(ledger, key)
    worker.take(worker.calls()[0])
    ledger.shards.recover(the_admitted(ledger), now=NOW)
    assert rows(ledger, attempts)[0].crashes == 1
    admit(ledger, 1)
    ledger.shards.recover(the_admitted(ledger), now=NOW)
    assert rows(ledger, attempts)[0].crashes == 1, "a run that never came has nothing in hand"


def test_a_tenant_with_the_longest_names_gets_its_shards(ledger: Ledger) -> None:
    tenant = a_tenant(ledger, firm="f" * 63, country="c" * 63)
    accepted = an_accepted_batch(ledger, tenant=tenant)
    assert [launch.key for launch in admit(ledger, 1)] == list(accepted.shards)
