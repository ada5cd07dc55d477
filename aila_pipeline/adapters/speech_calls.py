"""Speech calls: what a recogniser is asked about each call, and what it answers.

Lives here: the question, the answer, and answering one question after the other. Does not: any recognition.

A recogniser takes a stream of calls and answers each when it is done with it, not necessarily in their order.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from aila_pipeline.domain.models import AudioFacts, Hints, Recognition

T = TypeVar("T")


def nothing() -> None:
    """Progress that interests nobody."""


@dataclass(frozen=True)
class Question(Generic[T]):
    """A call to recognise. `about` is whatever the asker knows it by; `audio` opens its recording while it is read."""

    about: T
    facts: AudioFacts
    audio: Callable[[], AbstractContextManager[Path]]
    language: str | None = None
    hints: Hints = field(default_factory=Hints)


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A recognition, or what went wrong with this call alone. `seconds` of work were spent on it; `sums` are counts."""

    about: T
    result: Recognition | Exception
    seconds: float
    sums: Mapping[str, float] = field(default_factory=dict)

    def recognition(self) -> Recognition:
        """The recognition; raises what went wrong."""
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class OneByOne(ABC):
    """A recogniser that is done with one call before it asks for the next."""

    @abstractmethod
    def recognise(
        self,
        path: Path,
        facts: AudioFacts,
        *,
        language: str | None = None,
        hints: Hints | None = None,
        on_progress: Callable[[], None] = nothing,
    ) -> Recognition:
        """All words of one recording."""

    def recognise_all(
        self, questions: Iterable[Question[T]], *, on_progress: Callable[[], None] = nothing
    ) -> Generator[Answer[T], None, None]:
        """An answer for each question, in their order."""
        for question in questions:
            began = time.perf_counter()
            result: Recognition | Exception
            try:
                with question.audio() as path:
                    result = self.recognise(
                        path,
                        question.facts,
                        language=question.language,
                        hints=question.hints,
                        on_progress=on_progress,
                    )
            except Exception as error:  # noqa: BLE001 - the asker decides what it means, and whether to go on
                result = error
            yield Answer(question.about, result, time.perf_counter() - began)
