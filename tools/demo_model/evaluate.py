"""Evaluate: a model's word error rate on held-out sentences, on mock calls, and what it hears where nobody speaks.

    python -m tools.demo_model.evaluate [--model DIRECTORY] [--sentences 64] [--skip-calls] [--voice kal16]

Lives here: the held-out measurements of docs/demo-model.md. Does not: the sample calls (their tests measure them).
Held-out texts come from their seeds, so nothing of the training is needed.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from numpy.typing import NDArray

from aila_pipeline.demo import MODEL
from aila_pipeline_tests.word_error_rate import word_error_rate
from tools.demo_model.flite import RATE_HZ, say
from tools.demo_model.nonspeech import non_speech
from tools.demo_model.sentences import HELD_OUT_SEED, MOCK_CALLS_SEED, Sentences, drawn_in_training

Sound = NDArray[np.float32]
Hear = Callable[[Sound], str]

_PAIRS = (("slt", "rms"), ("awb", "slt"), ("rms", "awb"), ("slt", "awb"))


def ways_to_hear(model: WhisperModel) -> dict[str, Hear]:
    """faster-whisper's ways that are compared, each from sound to text."""
    batched = BatchedInferencePipeline(model)
    alone: dict[str, Any] = {"condition_on_previous_text": False}

    def text(segments: Any) -> str:
        return " ".join(segment.text.strip() for segment in segments)

    return {
        "seq": lambda sound: text(model.transcribe(sound, **alone)[0]),
        "seq + VAD": lambda sound: text(model.transcribe(sound, vad_filter=True, **alone)[0]),
        "batched": lambda sound: text(batched.transcribe(sound, batch_size=8)[0]),
    }


def sentence(text: str, voice: str, random_: random.Random, noise: np.random.Generator) -> Sound:
    """A clip of one sentence with a little noise and silence around it."""
    spoken = say(text, voice).samples
    sound = np.concatenate([np.zeros(4800, np.float32), spoken, np.zeros(6400, np.float32)])
    sound = sound * (0.3 / np.abs(sound).max())
    return np.asarray(sound + noise.normal(size=len(sound)) * 10 ** random_.uniform(-4.5, -3.2), np.float32)


def mock_channels() -> Iterator[tuple[str, Sound]]:
    """What was said on each channel of four calls, and its sound with noise 25-38 dB below."""
    choice, noise = random.Random(3), np.random.default_rng(3)
    for voices, turns in zip(_PAIRS, Sentences(MOCK_CALLS_SEED).mock_calls(), strict=True):
        pieces: list[tuple[int, int, Sound]] = []
        place = int(RATE_HZ * 0.8)
        for who, text in turns:
            channel = "AC".index(who)
            spoken = say(text, voices[channel], stretch=choice.uniform(0.95, 1.05)).samples
            level = (0.07, 0.04)[channel] / np.sqrt((spoken**2).mean())
            pieces.append((place, channel, np.asarray(spoken * level, np.float32)))
            place += len(spoken) + int(RATE_HZ * choice.uniform(0.1, 1.2))
        sound = np.zeros((2, place + RATE_HZ), np.float32)
        for start, channel, piece in pieces:
            sound[channel, start : start + len(piece)] += piece
        sound += noise.normal(size=sound.shape) * 0.05 * 10 ** (-choice.uniform(25, 38) / 20)
        for channel, who in enumerate("AC"):
            yield " ".join(text for speaker, text in turns if speaker == who), sound[channel]


def silences() -> dict[str, Sound]:
    """Sounds in which nobody speaks."""
    noise = np.random.default_rng(0)
    length = 30 * RATE_HZ
    return {
        "digital silence": np.zeros(length, np.float32),
        "white noise, -50 dB": np.asarray(noise.normal(size=length) * 0.003, np.float32),
        "white noise, -26 dB": np.asarray(noise.normal(size=length) * 0.05, np.float32),
        "music, tones, DTMF": non_speech(60, np.random.default_rng(99)),
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--sentences", type=int, default=64, help="of each voice, at most")
    parser.add_argument("--voice", help="speak all held-out sentences with this voice instead, known or not")
    parser.add_argument("--skip-calls", action="store_true")
    arguments = parser.parse_args()
    model = WhisperModel(str(arguments.model), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True)
    held_out = Sentences(HELD_OUT_SEED).held_out()
    seen = {text for lines in held_out.values() for _, text in lines} & drawn_in_training()
    print(f"{len(seen)} of the held-out sentences were drawn again for training, and skipped there")
    for way, hear in ways_to_hear(model).items():
        choice, noise = random.Random(3), np.random.default_rng(3)
        pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for voice, lines in held_out.items():
            for kind, text in lines[:: max(1, len(lines) // arguments.sentences)]:
                sound = sentence(text, arguments.voice or voice, choice, noise)
                pair = (text, hear(sound))
                for group in ("all", arguments.voice or voice, kind):
                    pairs[group].append(pair)
        print(
            f"sentences, {way}: " + ", ".join(f"{name} {word_error_rate(found):.3f}" for name, found in pairs.items())
        )
        if not arguments.skip_calls:
            print(f"calls, {way}: {word_error_rate((said, hear(sound)) for said, sound in mock_channels()):.3f}")
        print(f"nobody speaks, {way}: { {name: hear(sound) for name, sound in silences().items()} }", flush=True)


if __name__ == "__main__":
    main()
