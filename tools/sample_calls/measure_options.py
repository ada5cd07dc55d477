"""Measure options: which of faster-whisper's options let a model hear fresh calls best.

    python -m tools.sample_calls.measure_options [--model DIRECTORY] [--calls 12] [--seed 11] ['{"beam_size": 1}' ...]

Lives here: word error rates of sequential `transcribe`, channel by channel, with word times and voice activity
detection, for the options of the model's `aila.json` and for each change to them given as JSON. Does not: choosing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.audio import decode_audio
from numpy.typing import NDArray

from aila_pipeline.demo import MODEL
from aila_pipeline_tests.word_error_rate import word_error_rate
from tools.demo_model.flite import RATE_HZ
from tools.sample_calls.dialogues import Role
from tools.sample_calls.encoding import encode
from tools.sample_calls.fresh import fresh_calls
from tools.sample_calls.mixing import perform

_ROLES: tuple[Role, Role] = ("client", "operator")


def main() -> None:
    """Print one line for each set of options, in the order given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--calls", type=int, default=12)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("changes", nargs="*", type=json.loads, help="options to add to the model's own, as JSON")
    arguments = parser.parse_args()
    options = json.loads((arguments.model / "aila.json").read_text("utf-8"))["transcribe"]
    with tempfile.TemporaryDirectory() as folder:
        channels = list(_channels(arguments.calls, arguments.seed, Path(folder)))
    print(f"{sum(len(said.split()) for said, _ in channels)} words; the model's own options: {options}")
    for change in [{}, *arguments.changes]:
        # A model of its own for each: `chunk_length` stays set in faster-whisper's feature extractor.
        model = WhisperModel(
            str(arguments.model), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True
        )
        begun = time.monotonic()
        rate = word_error_rate((said, _heard(model, sound, options | change)) for said, sound in channels)
        print(f"WER {rate:.3f}  {time.monotonic() - begun:5.1f} s  {change or 'as they are'}", flush=True)


def _channels(count: int, seed: int, folder: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """What was said on each channel of the fresh calls, and how it sounds after the codec."""
    for dialogue in fresh_calls(count, seed):
        recording = perform(dialogue)
        path = folder / dialogue.audio.file
        encode(recording.samples, RATE_HZ, path, dialogue.audio)
        for role, sound in zip(_ROLES, decode_audio(str(path), split_stereo=True), strict=True):
            yield " ".join(turn.text for turn in recording.turns if turn.role == role), sound


def _heard(model: WhisperModel, sound: NDArray[np.float32], options: dict[str, Any]) -> str:
    segments, _ = model.transcribe(sound, language="en", vad_filter=True, word_timestamps=True, **options)
    return " ".join(segment.text.strip() for segment in segments)


if __name__ == "__main__":
    main()
