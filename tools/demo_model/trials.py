"""Trials: what a model is tried on: held-out sentences, mock calls under all conditions, and sounds without speech.

Lives here: the sounds and what is said in them, all from seeds. Does not: recognising (hearing.py) or tables
(evaluate.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tools.demo_model.flite import RATE_HZ, say
from tools.demo_model.line_codecs import coded
from tools.demo_model.nonspeech import non_speech
from tools.demo_model.sentences import HELD_OUT_SEED, MOCK_CALLS_SEED, Sentences
from tools.demo_model.training_text import exported_held_out
from tools.demo_model.voices import CAST, UNHEARD, Part, named, speak
from tools.sample_calls.dialogues import Audio

Sound = NDArray[np.float32]

_PAIRS = (("slt", "rms"), ("awb", "slt"), ("rms", "awb"), ("slt", "awb"))
_ENGINES_OTHER_VOICES = ("ked_diphone", "cmu_us_slt_arctic_hts", "m3", "f2", "klatt4", "Annie")


@dataclass(frozen=True)
class Trial:
    """A sound, what is said in it, and the groups that it counts for."""

    said: str
    sound: Sound
    groups: tuple[str, ...]


def first_sentences() -> Iterator[Trial]:
    """192 clips of 1-6 s in the 383 words, 64 for each of flite's three voices, with light noise."""
    choice, noise = random.Random(3), np.random.default_rng(3)
    for voice, lines in Sentences(HELD_OUT_SEED).held_out().items():
        for kind, text in lines:
            yield Trial(text, _clip(say(text, voice).samples, choice, noise), ("all", voice, kind))


def unheard_sentences() -> Iterator[Trial]:
    """48 clips in the 383 words by the voice that no training heard."""
    choice, noise = random.Random(3), np.random.default_rng(3)
    for lines in Sentences(HELD_OUT_SEED).held_out().values():
        for kind, text in lines[::4]:
            yield Trial(text, _clip(say(text, UNHEARD).samples, choice, noise), (UNHEARD, f"{UNHEARD}, {kind}"))


def wide_sentences() -> Iterator[Trial]:
    """Clips in all words that the model writes, by voices of every kind in turn."""
    choice, noise = random.Random(4), np.random.default_rng(4)
    cast = [voice.name for voice in CAST if voice.engine == "flite"] + list(_ENGINES_OTHER_VOICES)
    lines = exported_held_out()
    parts = [Part(text, named(cast[number % len(cast)])) for number, (_, text) in enumerate(lines)]
    for (kind, _), part, spoken in zip(lines, parts, speak(parts), strict=True):
        yield Trial(part.text, _clip(spoken.samples, choice, noise), ("all words", f"all words, {kind}"))


def voice_sentences(voice: str, count: int = 24) -> Iterator[Trial]:
    """Clips by one voice of the cast: grammar sentences and random words in turn, in the 383 words."""
    choice, noise = random.Random(5), np.random.default_rng(5)
    lists = Sentences(HELD_OUT_SEED).held_out()
    texts = [text for lines in lists.values() for _, text in lines][:: 192 // count][:count]
    parts = [Part(text, named(voice)) for text in texts]
    for part, spoken in zip(parts, speak(parts), strict=True):
        yield Trial(part.text, _clip(spoken.samples, choice, noise), (voice,))


def _clip(spoken: Sound, choice: random.Random, noise: np.random.Generator) -> Sound:
    sound = np.concatenate([np.zeros(4800, np.float32), spoken, np.zeros(6400, np.float32)])
    sound = sound * (0.3 / np.abs(sound).max())
    return np.asarray(sound + noise.normal(size=len(sound)) * 10 ** choice.uniform(-4.5, -3.2), np.float32)


@cache
def mock_channels() -> tuple[tuple[str, Sound], ...]:
    """What was said on each channel of four calls of 74-82 s, and its sound with noise 25-38 dB below."""
    channels: list[tuple[str, Sound]] = []
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
        channels += [
            (" ".join(text for speaker, text in turns if speaker == who), sound[channel])
            for channel, who in enumerate("AC")
        ]
    return tuple(channels)


def _noisy(sound: Sound) -> Sound:
    """White noise 20 dB below the speech, whose power is that of the louder half of its 0.1 s blocks."""
    blocks = (sound[: len(sound) // 1600 * 1600].reshape(-1, 1600) ** 2).mean(1)
    speech = np.sort(blocks)[len(blocks) // 2 :].mean()
    noise = np.random.default_rng(20).normal(size=len(sound)) * np.sqrt(speech / 100)
    return np.asarray(sound + noise, np.float32)


def _through(audio: Audio) -> Callable[[Sound], Sound]:
    return lambda sound: coded(sound, audio)


CONDITIONS: Mapping[str, Callable[[Sound], Sound]] = {
    "16 kHz": lambda sound: sound,
    "8 kHz": _through(Audio("call.wav", "pcm_s16le", 8_000)),
    "noise 20 dB below": _noisy,
    "µ-law 8 kHz": _through(Audio("call.wav", "pcm_mulaw", 8_000)),
    "MP3 32 kbit/s 16 kHz": _through(Audio("call.mp3", "mp3", 16_000, 32_000)),
    "MP3 32 kbit/s 44.1 kHz": _through(Audio("call.mp3", "mp3", 44_100, 32_000)),
    "AAC 32 kbit/s 16 kHz": _through(Audio("call.m4a", "aac", 16_000, 32_000)),
    "Opus 32 kbit/s 48 kHz": _through(Audio("call.ogg", "opus", 48_000, 32_000)),
    "Opus 32 kbit/s 8 kHz": _through(Audio("call.ogg", "opus", 8_000, 32_000)),
    "Vorbis 16 kHz": _through(Audio("call.ogg", "vorbis", 16_000, layout="dual_mono")),
}
"""What may be done to a mock call; the codecs are those of the sample calls."""


def calls(condition: str) -> Iterator[Trial]:
    """The mock calls under a condition, each channel by itself, which is an operator's or a client's voice alone."""
    for number, (said, sound) in enumerate(mock_channels()):
        yield Trial(said, CONDITIONS[condition](sound), ("both", ("operator", "client")[number % 2]))


def silences() -> dict[str, Sound]:
    """Sounds in which nobody speaks."""
    noise = np.random.default_rng(0)
    length = 30 * RATE_HZ
    pink = np.fft.irfft(np.fft.rfft(noise.normal(size=length)) / np.sqrt(np.arange(length // 2 + 1) + 1), length)
    return {
        "digital silence": np.zeros(length, np.float32),
        "white noise, -50 dB": np.asarray(noise.normal(size=length) * 0.003, np.float32),
        "white noise, -26 dB": np.asarray(noise.normal(size=length) * 0.05, np.float32),
        "pink noise": np.asarray(pink / np.abs(pink).max() * 0.3, np.float32),
        "music, tones, DTMF": non_speech(60, np.random.default_rng(99)),
    }
