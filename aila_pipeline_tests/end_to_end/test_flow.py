"""The way of a pair from the drop zone to its report."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from aila_pipeline.domain.status import BatchStatus, CallStatus, Stage
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import Pipeline, zipped

pytestmark = pytest.mark.slow


def test_a_pair_ends_as_scored_calls_with_one_event_each(pipeline: Pipeline, speech: bytes) -> None:
    pipeline.drop_calls({"one.flac": speech, "two.flac": speech})
    pipeline.run()
    assert pipeline.the_batch().status is BatchStatus.COMPLETED
    assert [call.status for call in pipeline.calls()] == [CallStatus.COMPLETED] * 2
    assert sorted(str(event.partition) for event in pipeline.events("call")) == sorted(c.id for c in pipeline.calls())
    assert [event.partition for event in pipeline.events("batch")] == [pipeline.the_batch().id]
    assert pipeline.differences() == []


def test_accepted_files_leave_the_drop_zone(pipeline: Pipeline, speech: bytes) -> None:
    pipeline.drop_calls({"one.flac": speech})
    pipeline.run()
    assert list(pipeline.store.list("inbox/")) == []
    own = [info.key.rpartition("/")[2] for info in pipeline.store.list(f"_aila/batches/{pipeline.the_batch().id}/")]
    assert own == ["report.html", "audios.zip", "metadata.csv"]


def test_the_same_audio_in_two_calls_is_stored_and_recognised_once(pipeline: Pipeline, speech: bytes) -> None:
    pipeline.drop_calls({"one.flac": speech, "two.flac": speech})
    pipeline.run()
    assert len(list(pipeline.store.list("_aila/audio/"))) == 1
    assert len(list(pipeline.store.list("_aila/transcripts/"))) == 1
    results = pipeline.ledger.views.results([call.id for call in pipeline.calls()], Stage.TRANSCRIPTS)
    assert sorted(found[Stage.TRANSCRIPTS].document["reused"] for found in results.values()) == [False, True]


def test_a_pair_dropped_twice_is_one_batch_and_one_recognition(pipeline: Pipeline, speech: bytes) -> None:
    """The same CSV and ZIP again, under another name and after the first has completed, changes nothing."""
    for place in ("inbox/kz/acme/one", "inbox/kz/acme/again"):
        pipeline.drop_calls({"one.flac": speech}, place=place)
        pipeline.run()
    assert pipeline.the_batch().status is BatchStatus.COMPLETED
    assert [call.attempt for call in pipeline.calls()] == [1]
    assert len(pipeline.events("call")) == 1
    assert list(pipeline.store.list("inbox/")) == []
    assert pipeline.differences() == []


def test_a_pair_with_failures_dropped_again_tries_those_alone(pipeline: Pipeline, speech: bytes) -> None:
    csv = a_csv(a_row("good.flac"), a_row("bad.mp3"))
    for place in ("inbox/kz/acme/one", "inbox/kz/acme/again"):
        pipeline.drop_pair(csv, zipped({"good.flac": speech, "bad.mp3": b"no audio " * 50}), place=place)
        pipeline.run()
    good, bad = pipeline.calls()
    assert (good.status, good.attempt) == (CallStatus.COMPLETED, 1)
    assert (bad.status, bad.error_code, bad.attempt) == (CallStatus.FAILED, "AUDIO_INVALID", 2)
    assert len(pipeline.events("call")) == 3
    assert len(pipeline.events("batch")) == 2
    assert pipeline.differences() == []


def test_a_backfill_over_an_ended_shard_skips_what_is_current(pipeline: Pipeline, speech: bytes) -> None:
    pipeline.drop_calls({"one.flac": speech})
    pipeline.run()
    (shard,) = pipeline.instance.get_dynamic_partitions("shards")
    again = pipeline.execute("process", shard)
    forced = pipeline.execute("process", shard, aila__force="yes")
    stages = ("call_audio", "transcripts", "insights", "summaries", "scores")
    assert [count(again, name, "calls/current") for name in stages] == [1] * 5
    assert [count(forced, name, "calls/done") for name in stages] == [1] * 5
    assert len(pipeline.events("call")) == 1
    assert pipeline.differences() == []


def test_a_changed_checklist_makes_scores_stale_and_rescoring_needs_no_recognition(
    pipeline: Pipeline, speech: bytes, tmp_path: Path
) -> None:
    pipeline.drop_calls({"one.flac": speech})
    pipeline.run()
    (transcript,) = pipeline.store.list("_aila/transcripts/")
    changed = tmp_path / "checklists"
    changed.mkdir()
    for path in pipeline.settings.checklists.glob("*.yaml"):
        (changed / path.name).write_text(path.read_text("utf-8").replace("weight: 2", "weight: 3"), "utf-8")
    settings = pipeline.settings.model_copy(update={"checklists": changed})
    other = Pipeline(settings, pipeline.instance)
    day = pipeline.the_batch().received_at.date().isoformat()
    first, second = other.execute("rescore", day), other.execute("rescore", day)
    assert count(first, "rescored", "calls/rescored") == 1
    assert count(second, "rescored", "calls/rescored") == 0
    assert [info.modified for info in pipeline.store.list("_aila/transcripts/")] == [transcript.modified]
    other.ledger.close()


def count(result: dg.ExecuteInProcessResult, asset: str, name: str) -> int:
    """A figure of an asset's materialization in this run."""
    (told,) = result.asset_materializations_for_node(asset)
    value = told.metadata[name].value
    assert isinstance(value, int)
    return value
