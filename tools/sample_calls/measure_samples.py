"""Measure samples: how well a model hears the twenty sample calls.

    python -m tools.sample_calls.measure_samples [--model DIRECTORY]

Lives here: word error rates by plain faster-whisper with the model's own options and with its default settings, and by
the pooled engine that the pipeline uses. Does not: the tests' bounds (aila_pipeline_tests/demo/test_model.py).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.audio import decode_audio
from numpy.typing import NDArray

from aila_pipeline.adapters.speech import Recogniser
from aila_pipeline.demo import MODEL
from aila_pipeline.demo.samples import samples
from aila_pipeline_tests.adapters.pooled import sample_question
from aila_pipeline_tests.word_error_rate import word_error_rate

Sound = NDArray[np.float32]


def channels() -> Iterator[tuple[str, Sound]]:
    """What was said on each channel of the samples, and how it sounds."""
    for sample in samples().values():
        sounds = decode_audio(str(sample.path), split_stereo=True)
        roles = (("client",), ("operator",)) if sample.layout == "stereo" else (("client", "operator"),)
        for sound, heard in zip(sounds, roles, strict=False):
            yield " ".join(turn.text for turn in sample.turns if turn.role in heard), sound


def pooled(directory: Path) -> Iterator[tuple[str, str]]:
    """(said, heard) for each channel, by the engine of the pipeline."""
    found = {
        answer.about: answer.recognition()
        for answer in Recogniser(str(directory)).recognise_all([sample_question(name) for name in samples()])
    }
    for sample in samples().values():
        utterances = found[sample.file].utterances
        if sample.layout != "stereo":
            yield " ".join(turn.text for turn in sample.turns), " ".join(one.text for one in utterances)
            continue
        for channel, role in enumerate(("client", "operator")):
            said = " ".join(turn.text for turn in sample.turns if turn.role == role)
            yield said, " ".join(one.text for one in utterances if one.channel == channel)


def main() -> None:
    """Print one line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODEL)
    arguments = parser.parse_args()
    model = WhisperModel(str(arguments.model), device="cpu", compute_type="int8", local_files_only=True)
    batched = BatchedInferencePipeline(model)
    own: dict[str, Any] = json.loads((arguments.model / "aila.json").read_text("utf-8"))["transcribe"]
    ways: dict[str, Callable[[Sound], Any]] = {
        "plain, its own options": lambda sound: model.transcribe(
            sound, language="en", vad_filter=True, word_timestamps=True, **own
        ),
        "default settings": model.transcribe,
        "default settings + VAD": lambda sound: model.transcribe(sound, vad_filter=True),
        "batched": lambda sound: batched.transcribe(sound, batch_size=8),
    }
    sounds = list(channels())
    for way, hear in ways.items():
        pairs = [(said, " ".join(segment.text.strip() for segment in hear(sound)[0])) for said, sound in sounds]
        print(f"{way} | {word_error_rate(pairs):.3f}", flush=True)
    print(f"pooled | {word_error_rate(pooled(arguments.model)):.3f}")


if __name__ == "__main__":
    main()
