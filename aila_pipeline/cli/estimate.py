"""Estimate: how long recognition would take here, measured on the submission's own audio.

Lives here: timing the recogniser on an excerpt. Does not: downloading a model; where it is not on this machine yet,
there is no estimate.
"""

from __future__ import annotations

import tempfile
import time
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aila_pipeline.adapters.audio import channel_blocks, inspect
from aila_pipeline.adapters.speech import Recogniser
from aila_pipeline.cli.output import length
from aila_pipeline.domain.models import AudioFacts
from aila_pipeline.errors import ModelUnavailable, SettingInvalid
from aila_pipeline.settings import Settings

EXCERPT_SECONDS = 30.0
_RATE_HZ = 16_000


@dataclass(frozen=True)
class Estimate:
    """`factor`: seconds of work for a second of audio, measured on `excerpt_seconds` of it; None with the `reason`."""

    model: str
    factor: float | None
    excerpt_seconds: float = 0.0
    reason: str = ""

    def seconds(self, audio_seconds: float) -> float | None:
        """Recognition of so much audio, on this machine alone."""
        return None if self.factor is None else round(audio_seconds * self.factor, 1)

    def told(self, audio_seconds: float) -> str:
        """For a person, with what it rests on."""
        if self.factor is None:
            return f"not estimated: {self.reason}"
        return (
            f"about {length(self.seconds(audio_seconds))} of recognition on this machine alone (model {self.model}: "
            f"{self.factor:.2f} s for a second of audio, measured on {self.excerpt_seconds:.0f} s of it)"
        )


class _NotHereError(Exception):
    """The model would have to be downloaded."""


def estimate(settings: Settings, recording: Path, facts: AudioFacts, *, language: str | None) -> Estimate:
    """Time the recogniser on the recording's first half minute."""

    def refuse(_line: str) -> None:
        raise _NotHereError

    recogniser = Recogniser.from_settings(settings, on_download=refuse)
    try:
        with tempfile.NamedTemporaryFile(prefix="aila-excerpt-", suffix=".wav") as file:
            path = Path(file.name)
            _write_excerpt(recording, facts, path)
            excerpt = inspect(path, max_seconds=2 * EXCERPT_SECONDS, max_bytes=settings.max_audio_bytes)
            # A recording without any sound loads the model and costs nothing else.
            silence = excerpt.model_copy(update={"silent_channels": tuple(range(excerpt.channels)), "dual_mono": False})
            recogniser.recognise(path, silence, language=language)
            begun = time.perf_counter()
            recogniser.recognise(path, excerpt, language=language)
            seconds = time.perf_counter() - begun
    except (ModelUnavailable, SettingInvalid) as error:
        missing = isinstance(error.__cause__, _NotHereError)
        reason = f"the model {settings.whisper_model} is not on this machine yet" if missing else error.message
        return Estimate(settings.whisper_model, None, reason=reason)
    return Estimate(recogniser.model_name, seconds / excerpt.seconds, excerpt.seconds)


def _write_excerpt(recording: Path, facts: AudioFacts, target: Path) -> None:
    """The beginning of every channel, as a WAV of 16 bit."""
    wanted = round(EXCERPT_SECONDS * _RATE_HZ)
    channels = []
    for channel in range(facts.channels):
        blocks = []
        for block in channel_blocks(recording, channel, sample_rate_hz=_RATE_HZ):
            blocks.append(block)
            if sum(map(len, blocks)) >= wanted:
                break
        channels.append(np.concatenate(blocks)[:wanted])
    shortest = min(map(len, channels))
    samples = np.stack([channel[:shortest] for channel in channels], axis=1)
    with wave.open(str(target), "wb") as file:
        file.setnchannels(facts.channels)
        file.setsampwidth(2)
        file.setframerate(_RATE_HZ)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
