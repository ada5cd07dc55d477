"""The demo model is complete, loads offline, and hears the sample calls as well as was measured."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from faster_whisper import WhisperModel
from faster_whisper.audio import decode_audio

from aila_pipeline.demo import MODEL
from aila_pipeline.demo.samples import Sample, samples
from aila_pipeline_tests.word_error_rate import word_edits, word_error_rate

# Measured: docs/demo-model.md has the figures. Other processors round differently, hence the slack.
POOLED_BOUND = 0.09
CALL_BOUND = 0.45


@functools.cache
def _model() -> WhisperModel:
    return WhisperModel(str(MODEL), device="cpu", compute_type="int8", local_files_only=True)


def _card() -> dict[str, Any]:
    card: dict[str, Any] = json.loads((MODEL / "aila.json").read_text("utf-8"))
    return card


def _pairs(sample: Sample) -> Iterator[tuple[str, str]]:
    """(said, heard) for each channel on which somebody speaks for themselves, by plain faster-whisper."""
    channels = decode_audio(str(sample.path), split_stereo=True)
    roles = (("client",), ("operator",)) if sample.layout == "stereo" else (("client", "operator"),)
    for sound, heard_roles in zip(channels, roles, strict=False):
        segments, _ = _model().transcribe(
            sound, language=_card()["language"], vad_filter=True, word_timestamps=True, **_card()["transcribe"]
        )
        said = " ".join(turn.text for turn in sample.turns if turn.role in heard_roles)
        yield said, " ".join(segment.text.strip() for segment in segments)


@functools.cache
def _heard() -> dict[str, list[tuple[str, str]]]:
    return {sample.name: list(_pairs(sample)) for sample in samples().values()}


def test_nothing_that_faster_whisper_needs_is_missing() -> None:
    """Without the tokenizer in the directory, faster-whisper would ask the hub."""
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.json", "preprocessor_config.json"):
        assert (MODEL / name).stat().st_size > 0, name


def test_it_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in MODEL.iterdir()) < 6_000_000


def test_it_loads_without_a_network() -> None:
    assert not _model().model.is_multilingual


def test_its_options_forbid_what_makes_runs_differ() -> None:
    """A temperature fallback samples, so that runs differ; the previous text would carry one window's errors on."""
    options = _card()["transcribe"]
    assert options["condition_on_previous_text"] is False
    assert options["temperature"] == 0.0


@pytest.mark.slow
def test_it_hears_the_sample_calls_as_well_as_measured() -> None:
    pooled = word_error_rate(pair for pairs in _heard().values() for pair in pairs)
    assert 0 < pooled < POOLED_BOUND


@pytest.mark.slow
@pytest.mark.parametrize("name", samples())
def test_no_sample_call_is_beyond_it(name: str) -> None:
    assert word_error_rate(_heard()[name]) < CALL_BOUND


@pytest.mark.slow
def test_a_silent_channel_gives_no_words() -> None:
    """Nobody is on the client's channel of the answering machine."""
    said, heard = _heard()["sales_10"][0]
    assert (said, heard) == ("", "")


@pytest.mark.slow
def test_the_same_audio_gives_the_same_words() -> None:
    sample = samples()["sales_01"]
    again = list(_pairs(sample))
    assert [
        word_edits(one[1].split(), other[1].split()) for one, other in zip(_heard()["sales_01"], again, strict=True)
    ] == [0, 0]
