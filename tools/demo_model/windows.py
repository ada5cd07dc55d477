"""Windows: utterances laid into the windows that the model is trained on, as a telephone line might carry them.

Lives here: placing, line filters, noise, cutting at the end. Does not: tokens (targets.py) or tensors (batches.py).
All positions are frames of 10 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.demo_model.corpus import PlacedWord, Utterance
from tools.demo_model.features import BANDS, normalised

Power = NDArray[np.float32]
"""Mel power (frames, bands), linear."""


@dataclass
class Segment:
    """An utterance's place in a window; `cut` if the window ends before it does."""

    start: int
    end: int
    words: list[PlacedWord]
    cut: bool


@dataclass
class Window:
    """One training example: normalised mel (80, frames), its segments, and the phone of each frame."""

    mel: NDArray[np.float32]
    segments: list[Segment]
    phones: NDArray[np.int64]


def _warp(factor: float) -> NDArray[np.float32]:
    """A matrix that moves all frequencies by `factor`, as a shorter or longer vocal tract does."""
    # Slaney's mel scale, which Whisper's bands are on: linear to 1 kHz, then 27 steps to the factor 6.4.
    mel = np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), BANDS + 2)
    hertz = np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
    place = np.clip(np.interp(hertz[1:-1] / factor, hertz, np.arange(BANDS + 2)) - 1, 0, BANDS - 1)
    below = np.minimum(place.astype(int), BANDS - 2)
    matrix = np.zeros((BANDS, BANDS), np.float32)
    columns = np.arange(BANDS)
    matrix[below, columns] = 1 - (place - below)
    matrix[below + 1, columns] += place - below
    return matrix


_WARPED = 0.4
"""Share of utterances that are warped, besides those that synthesise.py already played faster or slower."""
_WARPS = [_warp(factor) for factor in np.linspace(0.9, 1.12, 12)]


class Line:
    """A source of telephone lines: each window gets another gain, tilt, band limit and noise."""

    def __init__(self, random: np.random.Generator, non_speech: Path) -> None:
        """`non_speech`: the frames that nonspeech.py wrote."""
        self._random = random
        self._non_speech: NDArray[np.float16] = np.load(non_speech)
        # The power of white noise in a band is gamma distributed; a bank of it is cheaper than drawing it each time.
        self._noise = np.random.default_rng(5).gamma(2.5, 1 / 2.5, (20_000, BANDS)).astype(np.float32)

    def lay(
        self,
        utterances: Sequence[Utterance],
        length: int,
        *,
        lead: int,
        gap_seconds: Callable[[], float],
        background: Power | None = None,
    ) -> Window:
        """The utterances one after another in a window of `length` frames, the first at `lead`."""
        random = self._random
        power = np.full((length, BANDS), 1e-10, np.float32)
        phones = np.zeros(length, np.int64)
        segments: list[Segment] = []
        gain, equaliser, position = random.uniform(-2.2, 0.3), self._equaliser(), lead
        for utterance in utterances:
            if position >= length - 5:
                break
            count = min(len(utterance.frames), length - position)
            level = gain + random.uniform(-0.3, 0.3)
            frames = utterance.frames[:count].astype(np.float32)
            if random.random() < _WARPED:
                frames = frames @ _WARPS[random.integers(len(_WARPS))]
            power[position : position + count] += 10 ** (frames + level + equaliser)
            phones[position : position + count] = utterance.phones[:count]
            segments.append(_segment(utterance, position, length))
            if segments[-1].cut:
                break
            position += len(utterance.frames) + int(gap_seconds() * 100)
        if random.random() < 0.6:
            power += self._line_noise(power, bool(segments))
        if background is not None:
            power[: len(background)] += background
        log_power = np.log10(np.maximum(power, 1e-10))
        loudest = log_power.max() + (random.uniform(0, 0.7) if random.random() < 0.5 else 0)
        if not segments and random.random() < 0.7:  # a silent window of a call that has speech elsewhere
            loudest = max(loudest, random.uniform(-1.5, 2.5))
        return Window(normalised(log_power, loudest), segments, phones)

    def non_speech(self, length: int) -> Power:
        """Some music, tones or noise, at some level."""
        start = self._random.integers(0, len(self._non_speech) - length)
        level = self._random.uniform(-2.5, 0.2)
        return np.asarray(10 ** (self._non_speech[start : start + length].astype(np.float32) + level), np.float32)

    def mask(self, mel: NDArray[np.float32]) -> None:
        """Short stretches of time and narrow bands set to the mean, in place."""
        random = self._random
        for _ in range(random.integers(0, 2)):
            width = random.integers(2, 6)
            start = random.integers(0, mel.shape[1] - width)
            mel[:, start : start + width] = mel.mean()
        if random.random() < 0.25:
            width = random.integers(2, 6)
            start = random.integers(0, BANDS - width)
            mel[start : start + width] = mel.mean()

    def _equaliser(self) -> NDArray[np.float32]:
        """A tilt and a smooth ripple; in 60 % of the windows no more than 4 kHz, in 40 % no bass."""
        random = self._random
        tilt = random.uniform(-0.006, 0.006) * np.arange(-40, 40, dtype=np.float32)
        ripple = np.interp(np.arange(BANDS), np.linspace(0, BANDS - 1, 8), random.normal(0, 0.1, 8))
        equaliser = (tilt + ripple).astype(np.float32)
        low_pass, high_pass = random.random() < 0.6, random.random() < 0.4
        if low_pass:
            equaliser[random.integers(55, 62) :] -= random.uniform(2, 7)
        if high_pass:
            equaliser[:4] -= random.uniform(0.3, 3)
        return equaliser

    def _line_noise(self, power: Power, speech: bool) -> Power:
        """Coloured noise, 12-55 dB below the speech's peaks."""
        random = self._random
        peaks = np.log10(np.quantile(power, 0.97)) if speech else random.uniform(-4, 0)
        level = peaks - random.uniform(1.2, 5.5)
        colour = np.interp(np.arange(BANDS), np.linspace(0, BANDS - 1, 6), random.normal(0, 0.4, 6))
        colour += random.uniform(-0.02, 0.01) * np.arange(BANDS)
        if random.random() < 0.5:
            colour[random.integers(55, 66) :] -= random.uniform(0, 6)
        start = random.integers(0, len(self._noise) - len(power))
        return np.asarray(10 ** (level + colour) * self._noise[start : start + len(power)], np.float32)


def _segment(utterance: Utterance, position: int, length: int) -> Segment:
    words = [
        (word, position + start, min(length, position + end))
        for word, start, end in utterance.words
        if position + start < length
    ]
    return Segment(
        start=position + utterance.words[0][1],
        end=min(position + utterance.words[-1][2], length),
        words=words,
        cut=len(utterance.frames) > length - position,
    )
