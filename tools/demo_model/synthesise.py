"""Synthesise: the training speech, as log-mel frames with the place of every word and phone.

    python -m tools.demo_model.synthesise WORK --rank 0 --world 2 --seconds 300

Lives here: writing WORK/speech_RANK_NNN.npz (and, by rank 0, tokenizer.json and heldout.json). Does not: what is
said (sentences.py). No text of heldout.json is ever synthesised here. One process for each rank, side by side.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.demo_model.features import BANDS, FRAMES_PER_SECOND, log_mel
from tools.demo_model.flite import say
from tools.demo_model.sentences import HELD_OUT_SEED, MOCK_CALLS_SEED, WORDS, Sentences, training_stream
from tools.demo_model.tokens import make_tokenizer
from tools.demo_model.vocabulary import VOICES

_PHONE_NAMES = """
pau aa ae ah ao aw ax axr ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh brth
"""
PHONES = tuple(_PHONE_NAMES.split())
"""flite's phones; a number in a shard is an index into this."""

_PER_SHARD = 400
_LONGEST_FRAMES = 900
_WORD_ID = {word: number for number, word in enumerate(WORDS, start=1)}
_PHONE_ID = {phone: number for number, phone in enumerate(PHONES)}


@dataclass
class Shard:
    """Utterances laid end to end: frames, and for words and phones their ids and places in frames."""

    frames: list[NDArray[np.float16]] = field(default_factory=list)
    words: list[tuple[int, int, int]] = field(default_factory=list)
    phones: list[tuple[int, int]] = field(default_factory=list)
    counts: list[tuple[int, int, int, int]] = field(default_factory=list)
    """For each utterance: frames, words, phones, voice."""

    def save(self, path: Path) -> None:
        """Write the shard whole or not at all."""
        partial = path.with_suffix(".part.npz")
        frames = np.concatenate(self.frames) if self.frames else np.zeros((0, BANDS), np.float16)
        arrays = {name: np.asarray(getattr(self, name)) for name in ("words", "phones", "counts")}
        np.savez(partial, frames=frames, words=arrays["words"], phones=arrays["phones"], counts=arrays["counts"])
        partial.rename(path)


def main() -> None:
    """Synthesise until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=300.0)
    arguments = parser.parse_args()
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    held_out, calls = Sentences(HELD_OUT_SEED).held_out(), Sentences(MOCK_CALLS_SEED).mock_calls()
    if arguments.rank == 0:
        make_tokenizer().save(str(work / "tokenizer.json"))
        (work / "heldout.json").write_text(json.dumps({"heldout": held_out, "calls": calls}), "utf-8")
    forbidden = {text for lines in held_out.values() for _, text in lines} | {
        text for call in calls for _, text in call
    }
    texts = (text for text in training_stream(arguments.rank) if text not in forbidden)
    choice = random.Random(50 + arguments.rank)
    begun, number = time.monotonic(), 0
    while time.monotonic() - begun < arguments.seconds:
        shard = Shard()
        while len(shard.counts) < _PER_SHARD:
            _add(shard, next(texts), choice)
        shard.save(work / f"speech_{arguments.rank}_{number:03d}.npz")
        number += 1
        print(f"{number * _PER_SHARD} utterances, {time.monotonic() - begun:.0f} s", flush=True)


def _add(shard: Shard, text: str, choice: random.Random) -> None:
    """Speak one text into the shard; left out if flite reads it in other words, or if it is longer than 9 s."""
    words = text.split()
    if choice.random() < 0.3:
        text = " ".join(word + ("," if choice.random() < 0.2 else "") for word in words)
    voice = choice.randrange(len(VOICES))
    spoken = say(text, VOICES[voice], stretch=choice.uniform(0.9, 1.1))
    if [word for word, _, _ in spoken.words] != words:
        return
    frames = log_mel(spoken.samples)
    first = max(0, int(spoken.words[0][1] * FRAMES_PER_SECOND) - 8)
    last = min(len(frames), int(spoken.words[-1][2] * FRAMES_PER_SECOND) + 6)
    frames = frames[first:last]
    if len(frames) > _LONGEST_FRAMES:
        return

    def frame(seconds: float) -> int:
        return int(np.clip(round(seconds * FRAMES_PER_SECOND) - first, 0, len(frames)))

    shard.frames.append(frames.astype(np.float16))
    shard.words += [(_WORD_ID[word], frame(start), frame(end)) for word, start, end in spoken.words]
    shard.phones += [(_PHONE_ID.get(phone, 0), frame(end)) for phone, end in spoken.phones]
    shard.counts.append((len(frames), len(words), len(spoken.phones), voice))


if __name__ == "__main__":
    main()
