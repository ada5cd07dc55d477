"""A run queued by the API and one queued by a sensor for the same work: it is done once, and nobody fails.

Lives here: whole runs in this process. Does not: the launcher (api/test_launching.py), leases (adapters/ledger).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.dagster_names import BATCHES, LAUNCH_TAG, SHARDS
from aila_pipeline.adapters.ledger.tables import attempts, shards
from aila_pipeline.api.launching import Launcher
from aila_pipeline.domain.status import BatchStatus
from aila_pipeline.errors import DagsterUnavailable
from aila_pipeline_tests.adapters.ledger.builders import a_call, holding, rows
from aila_pipeline_tests.adapters.ledger.submitting import an_access, submit
from aila_pipeline_tests.api.test_launching import until
from aila_pipeline_tests.end_to_end.in_process import Pipeline

pytestmark = pytest.mark.slow


class LateDagster:
    """Queues each run in the pipeline's instance, and never answers in time."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.queued: list[tuple[str, str | None, dict[str, str]]] = []

    def add_partition(self, partitions_def: str, key: str) -> bool:
        self.pipeline.instance.add_dynamic_partitions(partitions_def, [key])
        return True

    def launch(self, job: str, partition_key: str | None = None, tags: Mapping[str, str] | None = None) -> str:
        self.queued.append((job, partition_key, dict(tags or {})))
        raise DagsterUnavailable("no answer in time")


def a_waiting_batch(pipeline: Pipeline, speech: bytes) -> str:
    """Two calls submitted as the API does, whose audio lies in the tenant's own place of the store."""
    url = "s3://aila/recordings/kz/acme/one.flac"
    pipeline.store.write("recordings/kz/acme/one.flac", speech)
    calls = [a_call(n, name, url=url) for n, name in enumerate(("a", "b"))]
    return submit(pipeline.ledger, an_access(pipeline.ledger), *calls, now=datetime.now(UTC)).batch_id


def test_a_shard_queued_twice_is_worked_off_by_one_run_and_left_alone_by_the_other(
    pipeline: Pipeline, speech: bytes
) -> None:
    batch_id, dagster = a_waiting_batch(pipeline, speech), LateDagster(pipeline)
    with Launcher(pipeline.ledger, dagster, most_in_flight=4) as launcher:
        launcher.shards()
        until(lambda: bool(dagster.queued))
    ((job, key, tags),) = dagster.queued
    assert (job, pipeline.instance.get_dynamic_partitions(SHARDS)) == ("process", [key])
    assert key is not None
    assert pipeline.tick_admission() == [key], "the sensor launches what was given back"
    (shard,) = rows(pipeline.ledger, shards)
    assert str(shard.launches) != tags[LAUNCH_TAG], "the two runs are told apart"

    with holding(pipeline.ledger, key, token="the API's run"):
        second = pipeline.execute("process", key)
        assert second.success, "a run that finds its shard taken ends quietly"
        tagged = pipeline.instance.get_run_by_id(second.run_id)
        assert tagged is not None
        assert tagged.tags["aila/superseded"] == "yes"
        assert {row.outcome for row in rows(pipeline.ledger, attempts)} == {None}
    let_go = sa.update(shards).values(lease_token=None, lease_expires_at=None)
    pipeline.ledger.database.write(lambda connection: connection.execute(let_go))
    assert pipeline.execute("process", key).success
    assert pipeline.the_batch().status is BatchStatus.COMPLETED
    assert pipeline.execute("process", key).success, "a run that comes too late finds nothing to do"
    assert [(row.n, row.outcome) for row in rows(pipeline.ledger, attempts)] == [(1, "completed")] * 2
    assert len(pipeline.events("call")) == 2
    assert [event.partition for event in pipeline.events("batch")] == [batch_id]
    assert pipeline.differences() == []


def test_the_sensor_does_not_bring_back_a_shard_whose_run_the_api_has_launched(
    pipeline: Pipeline, speech: bytes
) -> None:
    a_waiting_batch(pipeline, speech)
    (launch,) = pipeline.ledger.shards.admit(most_in_flight=4, now=datetime.now(UTC))
    pipeline.instance.add_dynamic_partitions(SHARDS, [launch.key])
    assert pipeline.tick_admission() == []
    assert pipeline.tick_recovery() == "nothing is lost"
    assert pipeline.execute("process", launch.key, aila__launch=str(launch.n)).success
    assert pipeline.the_batch().status is BatchStatus.COMPLETED


def test_a_submission_queued_twice_is_taken_in_once(pipeline: Pipeline, speech: bytes) -> None:
    pipeline.drop_calls({"one.flac": speech, "two.flac": speech})
    (batch_id,) = pipeline.tick_drop_zone()
    pipeline.instance.add_dynamic_partitions(BATCHES, [batch_id])
    for _ in range(2):
        assert pipeline.execute("take_in", batch_id).success
    pipeline.run()
    assert [call.attempt for call in pipeline.calls()] == [1, 1]
    assert len(rows(pipeline.ledger, shards)) == 1
    assert pipeline.differences() == []
