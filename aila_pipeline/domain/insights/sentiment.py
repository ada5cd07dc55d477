"""Sentiment: whether a speaker's words praise or complain.

Lives here: the measure. Does not: the words (english.py, russian.py).

Each positive word counts +1, each negative word -1. A negation among the `REACH` words before it turns it round and
halves it: "not good" is -0.5, "no problem" +0.5, as a denied word is weaker than its opposite. A negation serves one
word. Courtesies ("good morning") count nothing. With P the sum of what is positive and N of what is negative, the
sentiment is `(P - N) / (P + N + DAMPING)`: it lies between -1 and 1, and one word alone moves it by a third only.
"""

from __future__ import annotations

from collections.abc import Iterable

from aila_pipeline.domain.insights.language import Language
from aila_pipeline.domain.models import Turn
from aila_pipeline.domain.words import tokens

REACH = 3
"""How many words before it a negation may stand: "not a very good …" is the farthest usual form."""

DAMPING = 2.0
"""Neutral weight that keeps a single word from being the whole verdict (Laplace's rule with one word of each kind)."""


def sentiment(turns: Iterable[Turn], language: Language | None) -> float | None:
    """Between -1 (complaint) and 1 (praise); None without words or for a language without word lists."""
    if language is None:
        return None
    positive, negative, heard = 0.0, 0.0, False
    for turn in turns:
        spoken = tokens(turn.text)
        heard = heard or bool(spoken)
        for value in _values(spoken, language):
            positive, negative = positive + max(value, 0.0), negative + max(-value, 0.0)
    return (positive - negative) / (positive + negative + DAMPING) if heard else None


def _values(spoken: list[str], language: Language) -> list[float]:
    """What each telling word of one turn counts."""
    polite = {
        at + offset
        for courtesy in language.courtesies
        for at in range(len(spoken) - len(courtesy) + 1)
        if tuple(spoken[at : at + len(courtesy)]) == courtesy
        for offset in range(len(courtesy))
    }
    values, negated_at = [], -REACH - 1
    for at, word in enumerate(spoken):
        if at in polite:
            continue
        value = float(word in language.positive) - float(word in language.negative)
        if value and at - negated_at <= REACH:
            value, negated_at = -value / 2, -REACH - 1
        if value:
            values.append(value)
        # "nobody" and the like blame and deny nothing; a word that does both is taken for what it says itself.
        elif word in language.negations:
            negated_at = at
    return values
