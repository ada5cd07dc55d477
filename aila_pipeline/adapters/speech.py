"""Speech: recordings' channels turned into words with times, by faster-whisper.

Lives here: the recogniser with its two engines, and the identity of its results. Does not: the engines
(speech_pooled.py, speech_plain.py), finding the model (speech_model.py), knowing who speaks on which channel
(domain/transcript.py).

faster-whisper is imported where it is used: it takes almost a second.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from aila_pipeline.adapters import speech_loading, speech_method, speech_model, speech_plain
from aila_pipeline.adapters.speech_calls import Answer, OneByOne, Question, nothing
from aila_pipeline.domain.models import AudioFacts, Hints, Missing, Recognition, Utterance
from aila_pipeline.domain.voice_activity import SAMPLE_RATE_HZ
from aila_pipeline.errors import RecognitionFailed
from aila_pipeline.settings import SPEECH_MEMORY_MB, Settings

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

    from aila_pipeline.adapters.speech_underway import Underway
    from aila_pipeline.adapters.speech_windows import Cutting, SoundWindow

T = TypeVar("T")

POOLED, POOLED_VERSION = "pooled", "1"
"""The version is raised whenever the engine hears something else in the same audio; makes older results stale."""

_FULL_WINDOW_SECONDS, _MARGIN_SECONDS = 30.0, 0.5
"""Whisper's own window, and what is left free of it: a word that ends with the window is often lost."""

_log = logging.getLogger(__name__)


class Recogniser(OneByOne):
    """Recognises speech with one model. Cheap to make: the model is loaded on first use, once per process."""

    def __init__(
        self,
        model: str,
        *,
        engine: Literal["pooled", "plain"] = "pooled",
        device: str = "auto",
        compute_type: str = "default",
        beam_size: int = 5,
        cpu_threads: int = 0,
        memory_mb: int = SPEECH_MEMORY_MB,
        on_download: Callable[[str], None] = _log.info,
    ) -> None:
        self._model, self._engine, self._device, self._compute_type = model, engine, device, compute_type
        self._beam_size, self._cpu_threads, self._memory_mb = beam_size, cpu_threads, memory_mb
        self._on_download = on_download

    @classmethod
    def from_settings(cls, settings: Settings, *, on_download: Callable[[str], None] = _log.info) -> Recogniser:
        """The recogniser that the settings describe."""
        return cls(
            settings.whisper_model,
            engine=settings.speech_engine,
            device=settings.whisper_device,
            compute_type=settings.whisper_compute_type,
            beam_size=settings.whisper_beam_size,
            cpu_threads=settings.cpu_threads,
            memory_mb=settings.speech_memory_mb,
            on_download=on_download,
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

    def identity(self, facts: AudioFacts, language: str | None = None, hints: Hints | None = None) -> str:
        """SHA-256 of all that decides the text besides the audio itself; equal identities, equal results.

        The compute type counts as it is set, not as the machine resolves `default`, so that workers with and without
        a GPU share results; so does neither the memory nor the size of batches. Loads no model, but downloads it if it
        is not there yet.

        Raises:
            ModelUnavailable: the model cannot be found.
            SettingInvalid: nor can it be by this name, or its card is wrong.
        """
        decisive: dict[str, Any] = {
            "language": language or self._card.language,
            "channels": channels_to_recognise(facts),
        }
        if hints is not None and hints.given:
            decisive["hints"] = hints.given
        return hashlib.sha256(json.dumps([self.maker, decisive], sort_keys=True).encode()).hexdigest()

    @functools.cached_property
    def maker(self) -> str:
        """SHA-256 of what decides the text of every recording alike: engine, model and options."""
        decisive: dict[str, Any] = {
            "engine": self._engine,
            "version": speech_plain.VERSION,
            "model": speech_model.fingerprint(self._directory),
            "options": self._options,
            "compute_type": self._compute_type,
        }
        if self._engine == POOLED:
            method = speech_method.Method.of(self._options).decisive()
            pauses = [speech_method.MIN_SILENCE_MS, speech_method.PAD_MS, speech_method.GAP_SECONDS, _MARGIN_SECONDS]
            decisive |= {"version": POOLED_VERSION, "method": method, "pauses": pauses}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    def recognise(
        self,
        path: Path,
        facts: AudioFacts,
        *,
        language: str | None = None,
        hints: Hints | None = None,
        on_progress: Callable[[], None] = nothing,
    ) -> Recognition:
        """All words of the recording, channel by channel.

        `language` is a code like "en"; without one (and without one in the model's card), it is detected.
        `on_progress` is called whenever work has moved on, and what it raises ends the recognition.

        Raises:
            RecognitionFailed: the model failed on this recording.
            ModelUnavailable: the model cannot be found or loaded, or there is no memory for it.
            AudioInvalid: the file is not the one the facts are about.
        """
        if self._engine == POOLED:
            question = Question(None, facts, lambda: nullcontext(path), language, hints or Hints())
            (answer,) = self.recognise_all([question], on_progress=on_progress)
            return answer.recognition()
        question = Question(None, facts, lambda: nullcontext(path), language, hints or Hints())
        utterances, found, probability = speech_plain.hear(
            self._loaded(),
            path,
            channels_to_recognise(facts),
            options=self._options,
            language=language or self._card.language,
            hints=hints or Hints(),
            seconds=facts.seconds,
            on_progress=on_progress,
        )
        return self._recognition(question, utterances, found, probability)

    def recognise_all(
        self, questions: Iterable[Question[T]], *, on_progress: Callable[[], None] = nothing
    ) -> Generator[Answer[T], None, None]:
        """Every call's answer, as soon as it is there; the pooled engine asks for calls ahead, from another thread.

        Raises:
            ModelUnavailable: as `recognise`; it is nobody's call that failed then.
        """
        if self._engine != POOLED:
            yield from super().recognise_all(questions, on_progress=on_progress)
            return
        waiting = iter(questions)
        first = next(waiting, None)
        if first is None:
            return  # and no model is loaded for nothing
        from aila_pipeline.adapters.speech_decoding import Decoder  # noqa: PLC0415 - slow to import
        from aila_pipeline.adapters.speech_pooled import PooledRun  # noqa: PLC0415 - as above

        place, method, whisper = self._place, speech_method.Method.of(self._options), self._loaded()
        largest = self._windows_for(place)
        run: PooledRun[T] = PooledRun(
            Decoder(whisper, method, largest=largest, encode_together=place.device != "cpu"),
            language_of=lambda question: self._language(question.language),
            recognition=self._of_call,
            on_progress=on_progress,
            batches=place.workers,
        )
        cutting = self._cutting()

        def windows(question: Question[T]) -> Iterator[SoundWindow]:
            from aila_pipeline.adapters.speech_windows import windows_of  # noqa: PLC0415 - slow to import

            channels = channels_to_recognise(question.facts)
            with question.audio() as path, closing(windows_of(path, channels, cutting, on_progress)) as found:
                yield from found

        with closing(run.answers(itertools.chain([first], waiting), windows)) as answers:
            yield from answers

    def _cutting(self) -> Cutting:
        from aila_pipeline.adapters.speech_windows import Cutting  # noqa: PLC0415 - slow to import

        seconds = float(self._options.get("chunk_length") or self._loaded().feature_extractor.chunk_length)
        if seconds >= _FULL_WINDOW_SECONDS:
            seconds = _FULL_WINDOW_SECONDS - _MARGIN_SECONDS
        rule = speech_method.voice_rule(self._options, seconds)
        return Cutting(rule, round(seconds * SAMPLE_RATE_HZ), round(speech_method.GAP_SECONDS * SAMPLE_RATE_HZ))

    def _language(self, language: str | None) -> str | None:
        """The language of a call, if it is known beforehand."""
        whisper = self._loaded()
        known = (language or self._card.language) if whisper.model.is_multilingual else "en"
        if known is not None and known not in whisper.supported_languages:
            raise RecognitionFailed(f"the model does not know the language {known!r}")
        return known

    def _of_call(self, call: Underway[Any]) -> Recognition:
        utterances, missing = call.words()
        return self._recognition(call.question, utterances, call.language, call.language_probability, missing)

    def _recognition(
        self,
        question: Question[Any],
        utterances: tuple[Utterance, ...],
        language: str | None,
        probability: float | None,
        missing: tuple[Missing, ...] = (),
    ) -> Recognition:
        facts = question.facts
        return Recognition(
            audio_sha256=facts.sha256,
            identity=self.identity(facts, question.language, question.hints),
            model=self.model_name,
            language=language,
            language_probability=probability,
            seconds=facts.seconds,
            channels=1 if facts.dual_mono else facts.channels,
            utterances=utterances,
            missing=missing,
        )

    @functools.cached_property
    def _place(self) -> speech_loading.Place:
        chosen = functools.partial(speech_loading.Place.chosen, self._device, self._compute_type, self._cpu_threads)
        if self._engine != POOLED:
            return chosen(workers=1)  # `transcribe` asks for one window after the other
        place = chosen(workers=2)
        # With a single window each, they would win less than one loses that could have had a batch.
        return place if self._windows_for(place) > 1 else chosen(workers=1)

    def _windows_for(self, place: speech_loading.Place) -> int:
        """How many windows each worker may take at a time."""
        from aila_pipeline.adapters.speech_size import size_of  # noqa: PLC0415 - with the rest of the engine

        return size_of(self._directory).batch_for(
            self._memory_mb * 10**6 // place.workers,
            beam_size=speech_method.Method.of(self._options).beam_size,
            value_bytes=2 if "float16" in place.compute_type else 4,
        )

    def _loaded(self) -> WhisperModel:
        return speech_loading.load(self._directory, self._place)


def channels_to_recognise(facts: AudioFacts) -> list[int]:
    """Channels that hold speech of their own: not silent ones, and of a dual-mono recording the first alone."""
    channels = [0] if facts.dual_mono else range(facts.channels)
    return [channel for channel in channels if channel not in facts.silent_channels]
