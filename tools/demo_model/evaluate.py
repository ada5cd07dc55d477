"""Evaluate: a model's word error rates in all rows of docs/demo-model.md.

    python -m tools.demo_model.evaluate [--model DIRECTORY] [--rows sentences calls …] [--out rows.json]

Lives here: the rows, and the ways of faster-whisper that are compared. Does not: the sounds (trials.py), or the sample
calls (`tools.sample_calls.measure_samples`). All comes from seeds: nothing of the training is needed.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from faster_whisper import BatchedInferencePipeline, WhisperModel

from aila_pipeline.demo import MODEL
from aila_pipeline_tests.word_error_rate import word_error_rate
from tools.demo_model import trials
from tools.demo_model.trials import CONDITIONS, Sound, Trial
from tools.demo_model.voices import CAST

Hear = Callable[[Sound], str]
Row = tuple[str, str, float | str]
"""What was heard, in which way, and the error rate or (where nobody speaks) the text."""

DEFAULT = "default settings"


def ways_to_hear(model: WhisperModel) -> dict[str, Hear]:
    """faster-whisper's ways that are compared, each from sound to text; windows are as long as the model has it."""
    batched = BatchedInferencePipeline(model)
    alone: dict[str, Any] = {"condition_on_previous_text": False}

    def text(segments: Any) -> str:
        return " ".join(segment.text.strip() for segment in segments)

    return {
        DEFAULT: lambda sound: text(model.transcribe(sound)[0]),
        f"{DEFAULT} + VAD": lambda sound: text(model.transcribe(sound, vad_filter=True)[0]),
        "sequential": lambda sound: text(model.transcribe(sound, **alone)[0]),
        "sequential + VAD": lambda sound: text(model.transcribe(sound, vad_filter=True, **alone)[0]),
        "batched": lambda sound: text(batched.transcribe(sound, batch_size=8)[0]),
    }


def rates(found: Iterable[Trial], hear: Hear) -> dict[str, float]:
    """The error rate of each group."""
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for trial in found:
        heard = hear(trial.sound)
        for group in trial.groups:
            pairs[group].append((trial.said, heard))
    return {group: word_error_rate(both) for group, both in pairs.items()}


def _sentences(ways: dict[str, Hear]) -> Iterator[Row]:
    for way in ("sequential", "sequential + VAD", "batched"):
        for group, rate in rates(trials.first_sentences(), ways[way]).items():
            yield f"sentences, {group}", way, rate


def _voices(ways: dict[str, Hear]) -> Iterator[Row]:
    for group, rate in rates(trials.unheard_sentences(), ways[DEFAULT]).items():
        yield f"unheard voice {group}", DEFAULT, rate
    for voice in CAST:
        if voice.engine != "flite":
            for group, rate in rates(trials.voice_sentences(voice.name), ways[DEFAULT]).items():
                yield f"voice {group}", DEFAULT, rate


def _words(ways: dict[str, Hear]) -> Iterator[Row]:
    for group, rate in rates(trials.wide_sentences(), ways[DEFAULT]).items():
        yield group, DEFAULT, rate


def _calls(ways: dict[str, Hear]) -> Iterator[Row]:
    for way, hear in ways.items():
        for group, rate in rates(trials.calls("16 kHz"), hear).items():
            yield f"calls, 16 kHz, {group}", way, rate


def _lines(ways: dict[str, Hear]) -> Iterator[Row]:
    for condition in CONDITIONS:
        for group, rate in rates(trials.calls(condition), ways[DEFAULT]).items():
            yield f"calls, {condition}, {group}", DEFAULT, rate


def _silence(ways: dict[str, Hear]) -> Iterator[Row]:
    for way, hear in ways.items():
        for name, sound in trials.silences().items():
            yield name, way, hear(sound)


ROWS: dict[str, Callable[[dict[str, Hear]], Iterator[Row]]] = {
    "silence": _silence,
    "calls": _calls,
    "lines": _lines,
    "voices": _voices,
    "words": _words,
    "sentences": _sentences,
}


def main() -> None:
    """Print the rows as they are measured, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    model = WhisperModel(
        str(arguments.model), device="cpu", compute_type="int8", cpu_threads=arguments.threads, local_files_only=True
    )
    ways = ways_to_hear(model)
    measured: list[Row] = []
    for name in arguments.rows:
        for row in ROWS[name](ways):
            measured.append(row)
            print(*row[:2], row[2] if isinstance(row[2], str) else f"{row[2]:.3f}", sep=" | ", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
