"""Nonspeech: music-like chords, hold tones, DTMF, rings, clicks and noise, from which the model learns to be silent.

    python -m tools.demo_model.nonspeech OUT.npy [--seed 5] [--seconds 900]

Lives here: the generator; frames as features.py makes them. Does not: mixing them into training (windows.py).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.demo_model.features import log_mel
from tools.demo_model.flite import RATE_HZ

Sound = NDArray[np.float64]

_SCALE = (0, 2, 4, 5, 7, 9, 11, 12)
_RINGS = ((440, 480), (400, 450), (350, 440), (425, 425))
_DTMF_LOW, _DTMF_HIGH = (697, 770, 852, 941), (1209, 1336, 1477)
_BLOCK_SECONDS = 20


def non_speech(seconds: float, random: np.random.Generator) -> NDArray[np.float32]:
    """At least `seconds` of non-speech at 16 kHz, in pieces of 2-12 s of one kind and one level each."""
    pieces: list[Sound] = []
    while sum(map(len, pieces)) < seconds * RATE_HZ:
        piece = _piece(int(RATE_HZ * random.uniform(2, 12)), random)
        pieces.append(piece / np.abs(piece).max() * 10 ** random.uniform(-2, -0.3))
    return np.concatenate(pieces).astype(np.float32)


def _piece(length: int, random: np.random.Generator) -> Sound:
    kind = random.integers(0, 7)
    if kind <= 2:
        return _music(length, random)
    if kind == 3:
        return _ring(length, random)
    if kind == 4:
        return _dial_tones(length, random)
    noise = _noise(length, random)
    if kind == 6:  # crackle: a tenth of all 0.1 s blocks
        noise = noise * (random.random(length // 1600 + 1) < 0.1).repeat(1600)[:length]
    return noise


def _decay(length: int, random: np.random.Generator) -> Sound:
    envelope = np.exp(-np.linspace(0, random.uniform(1, 6), length))
    envelope[:80] *= np.linspace(0, 1, 80)
    return envelope


def _music(length: int, random: np.random.Generator) -> Sound:
    sound = np.zeros(length)
    step, root = int(RATE_HZ * random.uniform(0.15, 0.6)), random.uniform(90, 400)
    for start in range(0, length - 400, step):
        count = min(int(step * random.uniform(0.8, 2.5)), length - start)
        seconds = np.arange(count) / RATE_HZ
        for _ in range(random.integers(1, 4)):
            pitch = root * 2 ** (random.choice(_SCALE) / 12) * random.choice((1, 1, 2))
            for harmonic in range(1, random.integers(2, 9)):
                tone = np.sin(2 * np.pi * pitch * harmonic * seconds + random.uniform(0, 6))
                sound[start : start + count] += tone / harmonic ** random.uniform(0.7, 2) * _decay(count, random)
        if random.random() < 0.4:  # a drum
            count = min(1200, length - start)
            sound[start : start + count] += random.normal(size=count) * _decay(count, random) * 0.8
    return sound


def _ring(length: int, random: np.random.Generator) -> Sound:
    seconds = np.arange(length) / RATE_HZ
    low, high = random.choice(_RINGS)
    period = random.uniform(0.4, 4)
    sound = np.sin(2 * np.pi * low * seconds) + np.sin(2 * np.pi * high * seconds)
    return np.asarray(sound * ((seconds % period) < period * random.uniform(0.3, 0.6)))


def _dial_tones(length: int, random: np.random.Generator) -> Sound:
    sound, count = np.zeros(length), 2400
    seconds = np.arange(count) / RATE_HZ
    for start in range(0, length - 3000, int(RATE_HZ * random.uniform(0.15, 0.5))):
        for pitch in (random.choice(_DTMF_LOW), random.choice(_DTMF_HIGH)):
            sound[start : start + count] += np.sin(2 * np.pi * pitch * seconds)
    return sound


def _noise(length: int, random: np.random.Generator) -> Sound:
    spectrum = np.fft.rfft(random.normal(size=length))
    pitch = np.fft.rfftfreq(length, 1 / RATE_HZ) + 20
    return np.fft.irfft(spectrum / pitch ** random.uniform(0, 1.2), length)


def main() -> None:
    """Write the frames of so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=900.0)
    arguments = parser.parse_args()
    sound = non_speech(arguments.seconds, np.random.default_rng(arguments.seed))
    block = RATE_HZ * _BLOCK_SECONDS
    blocks = [sound[start : start + block] for start in range(0, max(1, len(sound) - block), block)]
    np.save(arguments.out, np.concatenate([log_mel(part) for part in blocks]).astype(np.float16))


if __name__ == "__main__":
    main()
