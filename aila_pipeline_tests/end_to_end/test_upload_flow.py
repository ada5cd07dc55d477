"""Contract A from its first step to scored calls, on the embedded stores; the nightly cleaning afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from aila_pipeline.domain.status import BatchStatus, CallStatus
from aila_pipeline_tests.api.conftest import NOBODYS_PORT, Site, a_site
from aila_pipeline_tests.api.test_pairs import processed, uploaded
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline, zipped

pytestmark = pytest.mark.slow


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with a_pipeline(tmp_path / "home", dagster_url=NOBODYS_PORT) as made:
        yield made


@pytest.fixture
def site(pipeline: Pipeline) -> Iterator[Site]:
    """The API on the pipeline's home."""
    with a_site(pipeline.settings) as made:
        yield made


def submitted(site: Site, files: Mapping[str, bytes], **cells: str) -> str:
    """The batch of a pair with one row for each file."""
    csv = a_csv(*(a_row(name, **cells) for name in files))
    return str(processed(site, uploaded(site, csv, zipped(files)))["batch_id"])


def take_in(pipeline: Pipeline, batch_id: str) -> None:
    """What the API asks Dagster for."""
    pipeline.instance.add_dynamic_partitions("batches", [batch_id])
    assert pipeline.execute("take_in", batch_id).success
    pipeline.run()


def test_an_uploaded_pair_ends_as_scored_calls(pipeline: Pipeline, site: Site, speech: bytes) -> None:
    batch_id = submitted(site, {"one.flac": speech, "bad.mp3": b"no audio " * 50, "two.flac": speech})
    take_in(pipeline, batch_id)
    batch = pipeline.the_batch()
    assert (batch.id, batch.status) == (batch_id, BatchStatus.PARTIAL)
    assert [call.error_code for call in pipeline.calls()] == [None, "AUDIO_INVALID", None]
    (one, _, two) = pipeline.calls()
    assert {one.status, two.status} == {CallStatus.COMPLETED}
    assert sorted(str(event.partition) for event in pipeline.events("call")) == sorted(c.id for c in pipeline.calls())
    assert [info.key for info in pipeline.store.list("kz/")] == []
    assert pipeline.differences() == []


def test_the_sensor_takes_in_what_the_api_could_not_launch(pipeline: Pipeline, site: Site, speech: bytes) -> None:
    batch_id = submitted(site, {"one.flac": speech})
    site.services.launcher.__exit__(None, None, None)
    make_due = "update batches set not_before = null"
    pipeline.ledger.database.write(lambda connection: connection.exec_driver_sql(make_due))
    assert pipeline.tick_drop_zone() == [batch_id]
    take_in(pipeline, batch_id)
    assert pipeline.the_batch().status is BatchStatus.COMPLETED


def test_the_same_pair_dropped_and_uploaded_is_one_batch(pipeline: Pipeline, site: Site, speech: bytes) -> None:
    pipeline.drop_calls({"one.flac": speech})
    pipeline.run()
    dropped = pipeline.the_batch()
    batch_id = submitted(site, {"one.flac": speech})
    take_in(pipeline, batch_id)
    again = pipeline.ledger.batches.get(batch_id)
    assert again is not None
    assert (again.state, again.duplicate_of) == ("duplicate", dropped.id)
    assert [call.attempt for call in pipeline.calls(dropped)] == [1]
    assert pipeline.differences() == []


def test_a_zip_that_changes_before_the_run_is_told_call_by_call(pipeline: Pipeline, site: Site, speech: bytes) -> None:
    """Gap 6; Dagster is told of each call, and the report is written."""
    upload = uploaded(site, a_csv(a_row("one.flac"), a_row("two.flac")), zipped({"one.flac": speech, "two.flac": b""}))
    batch_id = str(processed(site, upload)["batch_id"])
    pipeline.store.write(upload.audios_key, zipped({"one.flac": b"other"}))
    take_in(pipeline, batch_id)
    assert pipeline.the_batch().status is BatchStatus.FAILED
    assert [call.error_code for call in pipeline.calls()] == ["SOURCE_CHANGED", "SOURCE_CHANGED"]
    assert len(pipeline.events("call")) == 2
    assert pipeline.differences() == []


def test_the_nightly_cleaning_leaves_fresh_uploads_alone(pipeline: Pipeline, site: Site, speech: bytes) -> None:
    upload = uploaded(site)
    assert pipeline.execute("prune").success
    assert pipeline.store.exists(upload.metadata_key)
    week = "update uploads set expires_at = '2020-01-01 00:00:00'"
    pipeline.ledger.database.write(lambda connection: connection.exec_driver_sql(week))
    assert pipeline.execute("prune").success
    assert list(pipeline.store.list("kz/")) == []
    assert site.acme.post("/v1/calls/process-upload", json=upload.keys).status_code == 404
