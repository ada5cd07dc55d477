"""Speech under way: one call between its first window and its answer.

Lives here: what is known of the call so far, and the recognition that comes of it. Does not: recognising windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from aila_pipeline.adapters.speech_calls import Answer, Question
from aila_pipeline.adapters.speech_decoding import Encoded, HeardWindow
from aila_pipeline.adapters.speech_hearing import Clock
from aila_pipeline.adapters.speech_windows import SoundWindow
from aila_pipeline.domain.models import Missing, Recognition, Utterance, Word
from aila_pipeline.domain.voice_activity import SAMPLE_RATE_HZ
from aila_pipeline.domain.windows import Window
from aila_pipeline.errors import CallError, RecognitionFailed

T = TypeVar("T")

VOTES = 3
"""Windows that decide on a call's language, by how much speech they hold. A single one is wrong now and then."""


@dataclass(frozen=True)
class _Kept:
    """What is left of a window when it was heard."""

    channel: int
    window: Window
    utterances: tuple[Utterance, ...]
    error: Exception | None


@dataclass
class Underway(Generic[T]):
    """A call; `waiting` windows of it are pooled or being heard, and more may come until it `is_read`."""

    question: Question[T]
    language: str | None = None
    language_probability: float | None = None
    prompt: tuple[int, ...] | None = None
    waiting: int = 0
    is_read: bool = False
    seconds: float = 0.0
    sums: Counter[str] = field(default_factory=Counter)
    voting: list[tuple[SoundWindow, Encoded]] = field(default_factory=list)
    error: Exception | None = None
    _votes: Counter[str] = field(default_factory=Counter)
    _heard: list[_Kept] = field(default_factory=list)

    def vote(self, sound: SoundWindow, encoded: Encoded, found: dict[str, float]) -> None:
        """Count what this window says about the language."""
        self.voting.append((sound, encoded))
        for language, probability in found.items():
            self._votes[language] += probability * sound.window.speech  # type: ignore[assignment]  # a share, no count

    @property
    def has_voted(self) -> bool:
        """Whether the windows so far decide."""
        return bool(self.voting) and (self.is_read or len(self.voting) >= VOTES)

    def elect(self) -> str:
        """The language with most votes."""
        ((language, votes),) = self._votes.most_common(1)
        self.language = language
        self.language_probability = round(min(1.0, votes / sum(sound.window.speech for sound, _ in self.voting)), 4)
        return language

    def note(self, sound: SoundWindow, heard: HeardWindow) -> None:
        """Keep what a window gave, and not its sound: a call of hours has a thousand windows."""
        self._heard.append(_Kept(sound.channel, sound.window, heard.utterances, heard.error))
        self.sums["speech/windows"] += 1
        self.sums["speech/windows_retried"] += heard.retried
        self.sums["speech/windows_cut"] += bool(heard.again)
        self.sums["speech/windows_failed"] += heard.error is not None

    @property
    def is_done(self) -> bool:
        """Whether it can be answered."""
        return self.is_read and self.waiting == 0

    def answer(self, recognition: Callable[[Underway[T]], Recognition]) -> Answer[T]:
        """The answer, with its recognition or what went wrong."""
        result: Recognition | Exception
        if self.error is not None:
            result = self.error
        else:
            try:
                result = recognition(self)
            except CallError as error:
                result = error
        return Answer(self.question.about, result, self.seconds, dict(self.sums))

    def words(self) -> tuple[tuple[Utterance, ...], tuple[Missing, ...]]:
        """All utterances by channel and time, and what is missing.

        Raises:
            RecognitionFailed: windows failed, and no other has a word.
        """
        seconds = self.question.facts.seconds
        in_order = sorted(self._heard, key=lambda kept: (kept.channel, kept.window.span))
        clocks = {kept.channel: Clock(seconds) for kept in in_order}
        utterances = tuple(
            _in_time(utterance, clocks[kept.channel]) for kept in in_order for utterance in kept.utterances
        )
        failed = [kept for kept in in_order if kept.error is not None]
        if failed and not utterances:
            raise RecognitionFailed(type(failed[0].error).__name__) from failed[0].error
        missing = tuple(
            Missing(
                channel=kept.channel,
                start=round(piece.span.start / SAMPLE_RATE_HZ, 2),
                end=round(min(seconds, piece.span.end / SAMPLE_RATE_HZ), 2),
            )
            for kept in failed
            for piece in kept.window.pieces
        )
        return utterances, missing


def _in_time(utterance: Utterance, clock: Clock) -> Utterance:
    """The utterance with times that fit those before it on its channel, to the millisecond."""
    words = []
    for word in utterance.words:
        start, end = clock.place(word.start, word.end)
        words.append(Word(start=start, end=end, text=word.text, probability=word.probability))
    start, end = (words[0].start, words[-1].end) if words else clock.place(utterance.start, utterance.end)
    return Utterance(channel=utterance.channel, start=start, end=end, text=utterance.text, words=tuple(words))
