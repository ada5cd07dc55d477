"""The heartbeat: a thread renews the lease as long as the worker makes progress, and only then.

Lives here: what takes real time. Does not: the lease's own rules (test_leases.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.tables import shards
from aila_pipeline.domain.status import Stage
from aila_pipeline.errors import LeaseLost, LedgerUnavailable
from aila_pipeline_tests.adapters.ledger.builders import an_accepted_batch, holding, rows


@pytest.fixture
def shard(ledger: Ledger) -> str:
    """A shard with an open call."""
    return an_accepted_batch(ledger).shards[0]


@contextmanager
def impatient(ledger: Ledger) -> Iterator[Ledger]:
    """Another process's ledger over the same database; PostgreSQL gives it up to wait for a lock after 50 ms."""
    url = ledger.database.url
    if not ledger.database.sqlite:
        url = url.update_query_dict({"options": f"{url.query['options']} -clock_timeout=50"})
    another = Ledger(url.render_as_string(hide_password=False))
    yield another
    another.close()


@contextmanager
def out_of_reach(ledger: Ledger) -> Iterator[None]:
    """The shards cannot be written: their table is under another name (SQLite), or locked (PostgreSQL)."""
    if ledger.database.sqlite:
        ledger.database.write(lambda c: c.exec_driver_sql("ALTER TABLE shards RENAME TO hidden"))
        yield
        ledger.database.write(lambda c: c.exec_driver_sql("ALTER TABLE hidden RENAME TO shards"))
    else:
        with ledger.database.engine.begin() as connection:
            connection.exec_driver_sql("LOCK TABLE shards IN ACCESS EXCLUSIVE MODE")
            yield


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def test_the_heartbeat_renews_as_long_as_there_is_progress(ledger: Ledger, shard: str) -> None:
    with holding(ledger, shard, lease_seconds=0.3) as work:
        first = rows(ledger, shards)[0].lease_expires_at
        until(lambda: rows(ledger, shards)[0].lease_expires_at > first + timedelta(seconds=0.3))
        work.enter(Stage.SCORES)


def test_a_worker_without_progress_loses_its_lease(ledger: Ledger, shard: str) -> None:
    def taken() -> bool:
        try:
            with holding(ledger, shard, token="worker-2", lease_seconds=0.3):
                return True
        except LeaseLost:
            return False

    with holding(ledger, shard, lease_seconds=0.3, stall_seconds=0.2) as work:
        until(taken)
        with pytest.raises(LeaseLost):
            work.enter(Stage.SCORES)


def test_a_worker_that_wakes_up_in_time_is_renewed_again(ledger: Ledger, shard: str) -> None:
    def expired() -> bool:
        return any(found.expired for found in ledger.shards.admitted(now=datetime.now(UTC)))

    with holding(ledger, shard, lease_seconds=0.3, stall_seconds=0.2) as work:
        until(expired)
        deadline = time.monotonic() + 10
        while expired():
            work.progress()
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_the_heartbeat_survives_a_database_that_does_not_answer(ledger: Ledger, shard: str) -> None:
    """Two renewals fail, the third one comes in time; and the body meets the database again."""
    with impatient(ledger) as another, holding(another, shard, lease_seconds=0.6) as work:
        with out_of_reach(ledger):
            with pytest.raises(LedgerUnavailable):
                work.enter(Stage.SCORES)
            time.sleep(0.5)
        mended = rows(ledger, shards)[0].lease_expires_at
        until(lambda: rows(ledger, shards)[0].lease_expires_at > mended)
        work.enter(Stage.SCORES)


def test_no_heartbeat_is_left_behind(ledger: Ledger, shard: str) -> None:
    with holding(ledger, shard):
        pass
    assert not any(thread.name.startswith("lease ") for thread in threading.enumerate())
