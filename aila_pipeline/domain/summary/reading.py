"""Reading: a redacted transcript as the numbered lines that a model reads, and finding what it quotes from them.

Lives here: cutting turns into lines, leaving out the middle of a call that is too long, finding a quote. Does not: what
is redacted (domain/redaction), what the model is told about the lines (prompt.py).

A quote is found when its words, one after the other and without regard to case and punctuation (domain/words.py), are
words of one turn. Nothing else is forgiven: a word left out or put right is not what was said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from aila_pipeline.domain.models import Role, Transcript, Word
from aila_pipeline.domain.summary.models import Quote
from aila_pipeline.domain.transcript import UNSPACED
from aila_pipeline.domain.words import tokens

LINE_WORDS = 80
"""A longer turn is several lines, so that a number points to some seconds and not to minutes of a monologue."""


@dataclass(frozen=True)
class Line:
    """What one voice said without a break, or a part of it. Numbers count from 1."""

    number: int
    turn: int
    role: Role
    words: tuple[Word, ...]
    text: str


@dataclass(frozen=True)
class Reading:
    """The lines that the model is shown. `omitted` lines of the middle are not among them."""

    lines: tuple[Line, ...]
    omitted: int
    spaced: bool
    """Whether the language parts words by spaces; where it does not, a quote may begin within a recogniser's word."""

    @property
    def roles(self) -> frozenset[Role]:
        """Who says something in it."""
        return frozenset(line.role for line in self.lines)

    def find(self, words: str, line: int | None = None) -> Quote | None:
        """Where these words were said, in the transcript's own spelling: in that line's turn if there, else the first.

        None when nobody said them.
        """
        wanted = "".join(tokens(words))
        if not wanted:
            return None
        turn = next((each.turn for each in self.lines if each.number == line), None)
        hits = ((said.turn, found) for said in self._said for found in said.find(wanted, spaced=self.spaced))
        best: Quote | None = None
        for at, found in hits:
            if at == turn:
                return found
            best = best or found
        return best

    @cached_property
    def _said(self) -> list[_Said]:
        """The turns, or what is shown of them, ready to be searched."""
        # Where the middle was left out, the two ends of one turn are no neighbours: numbers jump there.
        groups = groupby(enumerate(self.lines), key=lambda each: (each[1].turn, each[1].number - each[0]))
        space = " " if self.spaced else ""
        return [
            _Said.of(turn, [word for _, line in lines for word in line.words], space) for (turn, _), lines in groups
        ]


@dataclass(frozen=True)
class _Said:
    """One turn as one run of letters; `starts` tells which of its words begin at which letter, `ends` which end."""

    turn: int
    words: Sequence[Word]
    space: str
    letters: str
    starts: dict[int, int]
    ends: dict[int, int]

    @classmethod
    def of(cls, turn: int, words: Sequence[Word], space: str) -> _Said:
        letters, starts, ends = "", {}, {}
        for number, word in enumerate(words):
            for token in tokens(word.text):
                starts[len(letters)] = number
                letters += token
                ends[len(letters)] = number
        return cls(turn, words, space, letters, starts, ends)

    def find(self, wanted: str, *, spaced: bool) -> Iterator[Quote]:
        """Every place of the wanted letters that begins and ends with a word."""
        at = self.letters.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            if not spaced or (at in self.starts and end in self.ends):
                first = self.starts[max(start for start in self.starts if start <= at)]
                last = self.ends[min(stop for stop in self.ends if stop >= end)]
                heard = self.words[first : last + 1]
                quote = self.space.join(word.text.strip() for word in heard)
                yield Quote(start=heard[0].start, quote=quote)
            at = self.letters.find(wanted, at + 1)


def read(transcript: Transcript, *, most_characters: int) -> Reading:
    """The lines of a transcript that is redacted already.

    Of one that is longer than `most_characters`, whole lines of its beginning and its end, half of the characters each:
    a call is opened and settled there. Only a line longer than that would not be shown at all.
    """
    space = "" if transcript.language in UNSPACED else " "
    lines = tuple(_lines(transcript, space))
    if sum(len(line.text) for line in lines) <= most_characters:
        return Reading(lines, 0, bool(space))
    head = _fitting(lines, most_characters // 2)
    tail = _fitting(lines[head:][::-1], most_characters - sum(len(line.text) for line in lines[:head]))
    kept = lines[:head] + lines[len(lines) - tail :]
    return Reading(kept, len(lines) - len(kept), bool(space))


def _lines(transcript: Transcript, space: str) -> Iterator[Line]:
    number = 0
    for at, turn in enumerate(transcript.turns):
        for begin in range(0, len(turn.words), LINE_WORDS):
            number += 1
            words = turn.words[begin : begin + LINE_WORDS]
            yield Line(number, at, turn.role, words, space.join(word.text.strip() for word in words))


def _fitting(lines: Sequence[Line], characters: int) -> int:
    """How many of the first lines have no more characters in all."""
    count = 0
    for line in lines:
        characters -= len(line.text)
        if characters < 0:
            break
        count += 1
    return count
