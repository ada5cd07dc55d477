"""Runs: numerals that follow each other closely enough to be parts of one number.

Lives here: joining numerals over pauses, encouragement and spelled letters. Does not: what a numeral is (numerals.py),
nor whether a run must go (verdict.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from aila_pipeline.domain.redaction.lexing import Form, Token, joined, together
from aila_pipeline.domain.redaction.number_words import FILLERS, MOST_FILLERS, SOFT, WEAK_ZEROS, letter
from aila_pipeline.domain.redaction.numerals import Numeral, numeral, starts

MOST_LETTERS = 4
"""Letters in a row inside a number; the bank code of a British IBAN has as many."""


@dataclass(frozen=True, slots=True)
class Run:
    """Numerals given one after the other."""

    numerals: tuple[Numeral, ...]
    letters: tuple[tuple[int, str], ...]
    """Where a letter is spelled before or between them, and which (Latin)."""

    @property
    def digits(self) -> str:
        """All of its digits."""
        return "".join(one.digits for one in self.numerals)

    @property
    def start(self) -> int:
        """Its first character."""
        return min([self.numerals[0].start, *(at for at, _ in self.letters[:1])])

    @property
    def end(self) -> int:
        """The character after its last."""
        return self.numerals[-1].end

    @property
    def compact(self) -> str:
        """Letters and digits without what lies between, as an IBAN is compared."""
        parts = [(one.start, one.digits) for one in self.numerals] + list(self.letters)
        return "".join(part for _, part in sorted(parts))

    def parted_by(self, text: str, mark: str) -> bool:
        """Whether the mark stands between all of its numerals."""
        return all(mark in text[left.end : right.start] for left, right in pairwise(self.numerals))

    def cut(self, borders: Sequence[int]) -> list[Run]:
        """The run parted at these characters."""
        pieces: dict[int, list[Numeral]] = {}
        for one in self.numerals:
            pieces.setdefault(sum(border <= one.start for border in borders), []).append(one)
        return [Run(tuple(piece), ()) for piece in pieces.values()]


def runs(text: str, lexed: Sequence[Token]) -> Iterator[Run]:
    """All runs of a text, in order; lone numerals are runs too."""
    at = 0
    while at < len(lexed):
        first = numeral(text, lexed, at) if starts(lexed[at]) else None
        if first is None:
            at += 1
            continue
        numerals, letters = [first], _letters_before(text, lexed, at)
        while (found := _next(text, lexed, numerals[-1])) is not None:
            letters += found[1]
            numerals.append(found[0])
        at = numerals[-1].after
        if len(numerals) > 1 and numerals[0].digits == "0" and _sighed(text, lexed, numerals[0]):
            numerals.pop(0)
        yield Run(tuple(numerals), tuple(letters))


def _next(text: str, lexed: Sequence[Token], last: Numeral) -> tuple[Numeral, list[tuple[int, str]]] | None:
    """The numeral that continues a run, and the letters spelled before it."""
    letters: list[tuple[int, str]] = []
    soft = fillers = 0
    for at in range(last.after, min(len(lexed), last.after + MOST_FILLERS + MOST_LETTERS + 1)):
        if not joined(text, lexed[at - 1], lexed[at]):
            return None
        token = lexed[at]
        found = numeral(text, lexed, at) if starts(token) else None
        if found is not None:
            return None if soft and not fillers and not (last.singly and found.singly) else (found, letters)
        spelled = _letter(text, lexed, at)
        if token.form is not Form.WORD:
            return None
        if spelled:
            letters.append((token.start, spelled))
        elif token.text in SOFT:
            soft += 1
        elif token.text in FILLERS:
            fillers += 1
        else:
            return None
        if len(letters) > MOST_LETTERS or soft + fillers > MOST_FILLERS:
            return None
    return None


def _letters_before(text: str, lexed: Sequence[Token], at: int) -> list[tuple[int, str]]:
    """The letters spelled right before token `at`."""
    letters: list[tuple[int, str]] = []
    while at > 0 and len(letters) < MOST_LETTERS and together(text, lexed[at - 1], lexed[at]):
        at -= 1
        spelled = _letter(text, lexed, at)
        if lexed[at].form is not Form.WORD or not spelled:
            break
        letters.insert(0, (lexed[at].start, spelled))
    return letters


def _letter(text: str, lexed: Sequence[Token], at: int) -> str | None:
    """The letter that token `at` spells."""
    token = lexed[at]
    around = [lexed[near] for near in (at - 1, at + 1) if 0 <= near < len(lexed)]
    in_row = any(near.end - near.start == 1 or starts(near) for near in around)
    return letter(token.text, capital=text[token.start].isupper(), in_row=in_row)


def _sighed(text: str, lexed: Sequence[Token], zero: Numeral) -> bool:
    """Whether the zero at the start of a run is an "Oh," said before it."""
    return lexed[zero.first].text in WEAK_ZEROS and not together(text, lexed[zero.first], lexed[zero.after])
