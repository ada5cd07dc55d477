"""The drop zone over time: files that change, tenants that nobody knows, thousands of files at once."""

from __future__ import annotations

import time
from pathlib import Path

import dagster as dg
import pytest

from aila_pipeline.defs import sensors
from aila_pipeline.defs.sensors import MOST_ARRIVALS, MOST_SUBMISSIONS
from aila_pipeline.domain.status import BatchStatus, CallStatus
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline, zipped

pytestmark = pytest.mark.slow

TICK_DIES_AFTER_SECONDS = 60.0
"""Dagster's default; a tick must stay well below it on any machine."""


def test_an_archive_replaced_after_it_was_seen_is_taken_in_as_it_is_now(pipeline: Pipeline, speech: bytes) -> None:
    """Between the tick and its run the client uploads again; what the first listing meant is withdrawn."""
    pipeline.drop_calls({"one.flac": b"a wrong file"})
    (seen,) = pipeline.tick_drop_zone()
    pipeline.drop_calls({"one.flac": speech})
    assert pipeline.execute("take_in", seen).success
    assert pipeline.batches() == []
    pipeline.run()
    assert pipeline.the_batch().status is BatchStatus.COMPLETED
    assert list(pipeline.store.list("inbox/")) == []
    assert pipeline.differences() == []


def test_an_archive_replaced_after_it_was_accepted_fails_its_calls_alone(pipeline: Pipeline, speech: bytes) -> None:
    pipeline.drop_calls({"one.flac": speech, "two.flac": speech})
    pipeline.drop_calls({"three.flac": speech}, place="inbox/kz/acme/other")
    for batch in pipeline.tick_drop_zone():
        assert pipeline.execute("take_in", batch).success
    (changed,) = [batch for batch in pipeline.batches() if batch.name == "one"]
    pipeline.store.write(f"_aila/batches/{changed.id}/source/audios.zip", zipped({"one.flac": b"other bytes"}))
    pipeline.run()
    other, changed = sorted(pipeline.batches(), key=lambda batch: batch.name != "other")
    assert {call.error_code for call in pipeline.calls(changed)} == {"SOURCE_CHANGED"}
    assert [call.status for call in pipeline.calls(other)] == [CallStatus.COMPLETED]
    assert pipeline.differences() == []


def test_files_of_an_unknown_tenant_are_left_and_told_about_once(tmp_path: Path, speech: bytes) -> None:
    """Where tenants are not made by dropping; as soon as somebody has made it, its files are taken in."""
    with a_pipeline(tmp_path / "home", create_tenants=False) as pipeline:
        pipeline.ledger.tenants.ensure("kz", "acme")
        pipeline.drop_calls({"one.flac": speech})
        pipeline.drop_calls({"two.flac": speech}, place="inbox/kz/stranger/one")
        pipeline.run()
        assert [(batch.firm, batch.status) for batch in pipeline.batches()] == [("acme", BatchStatus.COMPLETED)]
        left = [info.key for info in pipeline.store.list("inbox/")]
        assert left == ["inbox/kz/stranger/one/audios.zip", "inbox/kz/stranger/one/metadata.csv"]
        reason = "kz/stranger/one waits: its tenant is not known, and AILA_CREATE_TENANTS is off"
        assert told_twice(pipeline) == [[reason], []]
        pipeline.ledger.tenants.ensure("kz", "stranger")
        pipeline.run()
        assert {batch.status for batch in pipeline.batches()} == {BatchStatus.COMPLETED}
        assert pipeline.differences() == []


def test_half_a_pair_waits_and_is_told_about_once_after_a_while(tmp_path: Path, speech: bytes) -> None:
    with a_pipeline(tmp_path / "home", pair_alarm_minutes=0.0) as pipeline:
        pipeline.store.write("inbox/kz/acme/one/metadata.csv", a_csv(a_row("one.flac")))
        reason = "kz/acme/one waits: a file is still being written, or its other half has not come"
        assert told_twice(pipeline) == [[reason], []]
        pipeline.store.write("inbox/kz/acme/one/audios.zip", zipped({"one.flac": speech}))
        pipeline.run()
        assert pipeline.the_batch().status is BatchStatus.COMPLETED


def told_twice(pipeline: Pipeline) -> list[list[str]]:
    """What two ticks in a row tell as observations, the second with the first one's cursor."""
    resources = {"settings": pipeline.settings, "ledger": pipeline.ledger, "store": pipeline.store}
    told, cursor, known = [], None, len(observations(pipeline))
    for _ in range(2):
        context = dg.build_sensor_context(instance=pipeline.instance, cursor=cursor, resources=resources)
        cursor = sensors.drop_zone.evaluate_tick(context).cursor
        lines = observations(pipeline)
        told.append(lines[: len(lines) - known])
        known = len(lines)
    return told


def observations(pipeline: Pipeline) -> list[str]:
    """The newest first."""
    records = pipeline.instance.fetch_observations(dg.AssetKey("submission"), limit=100).records
    return [str(record.asset_observation.description) for record in records if record.asset_observation]


def test_thousands_of_files_are_received_in_ticks_that_end_in_time(tmp_path: Path) -> None:
    """1,500 pairs at once: each tick receives some and starts some, oldest first, until all are known."""
    with a_pipeline(tmp_path / "home") as pipeline:
        row, archive = a_csv(a_row("one.wav")), zipped({"one.wav": b"x"})
        for number in range(1_500):
            folder = tmp_path / "home" / "objects" / "inbox" / "kz" / "acme" / f"{number:04}"
            folder.mkdir(parents=True)
            (folder / "metadata.csv").write_bytes(row)
            (folder / "audios.zip").write_bytes(archive)
        known, ticks = 0, []
        while known < 1_500:
            began = time.perf_counter()
            assert len(pipeline.tick_drop_zone()) <= MOST_SUBMISSIONS
            ticks.append(time.perf_counter() - began)
            before, known = known, len(pipeline.ledger.views.recent(2_000))
            assert 0 < known - before <= MOST_ARRIVALS
        print(f"ticks of {min(ticks):.1f} to {max(ticks):.1f} s")  # noqa: T201 - shown by pytest -s, for the docs
        assert max(ticks) < TICK_DIES_AFTER_SECONDS / 2
