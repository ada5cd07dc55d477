"""How large a model is, and how many windows it takes at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from aila_pipeline.adapters.speech_model import find_model
from aila_pipeline.adapters.speech_size import LARGEST_BATCH, ModelSize, size_of
from aila_pipeline.errors import ModelUnavailable
from aila_pipeline.settings import SPEECH_MEMORY_MB
from tools.measurements.random_model import Dimensions, make_model

DEMO = find_model("demo", on_download=print)
TINY = ModelSize(width=384, heads=6, decoder_layers=4, tokens=51_865)
SMALL = ModelSize(width=768, heads=12, decoder_layers=12, tokens=51_865)
LARGE = ModelSize(width=1280, heads=20, decoder_layers=32, tokens=51_866)


def test_the_sizes_are_read_from_the_model_itself(tmp_path: Path) -> None:
    assert size_of(DEMO) == ModelSize(width=128, heads=4, decoder_layers=3, tokens=2205)
    made = make_model(tmp_path / "made", Dimensions(width=64, heads=2, layers=3))
    assert size_of(made) == ModelSize(width=64, heads=2, decoder_layers=3, tokens=51_865)


def test_a_batch_grows_with_the_memory_and_shrinks_with_the_model() -> None:
    for size in (TINY, SMALL, LARGE):
        batches = [size.batch_for(mb * 10**6, beam_size=5) for mb in (100, 500, 1500, 4000, 20_000)]
        assert batches == sorted(batches)
        assert batches[0] == 1
        assert batches[-1] <= LARGEST_BATCH
    assert [size.batch_for(1500 * 10**6, beam_size=5) for size in (TINY, SMALL, LARGE)] == [LARGEST_BATCH, 6, 1]


def test_by_default_each_of_two_workers_has_room_for_batches_that_pay() -> None:
    share = SPEECH_MEMORY_MB * 10**6 // 2
    assert [size.batch_for(share, beam_size=5) for size in (TINY, SMALL, LARGE)] == [LARGEST_BATCH, 5, 1]


def test_what_has_no_room_for_a_window_is_told_apart_from_what_has_room_for_one() -> None:
    """A batch has at least one window all the same: trying is better than refusing."""
    assert LARGE.windows_in(100 * 10**6, beam_size=5) < 1 == LARGE.batch_for(100 * 10**6, beam_size=5)
    assert LARGE.windows_in(1500 * 10**6, beam_size=5) == 1


def test_half_the_precision_or_fewer_beams_make_room() -> None:
    assert SMALL.batch_for(1500 * 10**6, beam_size=5, value_bytes=2) > SMALL.batch_for(1500 * 10**6, beam_size=5)
    assert SMALL.batch_for(1500 * 10**6, beam_size=1) > SMALL.batch_for(1500 * 10**6, beam_size=5)


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04" + bytes(200), b"\x06\0\0\0\x0b\0Transforme\0"])
def test_a_file_of_another_format_is_told_in_one_line_with_setting_and_path(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(ModelUnavailable) as caught:
        size_of(tmp_path)
    message = str(caught.value)
    assert f"AILA_WHISPER_MODEL: {tmp_path / 'model.bin'} is no Whisper model" in message
    assert "\n" not in message


def test_a_model_file_that_was_cut_off_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes((DEMO / "model.bin").read_bytes()[:3000])
    with pytest.raises(ModelUnavailable, match="is no Whisper model"):
        size_of(tmp_path)
