"""Calls to measure recognition with: two people who take turns on two channels, in several lengths, rates and codecs.

Lives here: making the files. Does not: words that a model would know (tools/sample_calls); only where there is a voice,
and for how long, matters for speed. The voice is that of the sample calls, cut at its pauses and put together anew.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from faster_whisper import decode_audio
from numpy.typing import NDArray

from aila_pipeline.demo.samples import samples

Signal = NDArray[np.float32]

_NOISE = 0.0003
"""Standard deviation of the line's noise, -70 dBFS."""

_KINDS = (
    ("wav", "pcm_s16le", 8_000),
    ("wav", "pcm_mulaw", 8_000),
    ("mp3", "libmp3lame", 16_000),
    ("flac", "flac", 16_000),
)
_RATE_HZ = 16_000


@dataclass(frozen=True)
class MadeCall:
    """A file, and what is in it: seconds in all, and of voice on both channels together."""

    path: Path
    seconds: float
    voiced_seconds: float


def make_calls(folder: Path, minutes: list[float], *, share: float = 0.45, seed: int = 1) -> list[MadeCall]:
    """One stereo call of each length; each side speaks `share` of the time, hardly ever both at once."""
    choice = random.Random(seed)
    phrases = list(_phrases())
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number, length in enumerate(minutes):
        sound, voiced = _conversation(length, share, phrases, choice)
        kind, codec, rate_hz = _KINDS[number % len(_KINDS)]
        path = folder / f"call_{number:03}.{kind}"
        _write(path, sound, codec, rate_hz)
        made.append(MadeCall(path, sound.shape[1] / _RATE_HZ, voiced / _RATE_HZ))
    return made


def _phrases() -> Iterator[Signal]:
    """What is said in the samples between pauses, 1 to 12 s each."""
    for sample in samples().values():
        if sample.layout == "stereo":
            for channel, role in zip(
                decode_audio(str(sample.path), split_stereo=True), ("client", "operator"), strict=True
            ):
                for turn in sample.turns:
                    if turn.role == role and 1 <= turn.end - turn.start <= 12:
                        yield channel[int(turn.start * _RATE_HZ) : int(turn.end * _RATE_HZ)]


def _conversation(minutes: float, share: float, phrases: list[Signal], choice: random.Random) -> tuple[Signal, int]:
    """Both channels, and how many samples of voice are on them together."""
    length = int(minutes * 60 * _RATE_HZ)
    noise = np.random.default_rng(choice.randrange(2**32))
    sound = noise.normal(scale=_NOISE, size=(2, length)).astype(np.float32)
    at, side, voiced = int(0.5 * _RATE_HZ), 0, 0
    while at < length:
        phrase = choice.choice(phrases)[: length - at]
        sound[side, at : at + len(phrase)] += phrase
        voiced += len(phrase)
        # With twice the share spoken in all, the rest is pauses.
        at += len(phrase) + int(len(phrase) * (1 - 2 * share) / (2 * share) * choice.uniform(0.2, 1.8))
        side = 1 - side if choice.random() < 0.6 else side
    return sound, voiced


def _write(path: Path, sound: Signal, codec: str, rate_hz: int) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        context = stream.codec_context
        context.open()
        resampler = av.AudioResampler(
            format=context.format, layout="stereo", rate=rate_hz, frame_size=context.frame_size or 1024
        )
        for start in range(0, sound.shape[1], 60 * _RATE_HZ):
            part = np.ascontiguousarray(sound[:, start : start + 60 * _RATE_HZ])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate = _RATE_HZ
            for piece in resampler.resample(frame):
                piece.pts = None
                container.mux(stream.encode(piece))
        for piece in resampler.resample(None):
            piece.pts = None
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
