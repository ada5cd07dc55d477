"""Loading: where a model runs, and how its threads are shared out among batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from aila_pipeline.adapters.speech import Recogniser
from aila_pipeline.adapters.speech_decoding import Decoder, HeardBatch, ReadyWindow
from aila_pipeline.adapters.speech_loading import Place
from aila_pipeline_tests.adapters.pooled import METHOD, a_run, sample_question, sample_windows, short_windows, whisper
from tools.measurements.random_model import Dimensions, make_model


@pytest.mark.parametrize(("threads", "workers", "each"), [(1, 1, 1), (2, 2, 1), (3, 2, 1), (8, 2, 4)])
def test_two_workers_share_the_processor_s_threads(threads: int, workers: int, each: int) -> None:
    assert Place.chosen("cpu", "default", threads, workers=2) == Place("cpu", "int8", each, workers)


def test_one_worker_has_all_threads() -> None:
    assert Place.chosen("cpu", "float32", 4, workers=1) == Place("cpu", "float32", 4, 1)


def test_the_plain_engine_has_one_worker() -> None:
    """It asks for one window after the other, and would leave the second one idle."""
    assert Recogniser("demo", engine="plain", device="cpu", cpu_threads=4)._place == Place("cpu", "int8", 4, 1)
    assert Recogniser("demo", device="cpu", cpu_threads=4)._place == Place("cpu", "int8", 2, 2)


def test_where_memory_has_no_room_for_two_batches_there_is_one_worker(tmp_path: Path) -> None:
    model = str(make_model(tmp_path / "made", Dimensions(width=384, heads=6, layers=1)))
    assert Recogniser(model, device="cpu", cpu_threads=2, memory_mb=1000)._place.workers == 2
    assert Recogniser(model, device="cpu", cpu_threads=2, memory_mb=100)._place == Place("cpu", "int8", 2, 1)


class CountingDecoder(Decoder):
    """Remembers how many windows it was given at a time."""

    counts: list[int]

    def hear(self, batch: Sequence[ReadyWindow]) -> HeardBatch:
        self.counts.append(len(batch))
        return super().hear(batch)


@pytest.mark.parametrize(("batches", "most"), [(1, 1.0), (2, 0.5)])
def test_a_short_call_is_shared_out_among_the_workers(batches: int, most: float) -> None:
    """Or one of them would hear all of it, with a part of the threads."""
    decoder = CountingDecoder(whisper(), METHOD, largest=50)
    decoder.counts = []
    count = len(sample_windows("sales_01"))
    (answer,) = a_run(decoder, batches=batches).answers(iter([sample_question("sales_01")]), short_windows)
    assert answer.recognition().utterances
    assert sum(decoder.counts) >= count >= 2
    assert max(decoder.counts) <= -(-count * most // 1)
