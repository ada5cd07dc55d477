"""Builders for the tests of pooled recognition: questions about sample calls, and models that fail on purpose.

Lives here: what the tests hand in. Does not: any expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from faster_whisper import WhisperModel

from aila_pipeline.adapters.audio import inspect
from aila_pipeline.adapters.speech_calls import Question
from aila_pipeline.adapters.speech_decoding import Decoder, ReadyWindow
from aila_pipeline.adapters.speech_method import Method, voice_rule
from aila_pipeline.adapters.speech_model import find_model, read_card
from aila_pipeline.adapters.speech_pooled import PooledRun
from aila_pipeline.adapters.speech_underway import Underway
from aila_pipeline.adapters.speech_windows import Cutting, SoundWindow, windows_of
from aila_pipeline.demo.samples import samples
from aila_pipeline.domain.models import AudioFacts, Hints, Recognition
from aila_pipeline.domain.voice_activity import SAMPLE_RATE_HZ

DEMO = find_model("demo", on_download=print)
OPTIONS = read_card(DEMO).options
METHOD = Method.of(OPTIONS)
WHOLE, SHORT = (
    Cutting(voice_rule(OPTIONS, seconds), round(seconds * SAMPLE_RATE_HZ), 0)
    for seconds in (float(OPTIONS["chunk_length"]), 8.0)
)
"""As the recogniser cuts, and windows of which a short call has many."""


def facts_of(path: Path) -> AudioFacts:
    """The recording's facts."""
    return inspect(path, max_seconds=5 * 3600, max_bytes=2**31)


def a_question(path: Path, **more: Any) -> Question[str]:
    """About the recording in this file, known by its name."""
    return Question(path.name, facts_of(path), lambda: nullcontext(path), **more)


def sample_question(name: str) -> Question[str]:
    """About a sample call."""
    return a_question(samples()[name].path)


def whisper() -> WhisperModel:
    """The demo model, as it is loaded on a CPU."""
    return WhisperModel(str(DEMO), device="cpu", compute_type="int8", cpu_threads=2)


def sample_windows(*names: str) -> list[SoundWindow]:
    """All windows of these sample calls, both channels, cut short."""
    return [
        window
        for name in names
        for window in windows_of(
            samples()[name].path, list(range(facts_of(samples()[name].path).channels)), SHORT, nothing
        )
    ]


def nothing() -> None:
    """No progress to tell."""


def ready(decoder: Decoder, window: SoundWindow) -> ReadyWindow:
    """The window as it is decoded without any hints."""
    return ReadyWindow(window, "en", decoder.prompt("en", Hints()))


def a_run(decoder: Decoder, *, batches: int = 1, language: str | None = "en") -> PooledRun[str]:
    """A run whose recognitions say as little as they may."""

    def recognition(call: Underway[str]) -> Recognition:
        utterances, missing = call.words()
        facts = call.question.facts
        return Recognition(
            audio_sha256=facts.sha256,
            identity="",
            model="",
            language=call.language,
            language_probability=call.language_probability,
            seconds=facts.seconds,
            channels=facts.channels,
            utterances=utterances,
            missing=missing,
        )

    return PooledRun(
        decoder, language_of=lambda _: language, recognition=recognition, on_progress=nothing, batches=batches
    )


def windows(question: Question[str]) -> Iterator[SoundWindow]:
    """The windows of all channels of the question's recording."""
    with question.audio() as path:
        yield from windows_of(path, range(question.facts.channels), WHOLE, nothing)


def short_windows(question: Question[str]) -> Iterator[SoundWindow]:
    """The same, cut short."""
    with question.audio() as path:
        yield from windows_of(path, range(question.facts.channels), SHORT, nothing)


class Failing:
    """CTranslate2's model, but `generate` asks first whether it may go on with so many windows."""

    def __init__(self, model: Any, before: Callable[[int], None]) -> None:
        self._model, self._before = model, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, encoded: Any, prompts: list[list[int]], **options: Any) -> Any:
        """As the model does it, unless `before` raises."""
        self._before(len(prompts))
        return self._model.generate(encoded, prompts, **options)


def failing(before: Callable[[int], None]) -> WhisperModel:
    """The demo model in the hands of a device that sometimes fails."""
    made = whisper()
    made.model = Failing(made.model, before)
    return made
