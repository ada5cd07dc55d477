"""Language: what the rules need to know of a language.

Lives here: the shape of that knowledge. Does not: the words themselves (english.py, russian.py) or what is done with
them (questions.py, keywords.py, sentiment.py). A call in a language without word lists has no keywords, no sentiment,
and only those questions that are marked as such.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class WordList:
    """Words, each as it is or, when written `stem*`, with any ending."""

    words: frozenset[str]
    stems: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> WordList:
        """The list from words parted by white space."""
        parts = text.split()
        return cls(
            words=frozenset(part for part in parts if not part.endswith("*")),
            stems=tuple(part[:-1] for part in parts if part.endswith("*")),
        )

    def __contains__(self, token: str) -> bool:
        return token in self.words or token.startswith(self.stems)


@dataclass(frozen=True)
class Asking:
    """How questions begin in a language, for text without punctuation."""

    anywhere: frozenset[tuple[str, str]]
    """Pairs that ask wherever they stand, unless `embedding` stands before them."""
    at_start: frozenset[str]
    """Words that ask at the start of a clause."""
    particles: frozenset[str]
    """Words that make any clause a question."""
    openers: frozenset[str]
    """Words after which a clause starts."""
    embedding: frozenset[str]
    """Words after which a question word does not ask ("I know what is …")."""
    not_asking: frozenset[tuple[str, str]]
    """Pairs that look like a start and are none."""


@dataclass(frozen=True)
class Language:
    """What the rules know of one language."""

    stop_words: frozenset[str]
    """Words that tell nothing about a call's subject: function words, courtesies, numbers, times."""
    stem: Callable[[str], str]
    """Brings the forms of a word together; need not be a word itself."""
    positive: WordList
    negative: WordList
    negations: frozenset[str]
    courtesies: frozenset[tuple[str, ...]]
    """Phrases of which no word counts as praise or blame ("good morning")."""
    asking: Asking


def words(text: str) -> frozenset[str]:
    """The words of a text parted by white space."""
    return frozenset(text.split())


def pairs(text: str) -> frozenset[tuple[str, str]]:
    """Pairs of words, one pair a line or parted by `/`."""
    return frozenset((first, second) for first, second in (part.split() for part in text.replace("\n", "/").split("/")))


def phrases(text: str) -> frozenset[tuple[str, ...]]:
    """Phrases of any length, parted by `/`."""
    return frozenset(tuple(part.split()) for part in text.split("/"))


def product(first: str, second: str) -> frozenset[tuple[str, str]]:
    """Each word of the first text with each of the second."""
    return frozenset((one, other) for one in first.split() for other in second.split())
