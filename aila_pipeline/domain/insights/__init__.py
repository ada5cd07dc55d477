"""Insights: what the turns of a call tell, worked out the same way each time.

Lives here: putting the figures together. Does not: hearing (adapters/speech.py), judging (scoring/). figures.py says
what each figure means; nothing here asks a network, a model or the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from aila_pipeline.domain.insights import speech_measures as measures
from aila_pipeline.domain.insights.english import ENGLISH
from aila_pipeline.domain.insights.figures import Insights, Overlap, PerRole, Silence, metric, metric_names
from aila_pipeline.domain.insights.keywords import Keyword, keywords
from aila_pipeline.domain.insights.language import Language
from aila_pipeline.domain.insights.questions import punctuated, questions
from aila_pipeline.domain.insights.russian import RUSSIAN
from aila_pipeline.domain.insights.sentiment import sentiment
from aila_pipeline.domain.insights.timing import told, total
from aila_pipeline.domain.models import Role, Transcript, Turn

__all__ = ["VERSION", "Insights", "Keyword", "Overlap", "PerRole", "Silence", "analyse", "metric", "metric_names"]

VERSION = "2"
"""Raised when the same transcript would give other figures."""

T = TypeVar("T")

_LANGUAGES: dict[str | None, Language] = {"en": ENGLISH, "ru": RUSSIAN}
"""Languages with word lists, by the code that Whisper reports."""


def analyse(transcript: Transcript) -> Insights:
    """All figures of one call. Any transcript will do, an empty one included; nothing is raised."""
    turns = transcript.turns
    language = _LANGUAGES.get(transcript.language)
    marked = punctuated(turns)
    # Word times may lie a little behind the end of the recording.
    seconds = max([transcript.seconds, *(turn.end for turn in turns)])
    talk = _per_role(turns, lambda _, own: total(measures.spans_of(own)))
    all_talk = talk.operator + talk.client + talk.unknown
    return Insights(
        seconds=told(seconds),
        talk_seconds=_per_role(turns, lambda role, _: told(talk.of(role))),
        talk_share=_per_role(turns, lambda role, _: round(talk.of(role) / all_talk, 6) if all_talk > 0 else None),
        silence=measures.silence(turns, seconds),
        overlap=measures.overlap(turns),
        interruptions=_per_role(turns, lambda role, _: measures.interruptions(turns, role)),
        longest_monologue_seconds=_per_role(turns, lambda role, _: measures.longest_monologue(turns, role)),
        words=_per_role(turns, lambda _, own: _words(own)),
        words_per_minute=_per_role(turns, lambda role, own: _pace(_words(own), talk.of(role))),
        questions=_per_role(turns, lambda _, own: sum(questions(turn, language, punctuated=marked) for turn in own)),
        turns=_per_role(turns, lambda _, own: len(own)),
        first_speech_seconds=_per_role(turns, lambda _, own: told(own[0].start) if own else None),
        first_response_delay_seconds=measures.first_response_delay(turns),
        keywords=keywords(turns, language),
        sentiment=_per_role(turns, lambda _, own: _rounded(sentiment(own, language))),
    )


def _per_role(turns: Sequence[Turn], figure: Callable[[Role, list[Turn]], T]) -> PerRole[T]:
    """The figure for each role, worked out from the role and its own turns."""
    found = {role: figure(role, [turn for turn in turns if turn.role is role]) for role in Role}
    return PerRole(operator=found[Role.OPERATOR], client=found[Role.CLIENT], unknown=found[Role.UNKNOWN])


def _words(turns: Sequence[Turn]) -> int:
    return sum(len(turn.words) for turn in turns)


def _pace(words: int, talk_seconds: float) -> float | None:
    return round(words * 60 / talk_seconds, 1) if told(talk_seconds) >= measures.MIN_PACE_SECONDS else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
