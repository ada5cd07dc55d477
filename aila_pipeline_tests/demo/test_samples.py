"""The sample calls are what their manifest says, and pairs and manifests made of them are what the contracts say."""

from __future__ import annotations

import csv
import json
import zipfile
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from aila_pipeline.demo import CHECKLISTS, MODEL, SAMPLES
from aila_pipeline.demo.samples import IN_PAIR, MISSING, UNREADABLE, Sample, manifest, samples, spoken, write_pair

FORMATS = {".wav", ".mp3", ".flac", ".ogg", ".aiff", ".au", ".m4a", ".aac"}


def _decoded(sample: Sample) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], int]:
    """Samples of shape (channels, length) and their rate."""
    with av.open(sample.path) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("fltp", stream.layout, stream.rate)
        frames = [part for frame in container.decode(stream) for part in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).astype(np.float32), stream.rate


def test_the_directories_that_the_package_names_exist() -> None:
    assert all(path.is_dir() for path in (MODEL, SAMPLES, CHECKLISTS))


def test_every_recording_belongs_to_a_call() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == {"calls.json"} | {call.file for call in samples().values()}


def test_every_format_of_both_contracts_is_there() -> None:
    assert {call.path.suffix for call in samples().values()} == FORMATS
    assert {"vorbis", "opus"} <= {call.codec for call in samples().values() if call.path.suffix == ".ogg"}


def test_the_usual_rates_are_there() -> None:
    assert {8_000, 16_000, 44_100, 48_000} <= {call.sample_rate_hz for call in samples().values()}


def test_sales_and_support_are_there_in_stereo_and_one_call_each_is_mono_and_dual_mono() -> None:
    layouts = [(call.segment_type, call.layout) for call in samples().values()]
    assert sum(layout == "stereo" for _, layout in layouts) >= 14
    assert {segment for segment, layout in layouts if layout == "stereo"} == {"sales", "support"}
    assert sorted(layout for _, layout in layouts if layout != "stereo") == ["dual_mono", "mono"]


def test_the_recordings_are_small_enough_to_ship() -> None:
    assert sum(call.path.stat().st_size for call in samples().values()) <= 3 * 2**20


@pytest.mark.parametrize("name", samples())
def test_a_recording_decodes_to_what_the_manifest_says(name: str) -> None:
    call = samples()[name]
    sound, rate = _decoded(call)
    assert len(sound) == (1 if call.layout == "mono" else 2)
    # Opus always decodes at 48 kHz.
    assert rate == (48_000 if call.codec == "opus" else call.sample_rate_hz)
    assert sound.shape[1] / rate == pytest.approx(call.seconds, abs=0.25)
    assert 20 <= call.seconds <= 70


@pytest.mark.parametrize("name", [name for name, call in samples().items() if call.layout == "stereo"])
def test_a_turn_is_heard_on_its_speakers_channel_alone(name: str) -> None:
    """Client left, operator right; lossy codecs may let a little through."""
    call = samples()[name]
    sound, rate = _decoded(call)
    for turn in call.turns:
        overlapped = any(
            other.role != turn.role and other.start < turn.end and turn.start < other.end for other in call.turns
        )
        if overlapped:
            continue
        power = (sound[:, int(turn.start * rate) : int(turn.end * rate)] ** 2).mean(axis=1)
        own = ("client", "operator").index(turn.role)
        assert power[own] > 100 * power[1 - own], turn


def test_nobody_is_on_the_clients_channel_of_the_answering_machine() -> None:
    sound, _ = _decoded(samples()["sales_10"])
    assert abs(sound[0]).max() < 1e-4


def test_both_channels_of_the_dual_mono_call_are_the_same() -> None:
    call = next(call for call in samples().values() if call.layout == "dual_mono")
    sound, _ = _decoded(call)
    assert abs(sound[0] - sound[1]).max() < 0.01


def test_some_turns_overlap() -> None:
    calls = [call.turns for call in samples().values()]
    assert any(later.start < earlier.end for turns in calls for earlier, later in pairwise(turns))


def test_turns_are_in_order_and_inside_the_recording() -> None:
    for call in samples().values():
        starts = [turn.start for turn in call.turns]
        assert starts == sorted(starts)
        assert all(0 <= turn.start < turn.end <= call.seconds for turn in call.turns)


def test_only_words_that_the_model_knows_are_spoken() -> None:
    known = set((MODEL / "words.txt").read_text("utf-8").split())
    assert {word for name in samples() for turn in spoken(name) for word in turn.text.split()} <= known


def test_a_sample_that_does_not_exist_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        spoken("sales_99")


def test_the_pair_has_a_row_for_each_entry(tmp_path: Path) -> None:
    metadata, audios = write_pair(tmp_path / "new" / "folder")
    rows = list(csv.DictReader(metadata.read_text("utf-8").splitlines()))
    with zipfile.ZipFile(audios) as archive:
        assert archive.testzip() is None
        assert [row["audio_file_name"] for row in rows] == archive.namelist()
    assert len(rows) == len(IN_PAIR) == 10
    assert {row["segment_type"] for row in rows} == {"sales", "support"}


def test_the_bad_pair_has_one_text_named_mp3_and_one_row_without_a_file(tmp_path: Path) -> None:
    metadata, audios = write_pair(tmp_path, bad=True)
    names = [row["audio_file_name"] for row in csv.DictReader(metadata.read_text("utf-8").splitlines())]
    with zipfile.ZipFile(audios) as archive:
        assert len(names) == 12
        assert set(names) - set(archive.namelist()) == {MISSING}
        assert archive.read(UNREADABLE).startswith(b"This is a text")


def test_a_pair_of_chosen_calls_holds_these_alone(tmp_path: Path) -> None:
    _, audios = write_pair(tmp_path, names=["support_02", "sales_05"])
    with zipfile.ZipFile(audios) as archive:
        assert archive.namelist() == [samples()["support_02"].file, samples()["sales_05"].file]


def test_the_same_pair_is_the_same_bytes(tmp_path: Path) -> None:
    one, other = write_pair(tmp_path / "one", bad=True), write_pair(tmp_path / "other", bad=True)
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_a_call_twice_in_a_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="once"):
        write_pair(tmp_path, names=["sales_01", "sales_01"])


def test_a_manifest_names_what_the_contract_requires() -> None:
    body = manifest({name: f"s3://bucket/{samples()[name].file}" for name in samples()})
    assert len(body["calls"]) == len(samples())
    assert len({call["external_id"] for call in body["calls"]}) == len(samples())
    for call in body["calls"]:
        assert {"external_id", "audio_url", "user_email", "call_date"} <= call.keys()
        assert call["duration"] > 0
    assert json.loads(json.dumps(body)) == body
