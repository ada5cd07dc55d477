"""Mixing: a dialogue spoken by flite, each role on its channel, with the exact time of every turn.

Lives here: synthesis, pauses, overlaps, levels, line noise. Does not: files and codecs (encoding.py).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.demo_model.flite import RATE_HZ, say
from tools.sample_calls.dialogues import Dialogue, Layout, Role, as_spoken, words_of

_CHANNEL: dict[Role, int] = {"client": 0, "operator": 1}
_LEVEL: dict[Role, float] = {"client": 0.045, "operator": 0.07}
"""Root mean square of a turn: the far end of a phone line is quieter."""

_NOISE = 0.00012
"""Standard deviation of the line noise: some 50 dB below speech; louder noise is most of what a FLAC file holds."""

_PAUSE_SECONDS = (0.25, 0.8)
_LEAD_SECONDS, _TAIL_SECONDS = 0.6, 0.8


@dataclass(frozen=True)
class SpokenTurn:
    """A turn as it was spoken; seconds from the start of the recording, first word's start to last word's end."""

    role: Role
    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Recording:
    """Samples of shape (length, channels) at flite's rate, and who spoke when."""

    samples: NDArray[np.float32]
    turns: list[SpokenTurn]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / RATE_HZ


def perform(dialogue: Dialogue) -> Recording:
    """The dialogue as sound, with pauses and line noise seeded by its name.

    flite takes the noise of its voices from the C library's `rand`, so the samples also depend on what this process
    has spoken before: the whole script, in order, is what gives the same samples again.
    """
    random = np.random.default_rng(zlib.crc32(dialogue.name.encode()))
    voices = {"operator": dialogue.operator.voice, "client": dialogue.client.voice}
    pieces: list[tuple[int, Role, NDArray[np.float32]]] = []
    turns: list[SpokenTurn] = []
    end_of_last = 0.0
    for number, line in enumerate(dialogue.turns):
        spoken = say(as_spoken(line.text), voices[line.role], stretch=random.uniform(0.95, 1.05))
        pause = random.uniform(*_PAUSE_SECONDS) if line.pause_seconds is None else line.pause_seconds
        first_word, last_word = spoken.words[0][1], spoken.words[-1][2]
        start = _LEAD_SECONDS if number == 0 else end_of_last + pause
        turns.append(SpokenTurn(line.role, round(start, 2), round(start + last_word - first_word, 2), _text(line.text)))
        # flite puts a little silence around the words; cut it, so that `pause` is what one hears.
        words = spoken.samples[int(first_word * RATE_HZ) : int((last_word + 0.08) * RATE_HZ)]
        level = _LEVEL[line.role] / np.sqrt(np.mean(words**2))
        pieces.append((int(start * RATE_HZ), line.role, words * np.float32(level)))
        end_of_last = start + last_word - first_word
    samples = np.zeros((int((max(turn.end for turn in turns) + _TAIL_SECONDS) * RATE_HZ), 2), np.float32)
    for place, role, sound in pieces:
        samples[place : place + len(sound), _CHANNEL[role]] += sound
    noise = random.normal(scale=_NOISE, size=samples.shape).astype(np.float32)
    # A channel on which nobody speaks is digital silence, as a recorder leaves it that never got the other side.
    samples += noise * samples.any(axis=0)
    return Recording(_laid_out(samples.clip(-1, 1), dialogue.audio.layout), turns)


def _text(line: str) -> str:
    return " ".join(words_of(line))


def _laid_out(stereo: NDArray[np.float32], layout: Layout) -> NDArray[np.float32]:
    if layout == "stereo":
        return stereo
    mix = stereo.sum(axis=1, keepdims=True).clip(-1, 1)
    return mix if layout == "mono" else np.repeat(mix, 2, axis=1)
