"""Launching: runs are asked for at once, once, and given back to the sensors where Dagster does not answer.

Lives here: the launcher against a ledger and a Dagster that remembers what it was asked. Does not: Dagster itself
(adapters/test_dagster_client.py), whole runs (end_to_end).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from aila_pipeline.adapters.dagster_names import LAUNCH_TAG, PRIORITY_TAG
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.adapters.ledger.tables import batches, shards
from aila_pipeline.api import launching
from aila_pipeline.api.launching import Launcher
from aila_pipeline.domain.models import Priority
from aila_pipeline.errors import DagsterUnavailable, LeaseLost
from aila_pipeline_tests.adapters.ledger.builders import a_call, a_tenant, an_accepted_batch, holding, rows, run
from aila_pipeline_tests.adapters.ledger.conftest import ledger, migrated_file, migrated_schema
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound

__all__ = ["ledger", "migrated_file", "migrated_schema"]

Asked = tuple[str, str | None, dict[str, str]]


class RememberingDagster:
    """Answers like a Dagster, unless `broken`; a launch for a key that was not added would fail there, and fails here.

    `late`: the run is queued, but the answer does not come in time.
    """

    def __init__(self, *, broken: bool = False, late: bool = False) -> None:
        self.broken, self.late = broken, late
        self.asked = 0
        self.keys: set[tuple[str, str]] = set()
        self.runs: list[Asked] = []

    def add_partition(self, partitions_def: str, key: str) -> bool:
        self.asked += 1
        if self.broken:
            raise DagsterUnavailable("it is down")
        self.keys.add((partitions_def, key))
        return True

    def launch(self, job: str, partition_key: str | None = None, tags: Mapping[str, str] | None = None) -> str:
        partitions = {"take_in": "batches", "process": "shards"}[job]
        assert (partitions, partition_key) in self.keys, "a run for an unknown partition fails"
        self.runs.append((job, partition_key, dict(tags or {})))
        if self.late:
            raise DagsterUnavailable("no answer in time")
        return f"run-{len(self.runs)}"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "nothing happened for ten seconds"
        time.sleep(0.01)


@contextmanager
def launching_into(ledger: Ledger, dagster: RememberingDagster, *, most: int = 10) -> Iterator[Launcher]:
    with Launcher(ledger, dagster, most_in_flight=most) as launcher:
        yield launcher


def a_received_pair(ledger: Ledger, *, now: datetime | None = None) -> str:
    """What step 3 of an upload leaves: a batch that waits for its `take_in` run."""
    now = now or datetime.now(UTC)
    tenant = a_tenant(ledger)
    access = Access("key_1", tenant, ledger.tenants.ensure_user(tenant, "ops@acme.example"))
    upload = ledger.uploads.issue(access, metadata_name="m.csv", audios_name="a.zip", lasts=timedelta(hours=1), now=now)
    return ledger.submissions.submit_pair(access, upload, sources=[], rows=1, now=now).batch_id


def test_a_received_pair_is_launched_with_its_partition_and_tag(ledger: Ledger) -> None:
    batch_id, dagster = a_received_pair(ledger), RememberingDagster()
    with launching_into(ledger, dagster) as launcher:
        launcher.submission(batch_id)
        until(lambda: bool(dagster.runs))
    assert dagster.keys == {("batches", batch_id)}
    assert dagster.runs == [("take_in", batch_id, {LAUNCH_TAG: "1"})]


def test_the_sensor_leaves_alone_what_was_launched_and_launches_it_when_its_run_is_overdue(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    batch_id, dagster = a_received_pair(ledger, now=now), RememberingDagster()
    with launching_into(ledger, dagster) as launcher:
        launcher.submission(batch_id)
        until(lambda: bool(dagster.runs))
    assert ledger.batches.received(now=now + timedelta(seconds=20), most=10) == []
    (later,) = ledger.batches.received(now=now + timedelta(minutes=1), most=10)
    assert (later.key, later.n) == (batch_id, 2)


def test_a_submission_asked_for_twice_is_launched_once(ledger: Ledger) -> None:
    batch_id, dagster = a_received_pair(ledger), RememberingDagster()
    with launching_into(ledger, dagster) as launcher, launching_into(ledger, dagster) as another:
        for _ in range(3):
            launcher.submission(batch_id)
            another.submission(batch_id)
        marker = a_received_pair(ledger)
        launcher.submission(marker)
        until(lambda: marker in {key for _, key, _ in dagster.runs})
    assert [key for _, key, _ in dagster.runs].count(batch_id) == 1


def test_a_submission_whose_turn_the_sensor_has_is_not_launched_here(ledger: Ledger) -> None:
    """The API was too slow: the sensor may be launching it at this very moment."""
    overdue = a_received_pair(ledger, now=datetime.now(UTC) - timedelta(seconds=6))
    dagster = RememberingDagster()
    with launching_into(ledger, dagster) as launcher:
        launcher.submission(overdue)
        marker = a_received_pair(ledger)
        launcher.submission(marker)
        until(lambda: bool(dagster.runs))
    assert [key for _, key, _ in dagster.runs] == [marker]


def test_a_submission_that_could_not_be_launched_is_the_sensor_s_at_once(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    batch_id, dagster = a_received_pair(ledger), RememberingDagster(broken=True)
    with caplog.at_level(logging.WARNING), launching_into(ledger, dagster) as launcher:
        launcher.submission(batch_id)
        until(lambda: bool(caplog.records))
    (launch,) = ledger.batches.received(now=datetime.now(UTC), most=10)
    assert (launch.key, launch.n) == (batch_id, 2)
    assert "DAGSTER_UNAVAILABLE" in caplog.text


def test_waiting_shards_are_admitted_and_launched_with_their_priority(ledger: Ledger) -> None:
    (live,) = an_accepted_batch(ledger, a_call(0, "a")).shards
    (backfill,) = an_accepted_batch(ledger, a_call(0, "b"), priority=Priority.BACKFILL).shards
    dagster = RememberingDagster()
    with launching_into(ledger, dagster) as launcher:
        launcher.shards()
        until(lambda: len(dagster.runs) == 2)
    assert dagster.runs == [
        ("process", live, {LAUNCH_TAG: "1", PRIORITY_TAG: "0"}),
        ("process", backfill, {LAUNCH_TAG: "1", PRIORITY_TAG: "-1"}),
    ]
    assert ledger.shards.admit(most_in_flight=10, now=datetime.now(UTC)) == [], "nothing is left for the sensor"


def test_no_more_shards_are_launched_than_may_be_in_flight(ledger: Ledger) -> None:
    an_accepted_batch(ledger, *(a_call(n) for n in range(5)), shard_size=1)
    dagster = RememberingDagster()
    with launching_into(ledger, dagster, most=2) as launcher:
        for _ in range(3):
            launcher.shards()
        until(lambda: len(dagster.runs) == 2)
    assert len(dagster.runs) == 2
    assert sorted(row.state for row in rows(ledger, shards)) == ["admitted"] * 2 + ["waiting"] * 3


def test_shards_that_could_not_be_launched_wait_again_and_it_is_not_held_against_them(ledger: Ledger) -> None:
    an_accepted_batch(ledger, a_call(0), a_call(1), shard_size=1)
    dagster = RememberingDagster(broken=True)
    with launching_into(ledger, dagster) as launcher:
        launcher.shards()
        until(lambda: dagster.asked > 0)
    found = rows(ledger, shards)
    assert [(row.state, row.fruitless, row.not_before) for row in found] == [("waiting", 0, None)] * 2
    again = ledger.shards.admit(most_in_flight=10, now=datetime.now(UTC))
    assert [launch.n for launch in again] == [2, 2], "the sensor's run keys are new ones"
    assert dagster.asked == 1, "the second shard was not even tried"


def test_after_a_failure_dagster_is_left_alone_for_a_while_and_one_line_is_logged(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    an_accepted_batch(ledger, a_call(0))
    dagster = RememberingDagster(broken=True)
    with caplog.at_level(logging.WARNING), launching_into(ledger, dagster) as launcher:
        for _ in range(20):
            launcher.shards()
            time.sleep(0.01)
        until(lambda: bool(caplog.records))
    assert dagster.asked == 1
    assert len(caplog.records) == 1


def test_launching_goes_on_when_dagster_is_back(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "QUIET_SECONDS", 0.05)
    an_accepted_batch(ledger, a_call(0))
    dagster = RememberingDagster(broken=True)
    with launching_into(ledger, dagster) as launcher:
        launcher.shards()
        until(lambda: dagster.asked == 1)
        dagster.broken = False

        def launched() -> bool:
            launcher.shards()
            return bool(dagster.runs)

        until(launched)
    assert [job for job, _, _ in dagster.runs] == ["process"]


def test_a_shard_that_a_run_holds_is_not_taken_from_it(ledger: Ledger) -> None:
    """The answer came too late, the run had begun: giving back must not let the sensor start another."""
    (key,) = an_accepted_batch(ledger, a_call(0)).shards
    (launch,) = ledger.shards.admit(most_in_flight=1, now=datetime.now(UTC))
    with holding(ledger, key):
        ledger.shards.give_back(launch)
        assert ledger.shards.admit(most_in_flight=10, now=datetime.now(UTC)) == []
    run(ledger, key)
    ledger.shards.give_back(launch)
    assert rows(ledger, shards)[0].state == "ended"


def test_a_run_queued_by_the_api_and_one_by_the_sensor_do_the_work_once(ledger: Ledger) -> None:
    """Dagster queued the run without answering in time, so the sensor launches another: the lease lets one work."""
    (key,) = an_accepted_batch(ledger, *(a_call(n) for n in range(3))).shards
    dagster = RememberingDagster(late=True)
    with launching_into(ledger, dagster) as launcher:
        launcher.shards()
        until(lambda: bool(dagster.runs))
    (launch,) = ledger.shards.admit(most_in_flight=1, now=datetime.now(UTC))
    tags = [dagster.runs[0][2][LAUNCH_TAG], str(launch.n)]
    assert tags == ["1", "2"], "two runs, told apart by their launch"
    barrier, lost = threading.Barrier(2), list[str]()

    def work(name: str) -> None:
        barrier.wait(timeout=10)
        try:
            run(ledger, key, token=name, run_id=name)
        except LeaseLost:
            lost.append(name)

    workers = [threading.Thread(target=work, args=(f"run-{n}",)) for n in tags]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)
    assert len(lost) < 2
    assert {row.state for row in rows(ledger, shards)} == {"ended"}
    assert rows(ledger, batches)[0].completed_calls == 3
    assert_sound(ledger)


def test_closing_does_not_wait_for_what_was_not_begun(ledger: Ledger) -> None:
    dagster = RememberingDagster()
    ids = [a_received_pair(ledger) for _ in range(3)]
    launcher = Launcher(ledger, dagster, most_in_flight=1)
    for batch_id in ids:
        launcher.submission(batch_id)
    began = time.monotonic()
    with launcher:
        pass
    assert time.monotonic() - began < 5
    later = ledger.batches.received(now=datetime.now(UTC) + timedelta(minutes=1), most=10)
    assert len(later) + len(dagster.runs) >= 3, "what was not launched is left to the sensor"
