"""Two at once: threads and processes that want the same thing of one ledger.

Lives here: races, each run often enough to happen. Does not: what a lease refuses (test_leases.py), the limit of
admission (test_admission.py).
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import ExceptionContext

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.acceptance import Acceptance
from aila_pipeline.adapters.ledger.attempts import close_batches
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.ledger.tables import attempts, batches, calls, shards
from aila_pipeline.domain.intake.identity import source_fingerprint
from aila_pipeline.domain.models import Priority
from aila_pipeline.errors import AudioInvalid, LeaseLost
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_submission,
    a_tenant,
    a_worker,
    accept,
    an_accepted_batch,
    received,
    rows,
    run,
)
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound

T = TypeVar("T")


def at_once(actions: Sequence[Callable[[], T]]) -> list[T]:
    """Start all the actions at the same moment; their results, or the first exception of one."""
    barrier = threading.Barrier(len(actions))

    def begin(action: Callable[[], T]) -> T:
        barrier.wait(timeout=30)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(begin, actions))


def url_of(ledger: Ledger) -> str:
    return ledger.database.url.render_as_string(hide_password=False)


def end_of_shard(ledger: Ledger, shard: str) -> Callable[[], list[str]]:
    """A worker that has done everything but the last transaction."""
    worker = a_worker(ledger, shard, token=f"worker of {shard}"[:64])
    done: list[tuple[WorkCall, dict[str, object]]] = [(call, {}) for call in worker.calls()]
    return partial(worker.end, done)


def close_often(ledger: Ledger, rounds: int) -> None:
    tenant = a_tenant(ledger)
    for _ in range(rounds):
        accepted = an_accepted_batch(ledger, a_call(0), a_call(1), tenant=tenant, shard_size=1)
        closed = at_once([end_of_shard(ledger, key) for key in accepted.shards])
        assert sorted(map(len, closed)) == [0, 1], "one of the two closes the batch, and only one"
    assert_sound(ledger)


def test_two_shards_that_end_at_once_close_their_batch_once(ledger: Ledger) -> None:
    close_often(ledger, rounds=10)


@pytest.mark.slow
def test_two_shards_that_end_at_once_close_their_batch_once_each_of_fifty_times(ledger: Ledger) -> None:
    close_often(ledger, rounds=50)


def _end_in_a_process(url: str, shard: str, go: Callable[[], object]) -> None:
    ledger = Ledger(url)
    end = end_of_shard(ledger, shard)
    go()
    end()
    ledger.close()


@pytest.mark.slow
def test_two_processes_that_end_at_once_close_their_batch_once(ledger: Ledger) -> None:
    context = multiprocessing.get_context("spawn")
    accepted = an_accepted_batch(ledger, *(a_call(n) for n in range(4)), shard_size=1)
    barrier = context.Barrier(4)
    workers = [
        context.Process(target=_end_in_a_process, args=(url_of(ledger), key, barrier.wait)) for key in accepted.shards
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert rows(ledger, batches)[0].closings == 1
    assert_sound(ledger)


def test_a_batch_that_links_a_call_while_it_ends_is_closed(ledger: Ledger) -> None:
    """Either the acceptance sees the call completed, or the end of the call sees the link."""
    for n in range(10):
        first = an_accepted_batch(ledger, a_call(0, f"c-{n}"))
        end = end_of_shard(ledger, first.shards[0])
        batch, submission = received(ledger), a_submission(a_call(0, f"c-{n}"))
        both: list[Callable[[], object]] = [end, partial(accept, ledger, batch, submission)]
        at_once(both)
        assert [row.id for row in rows(ledger, batches, batches.c.ended_at.is_(None))] == []
    assert_sound(ledger)


def test_a_call_that_ends_while_an_acceptance_links_it_waits_for_that(ledger: Ledger) -> None:
    """The same race, with the acceptance stopped at its worst moment: it has read the call, and not committed."""
    first = an_accepted_batch(ledger, a_call(0, "c"))
    end, batch, submission = end_of_shard(ledger, first.shards[0]), received(ledger), a_submission(a_call(0, "c"))
    details = submission.calls[0].details
    assert details is not None
    acceptance = Acceptance(batch.id, batch.tenant.id, Priority.LIVE, 100, NOW, {0: source_fingerprint(details, None)})
    ending: list[Future[list[str]]] = []

    def change(connection: sa.Connection) -> None:
        values = {"state": "accepted", "accepted_at": NOW, "total_calls": 1}
        connection.execute(sa.update(batches).where(batches.c.id == batch.id).values(**values))
        acceptance.write(connection, submission.calls)
        ending.append(pool.submit(end))
        wait(ending, timeout=0.5)
        close_batches(connection, [batch.id], now=NOW)

    with ThreadPoolExecutor(1) as pool:
        ledger.database.write(change)
    assert set(ending[0].result()) == {first.batch_id, batch.id}
    assert_sound(ledger)


def test_a_retry_while_another_shard_of_the_batch_ends_leaves_the_batch_open(ledger: Ledger) -> None:
    for n in range(8):
        accepted = an_accepted_batch(ledger, a_call(0, f"a-{n}"), a_call(1, f"b-{n}"), shard_size=1)
        run(ledger, accepted.shards[0], failing={f"a-{n}": AudioInvalid()})
        end = end_of_shard(ledger, accepted.shards[1])
        retry: Callable[[], list[str]] = partial(ledger.batches.retry, accepted.batch_id, shard_size=1, now=NOW)
        at_once([end, retry])
        view = ledger.views.batch(accepted.batch_id)
        assert view is not None
        assert (view.ended_at, view.pending) == (None, 1)
    assert_sound(ledger)


def test_two_retries_at_once_are_one(ledger: Ledger) -> None:
    for n in range(5):
        accepted = an_accepted_batch(ledger, a_call(0, f"c-{n}"))
        run(ledger, accepted.shards[0], failing={f"c-{n}": AudioInvalid()})
        retry: Callable[[], list[str]] = partial(ledger.batches.retry, accepted.batch_id, shard_size=1, now=NOW)
        assert sorted(map(len, at_once([retry] * 4))) == [0, 0, 0, 1]
    assert_sound(ledger)


def test_the_same_content_accepted_by_several_at_once_is_one_batch(ledger: Ledger) -> None:
    content = a_submission(*(a_call(n, f"c-{n}") for n in range(5)), digest="same")
    accepted = at_once([partial(accept, ledger, received(ledger), content) for _ in range(4)])
    assert sorted(done.state for done in accepted) == ["accepted", "duplicate", "duplicate", "duplicate"]
    assert len({done.batch_id for done in accepted}) == 1
    assert len(rows(ledger, calls)) == 5
    assert_sound(ledger)


def test_one_batch_accepted_by_several_at_once_is_accepted_once(ledger: Ledger) -> None:
    batch, content = received(ledger), a_submission(*(a_call(n) for n in range(5)))
    accepted = at_once([partial(accept, ledger, batch, content)] * 4)
    assert sorted(len(done.shards) for done in accepted) == [0, 0, 0, 1]
    assert_sound(ledger)


def accept_at_once(ledger: Ledger, names: Sequence[str]) -> None:
    """Four batches with the same ids in opposite orders, so that on PostgreSQL they wait for each other's rows."""
    contents = [a_submission(*(a_call(n, name) for n, name in enumerate(names[::step]))) for step in (1, -1, 1, -1)]
    at_once([partial(accept, ledger, received(ledger), content) for content in contents])


def test_several_batches_with_the_same_ids_at_once_share_their_calls(ledger: Ledger) -> None:
    names = [f"c-{n}" for n in range(20)]
    accept_at_once(ledger, names)
    assert {row.attempt for row in rows(ledger, calls)} == {1}
    assert_sound(ledger)
    for shard in rows(ledger, shards):
        run(ledger, shard.id, failing=dict.fromkeys(names, AudioInvalid()))
    accept_at_once(ledger, names)
    assert {row.attempt for row in rows(ledger, calls)} == {2}
    assert len(rows(ledger, calls)) == 20
    assert_sound(ledger)


def test_batches_with_the_same_ids_in_any_order_do_not_lock_each_other_out(ledger: Ledger) -> None:
    """A deadlock costs PostgreSQL a second each, and a transaction that loses too many of them is refused."""
    refused: list[str | None] = []

    def note(context: ExceptionContext) -> None:
        refused.append(getattr(context.original_exception, "sqlstate", None))

    sa.event.listen(ledger.database.engine, "handle_error", note)
    # More than one group of rows, and names that a language's order would sort otherwise than their bytes.
    names = [f"{letter}-{n}" for n in range(170) for letter in "aBé"]
    accept_at_once(ledger, names)
    for shard in rows(ledger, shards):
        run(ledger, shard.id, failing=dict.fromkeys(names, AudioInvalid()))
    accept_at_once(ledger, names)
    assert "40P01" not in refused
    assert len(rows(ledger, calls)) == len(names)


def test_one_fingerprint_received_by_several_at_once_is_one_batch(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    found = at_once([partial(received, ledger, tenant=tenant, fingerprint="same")] * 6)
    assert len({batch.id for batch in found}) == 1


def test_a_tenant_made_by_several_at_once_is_one(ledger: Ledger) -> None:
    assert len({tenant.id for tenant in at_once([partial(a_tenant, ledger)] * 6)}) == 1


def test_of_several_claimers_at_once_one_wins(ledger: Ledger) -> None:
    (key,) = an_accepted_batch(ledger).shards

    def claim(token: str) -> bool:
        try:
            a_worker(ledger, key, token=token)
        except LeaseLost:
            return False
        return True

    assert sum(at_once([partial(claim, f"w{n}") for n in range(8)])) == 1
    assert rows(ledger, shards)[0].lease_epoch == 1


def test_eight_writers_get_along(ledger: Ledger) -> None:
    """Every kind of write at once, none of which sees `database is locked`, a deadlock or a lost update."""
    keys = an_accepted_batch(ledger, *(a_call(n, f"c-{n}") for n in range(24)), shard_size=3).shards
    failing = dict.fromkeys((f"c-{n}" for n in range(0, 24, 3)), AudioInvalid())

    def work(key: str) -> None:
        ledger.shards.admit(most_in_flight=3, now=NOW)
        run(ledger, key, failing=failing, token=f"w-{key}"[:64])
        an_accepted_batch(ledger, *(a_call(n, f"c-{n}") for n in range(5)))

    at_once([partial(work, key) for key in keys])
    assert {row.outcome for row in rows(ledger, attempts, attempts.c.shard_id.in_(keys))} == {"completed", "failed"}
    assert_sound(ledger)


def test_counting_up_in_parallel_loses_nothing(ledger: Ledger) -> None:
    """A transaction that reads and then writes: what SQLite refuses at once unless it began as a writer."""
    accepted = an_accepted_batch(ledger)

    def count_up(connection: sa.Connection) -> None:
        lock = sa.select(batches.c.touched).where(batches.c.id == accepted.batch_id).with_for_update()
        seen = connection.scalar(lock) or 0
        connection.execute(sa.update(batches).where(batches.c.id == accepted.batch_id).values(touched=seen + 1))

    before = rows(ledger, batches)[0].touched

    def count_to_ten() -> None:
        for _ in range(10):
            ledger.database.write(count_up)

    at_once([count_to_ten] * 8)
    assert rows(ledger, batches)[0].touched == before + 80


def test_a_deadlock_is_run_again(ledger: Ledger) -> None:
    """Two transactions that lock two rows in opposite orders; PostgreSQL kills one, SQLite lets them take turns."""
    first, second = an_accepted_batch(ledger).batch_id, an_accepted_batch(ledger).batch_id
    meeting, tries = threading.Barrier(2), []

    def touch_both(*order: str) -> None:
        def change(connection: sa.Connection) -> None:
            tries.append(order)
            for batch_id in order:
                connection.execute(sa.update(batches).where(batches.c.id == batch_id).values(launches=7))
                if not ledger.database.sqlite and tries.count(order) == 1 and batch_id == order[0]:
                    meeting.wait(timeout=10)

        ledger.database.write(change)

    at_once([partial(touch_both, first, second), partial(touch_both, second, first)])
    assert [row.launches for row in rows(ledger, batches)] == [7, 7]
    assert len(tries) == (2 if ledger.database.sqlite else 3)
