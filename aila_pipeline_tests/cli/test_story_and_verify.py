"""`aila trace` and `aila verify`, after calls have gone the whole way."""

from __future__ import annotations

import pytest

from aila_pipeline_tests.cli.conftest import Aila
from aila_pipeline_tests.end_to_end.in_process import Pipeline

pytestmark = pytest.mark.slow


def test_a_trace_tells_the_way_and_what_was_found(aila: Aila, pipeline: Pipeline, speech: bytes) -> None:
    """But not what was said, nor by whom, until that is asked for."""
    pipeline.drop_calls({"one.flac": speech})
    pipeline.run()
    (call,) = pipeline.calls()
    home = ("--home", pipeline.settings.home)
    said = aila("trace", call.id, *home)
    assert said.code == 0
    for told in ("received (pair one)", "attempt 1 started", "transcripts done", "attempt 1 completed", "of 100"):
        assert told in said.out
    steps = aila("trace", call.id, *home, "--json").json["steps"]
    assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)
    assert any(step["run"] and step["run"].startswith("http://127.0.0.1:3000/runs/") for step in steps)
    turns = aila("trace", call.id, *home, "--json", "--transcript").json["transcript"]["turns"]
    text = " ".join(turn["text"] for turn in turns)
    assert text
    assert turns[0]["text"] not in said.out
    assert turns[0]["text"].split()[0] in aila("trace", call.id, *home, "--transcript").out
    assert "John Smith" not in said.out


def test_a_failed_call_tells_why_and_what_to_do(aila: Aila, pipeline: Pipeline) -> None:
    pipeline.drop_calls({"bad.mp3": b"no audio " * 50})
    pipeline.run()
    said = aila("trace", pipeline.calls()[0].id, "--home", pipeline.settings.home, "--transcript")
    assert said.code == 0
    assert "AUDIO_INVALID" in said.out
    assert "a retry cannot help; send a wav" in said.out
    assert "there is no transcript yet" in said.out


def test_verify_finds_what_dagster_was_not_told_and_mends_it(aila: Aila, pipeline: Pipeline, speech: bytes) -> None:
    """The pipeline of this test told another Dagster; the home's own knows nothing of what the ledger says."""
    pipeline.drop_calls({"one.flac": speech})
    pipeline.run()
    home = ("--home", pipeline.settings.home)
    found = aila("verify", *home, "--json")
    assert found.code == 1
    assert [each["kind"] for each in found.json["differences"]] == ["event", "event"]
    assert "2 differences; `aila verify --repair` mends 2" in aila("verify", *home).out
    mended = aila("verify", *home, "--repair", "--json")
    assert mended.code == 0
    assert (mended.json["differences"], len(mended.json["mended"])) == ([], 2)
    assert aila("verify", *home).out == "ledger, Dagster and objects agree\n"


def test_verify_tells_what_cannot_be_mended(aila: Aila, pipeline: Pipeline, speech: bytes) -> None:
    pipeline.drop_calls({"one.flac": speech})
    pipeline.run()
    (audio,) = pipeline.store.list("_aila/audio/")
    pipeline.store.delete(audio.key)
    home = ("--home", pipeline.settings.home)
    said = aila("verify", *home, "--repair", "--json")
    assert said.code == 1
    assert [each["what"] for each in said.json["differences"]] == [f"the store has no {audio.key}"]
    shown = aila("verify", *home)
    assert shown.code == 1
    assert "1 difference that nothing here can mend" in shown.out
