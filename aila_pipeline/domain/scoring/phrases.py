"""Phrases: finding what was said, although the recogniser may have misheard a letter or a word's border.

Lives here: the search. Does not: what is searched for and what follows (verdicts.py).

A phrase of n words is compared with each stretch of n - 1, n and n + 1 words of one turn, by rapidfuzz's `ratio`
(100 * (1 - insertions and deletions / letters of both)): n - 1 and n + 1 because recognisers join and part words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import inf

from rapidfuzz import fuzz, process

from aila_pipeline.domain.models import Frozen, Role, Transcript
from aila_pipeline.domain.scoring.checklist import Speaker
from aila_pipeline.domain.words import tokens


class Evidence(Frozen):
    """Where something was said, in the words of the transcript."""

    start: float
    """Seconds from the start of the recording."""
    quote: str
    role: Role


@dataclass(frozen=True)
class _Token:
    """One comparable word, and where it was said."""

    text: str
    turn: int
    word: int
    start: float
    end: float


_Windows = list[tuple[str, _Token, _Token]]
"""Stretches of a fixed number of words: the text, the first word and the last."""


@dataclass
class Speech:
    """A transcript made ready to be searched for many phrases."""

    transcript: Transcript
    _windows: dict[tuple[Speaker, int, float, float], _Windows] = field(default_factory=dict)

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

    def find(
        self, phrase: str, role: Speaker, similarity: float, after: float = -inf, before: float = inf
    ) -> tuple[float, Evidence] | None:
        """The best place of a phrase and how good it is (0..100).

        Only stretches that end at or after `after` and begin at or before `before` (seconds) count. Of several
        equally good ones the earliest is taken, or the last when the search is bounded by `after`: what is looked
        for at the end of a call is shown there.
        """
        wanted = tokens(phrase)
        best: tuple[float, Evidence] | None = None
        for length in (len(wanted), len(wanted) + 1, len(wanted) - 1):
            windows = self._of(role, length, after, before)
            found = process.extractOne(
                " ".join(wanted), [text for text, _, _ in windows], scorer=fuzz.ratio, score_cutoff=similarity
            )
            if found is not None and (best is None or found[1] > best[0]):
                _, first, last = windows[found[2]]
                best = found[1], self._evidence(first, last)
        return best

    def _of(self, role: Speaker, length: int, after: float, before: float) -> _Windows:
        """The windows of so many words in the role's turns and in this time, made once, the preferred ones first."""
        key = role, length, after, before
        if key not in self._windows:
            windows = [
                (" ".join(token.text for token in run[at : at + length]), run[at], run[at + length - 1])
                for run in (self._runs if length else ())
                for at in range(len(run) - length + 1)
                if role in {"any", self.transcript.turns[run[0].turn].role}
                and run[at].start <= before
                and run[at + length - 1].end >= after
            ]
            self._windows[key] = windows if after == -inf else windows[::-1]
        return self._windows[key]

    @cached_property
    def _runs(self) -> list[list[_Token]]:
        """The comparable words of each turn that has any."""
        runs = [
            [
                _Token(text, at, n, word.start, word.end)
                for n, word in enumerate(turn.words)
                for text in tokens(word.text)
            ]
            for at, turn in enumerate(self.transcript.turns)
        ]
        return [run for run in runs if run]

    def _evidence(self, first: _Token, last: _Token) -> Evidence:
        turn = self.transcript.turns[first.turn]
        heard = turn.words[first.word : last.word + 1]
        return Evidence(start=heard[0].start, quote=" ".join(word.text.strip() for word in heard), role=turn.role)
