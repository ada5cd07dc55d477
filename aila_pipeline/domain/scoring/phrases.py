"""Phrases: finding what was said, although the recogniser may have misheard a letter or a word's border.

Lives here: the search. Does not: what is searched for and what follows (verdicts.py).

A phrase of n words is compared with each stretch of n - 1, n and n + 1 words of one turn, by rapidfuzz's `ratio`
(100 * (1 - insertions and deletions / letters of both)): n - 1 and n + 1 because recognisers join and part words.
A checklist's phrases are looked for together: one table of phrases by stretches costs a quarter of phrase by phrase.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz import fuzz, process

from aila_pipeline.domain.models import Frozen, Role, Transcript, Turn
from aila_pipeline.domain.scoring.checklist import Speaker
from aila_pipeline.domain.words import tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Places = NDArray[np.intp]


class Evidence(Frozen):
    """Where something was said, in the words of the transcript."""

    start: float
    """Seconds from the start of the recording."""
    quote: str
    role: Role


@dataclass(frozen=True)
class Search:
    """What is looked for. Only stretches that end at or after `after` and begin at or before `before` count."""

    phrase: str
    role: Speaker
    similarity: float
    after: float = -inf
    before: float = inf


Hit = tuple[float, Evidence]
"""How alike (0..100), and where."""


@dataclass(frozen=True)
class _Said:
    """The comparable words of one role in the order said, as columns: whose they are, and where in `text` each lies.

    A word such as "twenty-five" is two comparable ones, and a dash alone is none.
    """

    words: list[tuple[Turn, int]]
    """The turn, and which of its words."""
    turns: Places
    """Number of the turn, so that no stretch runs over its end."""
    text: str
    begins: Places
    stops: Places

    @classmethod
    def of(cls, turns: Iterable[Turn]) -> _Said:
        words: list[tuple[Turn, int]] = []
        numbers: list[int] = []
        parts: list[str] = []
        for number, turn in enumerate(turns):
            for at, word in enumerate(turn.words):
                for part in _comparable(word.text):
                    words.append((turn, at))
                    numbers.append(number)
                    parts.append(part)
        lengths = np.fromiter(map(len, parts), np.intp, len(parts))
        stops = np.cumsum(lengths + 1) - 1
        return cls(words, np.array(numbers, dtype=np.intp), " ".join(parts), stops - lengths, stops)

    @cached_property
    def starts(self) -> Numbers:
        """When each word begins."""
        return np.array([turn.words[at].start for turn, at in self.words], dtype=float)

    @cached_property
    def ends(self) -> Numbers:
        """When each word ends."""
        return np.array([turn.words[at].end for turn, at in self.words], dtype=float)

    def evidence(self, first: int, last: int) -> Evidence:
        """These comparable words as they were heard."""
        turn, begin = self.words[first]
        heard = turn.words[begin : self.words[last][1] + 1]
        quote = " ".join(word.text.strip() for word in heard)
        return Evidence(start=heard[0].start, quote=quote, role=turn.role)


@dataclass(frozen=True)
class _Stretches:
    """All stretches of so many words that a role said, by the number of their first word."""

    said: _Said
    length: int
    firsts: Places

    @classmethod
    def of(cls, said: _Said, length: int) -> _Stretches:
        count = len(said.words) - length + 1 if length else 0
        one_turn = said.turns[: max(0, count)] == said.turns[length - 1 :] if count > 0 else np.zeros(0, dtype=bool)
        return cls(said, length, np.nonzero(one_turn)[0])

    def compared(self, phrases: list[str], similarity: float) -> Numbers:
        """How alike each phrase and each stretch are; 0 for less than `similarity`."""
        begins, stops = self.said.begins[self.firsts], self.said.stops[self.firsts + self.length - 1]
        texts = [self.said.text[begin:stop] for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True)]
        table: Numbers = process.cdist(phrases, texts, scorer=fuzz.ratio, score_cutoff=similarity, dtype=np.float64)
        return table

    def best(self, search: Search, alike: Numbers) -> tuple[float, int] | None:
        """How alike the best stretch for the search is, and its first word; `alike` is the phrase's row."""
        fits = alike >= search.similarity
        if search.before < inf:
            fits &= self.said.starts[self.firsts] <= search.before
        if search.after > -inf:
            fits &= self.said.ends[self.firsts + self.length - 1] >= search.after
        (found,) = np.nonzero(fits)
        if not len(found):
            return None
        if search.after > -inf:
            found = found[::-1]
        at = int(found[np.argmax(alike[found])])
        return float(alike[at]), int(self.firsts[at])


@dataclass
class Speech:
    """A transcript made ready to be searched for many phrases."""

    transcript: Transcript

    @cached_property
    def begin(self) -> float:
        """When the first word of the call begins; 0 in an empty transcript."""
        return min((turn.start for turn in self.transcript.turns), default=0.0)

    @cached_property
    def end(self) -> float:
        """When the last word of the call ends; 0 in an empty transcript."""
        return max((turn.end for turn in self.transcript.turns), default=0.0)

    def spoke(self, role: Speaker) -> bool:
        """Whether this role (or, for `any`, anybody) said a word."""
        return any(role in {"any", turn.role} for turn in self.transcript.turns)

    def speaker_at(self, seconds: float) -> Role:
        """Who said the word that begins nearest to this moment; unknown in an empty transcript."""
        words = ((abs(word.start - seconds), turn.role) for turn in self.transcript.turns for word in turn.words)
        return min(words, key=lambda known: known[0], default=(0.0, Role.UNKNOWN))[1]

    def find(self, searches: Iterable[Search]) -> dict[Search, Hit]:
        """The best place of each phrase that was said.

        Of several equally good places the earliest is taken, or the last when the search is bounded by `after`: what
        is looked for at the end of a call is shown there.
        """
        wanted = list(dict.fromkeys(searches))
        found: dict[Search, Hit] = {}
        for role in dict.fromkeys(search.role for search in wanted):
            mine = [search for search in wanted if search.role == role]
            found.update(self._found(role, mine))
        return found

    def _found(self, role: Speaker, searches: list[Search]) -> Iterator[tuple[Search, Hit]]:
        """The same, for the searches of one role."""
        said = _Said.of(turn for turn in self.transcript.turns if role in {"any", turn.role})
        lengths = [len(_comparable(search.phrase)) for search in searches]
        compared = {length: _compared(_Stretches.of(said, length), searches, lengths) for length in _near(lengths)}
        for number, (search, length) in enumerate(zip(searches, lengths, strict=True)):
            best: tuple[float, int, int] | None = None
            # As many words as the phrase has go first: an equally good stretch of more or fewer changes nothing.
            for near in (length, length + 1, length - 1):
                stretches, rows = compared[near]
                hit = stretches.best(search, rows[number]) if number in rows else None
                if hit is not None and (best is None or hit[0] > best[0]):
                    best = (*hit, near)
            if best is not None:
                alike, first, near = best
                yield search, (alike, said.evidence(first, first + near - 1))


def _compared(
    stretches: _Stretches, searches: Sequence[Search], lengths: Sequence[int]
) -> tuple[_Stretches, dict[int, Numbers]]:
    """How alike the stretches are to each phrase of about as many words that comes near to any, by its number."""
    near = [number for number, length in enumerate(lengths) if abs(length - stretches.length) <= 1]
    if not len(stretches.firsts) or not near:
        return stretches, {}
    phrases = [" ".join(_comparable(searches[number].phrase)) for number in near]
    table = stretches.compared(phrases, min(searches[number].similarity for number in near))
    return stretches, {near[row]: table[row] for row in np.flatnonzero(table.any(axis=1)).tolist()}


@lru_cache(maxsize=16_384)
def _comparable(text: str) -> tuple[str, ...]:
    """`tokens`, remembered: calls are made of the same few thousand words, and checklists of the same phrases."""
    return tuple(tokens(text))


def _near(lengths: Iterable[int]) -> set[int]:
    return {near for length in lengths for near in (length - 1, length, length + 1)}
