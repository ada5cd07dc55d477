"""Speech: a recording's channels turned into words with times, by faster-whisper.

Lives here: the plain engine, which takes one channel after the other; the identity of its results; loading the model.
Does not: finding the model (speech_model.py), hearing a channel (speech_hearing.py), knowing who speaks on which one
(domain/transcript.py).

faster-whisper is imported where it is used: it takes almost a second.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import logging
import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aila_pipeline.adapters import speech_model
from aila_pipeline.adapters.speech_hearing import Clock, Ear
from aila_pipeline.domain.models import AudioFacts, Recognition, Utterance
from aila_pipeline.errors import ModelUnavailable
from aila_pipeline.settings import Settings

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

ENGINE = "plain"
VERSION = "1"
"""Raised whenever the engine hears something else than before in the same audio; makes older results stale."""

_log = logging.getLogger(__name__)


def _nothing() -> None:
    return None


class Recogniser:
    """Recognises speech with one model. Cheap to make: the model is loaded on first use, once per process."""

    def __init__(
        self,
        model: str,
        *,
        device: str = "auto",
        compute_type: str = "default",
        beam_size: int = 5,
        cpu_threads: int = 0,
        on_download: Callable[[str], None] = _log.info,
    ) -> None:
        self._model, self._device, self._compute_type = model, device, compute_type
        self._beam_size, self._cpu_threads, self._on_download = beam_size, cpu_threads, on_download

    @classmethod
    def from_settings(cls, settings: Settings) -> Recogniser:
        """The recogniser that the settings describe."""
        return cls(
            settings.whisper_model,
            device=settings.whisper_device,
            compute_type=settings.whisper_compute_type,
            beam_size=settings.whisper_beam_size,
            cpu_threads=settings.cpu_threads,
        )

    @property
    def model_name(self) -> str:
        """What the model calls itself, else the size or the directory's name."""
        return speech_model.name_of(self._model)

    @property
    def is_demo(self) -> bool:
        """Whether this is the demo model, which knows a few hundred words and must not hear real calls."""
        return self.model_name == speech_model.DEMO

    @functools.cached_property
    def _directory(self) -> Path:
        return speech_model.find_model(self._model, on_download=self._on_download)

    @functools.cached_property
    def _card(self) -> speech_model.ModelCard:
        return speech_model.read_card(self._directory)

    @property
    def _options(self) -> dict[str, Any]:
        return {"beam_size": self._beam_size, **self._card.options}

    def identity(self, facts: AudioFacts, language: str | None = None) -> str:
        """SHA-256 of all that decides the text besides the audio itself; equal identities, equal results.

        The compute type counts as it is set, not as the machine resolves `default`, so that workers with and without
        a GPU share results. Loads no model, but downloads it if it is not there yet.

        Raises:
            ModelUnavailable: the model cannot be found.
            SettingInvalid: nor can it be by this name, or its card is wrong.
        """
        decisive = {"language": language or self._card.language, "channels": channels_to_recognise(facts)}
        return hashlib.sha256(json.dumps([self.maker, decisive], sort_keys=True).encode()).hexdigest()

    @functools.cached_property
    def maker(self) -> str:
        """SHA-256 of what decides the text of every recording alike: engine, model and options."""
        decisive = {
            "engine": ENGINE,
            "version": VERSION,
            "model": speech_model.fingerprint(self._directory),
            "options": self._options,
            "compute_type": self._compute_type,
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    def recognise(
        self,
        path: Path,
        facts: AudioFacts,
        *,
        language: str | None = None,
        on_progress: Callable[[], None] = _nothing,
    ) -> Recognition:
        """All words of the recording, channel by channel.

        `language` is a code like "en"; without one (and without one in the model's card), it is detected on the
        channel that starts with most speech, and the others take it over. `on_progress` is called whenever work has
        moved on, and what it raises ends the recognition.

        Raises:
            RecognitionFailed: the model failed on this recording.
            ModelUnavailable: the model cannot be found or loaded, or there is no memory for it.
            AudioInvalid: the file is not the one the facts are about.
        """
        whisper = self._loaded()
        ear = Ear(whisper, self._options, language or self._card.language, facts.seconds, on_progress)
        utterances: list[Utterance] = []
        with ExitStack() as stack:
            heard = {
                channel: stack.enter_context(closing(ear.listen(path, channel)))
                for channel in channels_to_recognise(facts)
            }
            beginnings = {channel: next(stretches, None) for channel, stretches in heard.items()}
            ear.settle_language([first for first in beginnings.values() if first is not None])
            for channel, stretches in heard.items():
                first = beginnings.pop(channel)
                clock = Clock(facts.seconds)
                for stretch in itertools.chain([first] if first is not None else [], stretches):
                    utterances.extend(ear.write_down(stretch, channel, clock))
        return Recognition(
            audio_sha256=facts.sha256,
            identity=self.identity(facts, language),
            model=self.model_name,
            language=ear.language,
            language_probability=ear.language_probability,
            seconds=facts.seconds,
            channels=1 if facts.dual_mono else facts.channels,
            utterances=tuple(utterances),
        )

    def _loaded(self) -> WhisperModel:
        device = self._device if self._device != "auto" else _best_device()
        compute_type = "int8" if self._compute_type == "default" and device == "cpu" else self._compute_type
        threads = self._cpu_threads or _cpu_count()
        return _load(self._directory, speech_model.fingerprint(self._directory), device, compute_type, threads)


def channels_to_recognise(facts: AudioFacts) -> list[int]:
    """Channels that hold speech of their own: not silent ones, and of a dual-mono recording the first alone."""
    channels = [0] if facts.dual_mono else range(facts.channels)
    return [channel for channel in channels if channel not in facts.silent_channels]


@functools.lru_cache(maxsize=1)
def _load(
    directory: Path,
    fingerprint: str,  # noqa: ARG001 - makes a model that was exchanged in its place another one for the cache
    device: str,
    compute_type: str,
    threads: int,
) -> WhisperModel:
    """The model in memory."""
    import faster_whisper  # noqa: PLC0415 - slow to import

    try:
        return faster_whisper.WhisperModel(
            str(directory), device=device, compute_type=compute_type, cpu_threads=threads, num_workers=1
        )
    except Exception as error:  # CTranslate2, tokenizers and json each raise their own
        raise ModelUnavailable(
            f"{directory} on {device} as {compute_type} ({type(error).__name__}: {error}); AILA_WHISPER_DEVICE and "
            "AILA_WHISPER_COMPUTE_TYPE say how it is loaded"
        ) from error


def _best_device() -> str:
    import ctranslate2  # noqa: PLC0415 - slow to import

    return "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"


def _cpu_count() -> int:
    """Processors this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
