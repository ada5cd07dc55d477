"""Synthesise: the training speech, as log-mel frames with the place of every word and phone.

    python -m tools.demo_model.synthesise WORK --rank 0 --world 2 --shards 28

Lives here: writing WORK/speech_NNN.npy and .npz. Does not: what is said (training_text.py) or by whom (voices.py). A
shard depends on its number alone, so that any number of processes makes the same ones; those that are there are kept.
For that, each is made by a process of its own: eSpeak's noise depends on the sentence spoken before.
"""

from __future__ import annotations

import argparse
import ctypes
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.demo_model.features import BANDS, FRAMES_PER_SECOND, log_mel
from tools.demo_model.flite import Spoken
from tools.demo_model.line_codecs import coded, draw_codec
from tools.demo_model.resampling import resampled
from tools.demo_model.sentences import WHOLE
from tools.demo_model.training_text import TEXTS_PER_SHARD, shard_texts
from tools.demo_model.voices import CAST, Part, draw_voice, speak

_PHONE_NAMES = """
pau aa ae ah ao aw ax axr ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh brth
"""
PHONES = tuple(_PHONE_NAMES.split())
"""flite's and Festival's phones; a number in a shard is an index into this."""

_LONGEST_FRAMES = 900
_LOUDNESS = 0.07
_SPEED_CHANGED, _CODED = 0.55, 0.25
"""Shares of utterances that sound like another speaker, and that went through a codec."""
_WORD_ID = {word: number for number, word in enumerate(WHOLE.words, start=1)}
_PHONE_ID = {phone: number for number, phone in enumerate(PHONES)}


@dataclass
class Shard:
    """Utterances laid end to end: frames, and for words and phones their ids and places in frames."""

    frames: list[NDArray[np.float16]] = field(default_factory=list)
    words: list[tuple[int, int, int]] = field(default_factory=list)
    phones: list[tuple[int, int]] = field(default_factory=list)
    counts: list[tuple[int, int, int, int]] = field(default_factory=list)
    """For each utterance: frames, words, phones (none where the engine does not tell), voice."""

    def save(self, path: Path) -> None:
        """Write the shard; `path` (.npz) is there only when all of it is."""
        np.save(path.with_suffix(".npy"), np.concatenate(self.frames) if self.frames else np.zeros((0, BANDS)))
        partial = path.with_suffix(".part.npz")
        phones = np.asarray(self.phones).reshape(-1, 2)
        np.savez(partial, words=np.asarray(self.words), phones=phones, counts=np.asarray(self.counts))
        partial.rename(path)


def main() -> None:
    """Make this process's share of the shards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world", type=int, default=1)
    parser.add_argument("--shards", type=int, default=28, help="of all processes together")
    parser.add_argument("--only", type=int, help="make this shard, in this process")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.only is not None:
        shard(arguments.only).save(_path(arguments.work, arguments.only))
        return
    begun = time.monotonic()
    for number in range(arguments.rank, arguments.shards, arguments.world):
        path = _path(arguments.work, number)
        if not path.exists():
            alone = [sys.executable, "-m", "tools.demo_model.synthesise", str(arguments.work), "--only", str(number)]
            subprocess.run(alone, check=True)
            print(f"{path.name}, {time.monotonic() - begun:.0f} s", flush=True)


def _path(work: Path, number: int) -> Path:
    return work / f"speech_{number:03d}.npz"


def shard(number: int, size: int = TEXTS_PER_SHARD) -> Shard:
    """Speak `size` texts; left out are those that the engine reads in other words, or that are longer than 9 s."""
    # flite takes its noise from the C library.
    ctypes.CDLL(None).srand(number + 1)
    choice, texts = random.Random(f"parts {number}"), shard_texts(number)
    parts = [_part(next(texts), choice) for _ in range(size)]
    made = Shard()
    for part, spoken in zip(parts, speak(parts), strict=True):
        if [word for word, _, _ in spoken.words] == part.text.replace(",", "").split():
            _add(made, spoken, CAST.index(part.voice), choice)
    return made


def _part(text: str, choice: random.Random) -> Part:
    words = text.split()
    if choice.random() < 0.3:
        text = " ".join(word + ("," if choice.random() < 0.2 else "") for word in words[:-1]) + f" {words[-1]}"
    return Part(text.strip(), draw_voice(choice), stretch=choice.uniform(0.88, 1.15), pitch=choice.randint(20, 80))


def _add(made: Shard, spoken: Spoken, voice: int, choice: random.Random) -> None:
    samples, faster = spoken.samples, 1.0
    if choice.random() < _SPEED_CHANGED:
        faster = round(choice.uniform(0.86, 1.2), 3)
        samples = resampled(samples, faster)
    samples = samples * np.float32(_LOUDNESS / max(1e-4, float(np.sqrt((samples**2).mean()))))
    if choice.random() < _CODED:
        samples = coded(np.clip(samples, -1, 1), draw_codec(choice))
    frames = log_mel(samples)
    rate = FRAMES_PER_SECOND / faster
    first = max(0, int(spoken.words[0][1] * rate) - 8)
    last = min(len(frames), int(spoken.words[-1][2] * rate) + 6)
    frames = frames[first:last]
    if len(frames) > _LONGEST_FRAMES:
        return

    def frame(seconds: float) -> int:
        return int(np.clip(round(seconds * rate) - first, 0, len(frames)))

    made.frames.append(frames.astype(np.float16))
    made.words += [(_WORD_ID[word], frame(start), frame(end)) for word, start, end in spoken.words]
    made.phones += [(_PHONE_ID.get(phone, 0), frame(end)) for phone, end in spoken.phones]
    made.counts.append((len(frames), len(spoken.words), len(spoken.phones), voice))


if __name__ == "__main__":
    main()
