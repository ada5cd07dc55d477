"""Numerals: number words and written digits read as the digits they stand for.

Lives here: how words make one number ("twenty" "one", "восемьсот" "семь", "double" "four", "три" "семёрки").
Does not: join numerals to a dictated number (runs.py).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from aila_pipeline.domain.redaction import number_words as said
from aila_pipeline.domain.redaction.lexing import Form, Token, together


@dataclass(frozen=True, slots=True)
class Numeral:
    """One number, as it was said or written."""

    digits: str
    start: int
    end: int
    first: int
    """Its first token."""
    after: int
    """The token after its last."""
    spoken: bool
    singly: bool
    """Whether its digits were given one by one ("four", "double four")."""
    large: bool = False
    """Said with "thousand", as amounts are."""
    code: bool = False
    """Written together with letters."""


def starts(token: Token) -> bool:
    """Whether a numeral may begin here."""
    if token.form is Form.WORD:
        return token.text in _FIRST
    return token.form is Form.DIGITS or token.form is Form.CODE


def numeral(text: str, lexed: Sequence[Token], at: int) -> Numeral | None:
    """The numeral that begins with token `at`; None where none does or it is too large to be dictated (millions)."""
    return _Reader(text, lexed).numeral(at)


_FIRST = frozenset(said.UNITS) | said.TEENS.keys() | said.TENS.keys() | said.HUNDREDS.keys() | said.HUNDRED
_FIRST |= said.DIGIT_NOUNS.keys() | said.TIMES.keys() | said.THOUSAND
_ONE = said.UNITS | said.DIGIT_NOUNS


class _Reader:
    """Reads numerals from tokens, from left to right."""

    def __init__(self, text: str, lexed: Sequence[Token]) -> None:
        self._text, self._tokens = text, lexed

    def numeral(self, at: int) -> Numeral | None:
        token = self._tokens[at]
        if token.form is Form.WORD:
            repeated = self._repeated(at)
            if repeated:
                digits, after = repeated
                return self._made(digits, at, after, spoken=True, singly=True)
            return self._said(at)
        if token.form is not Form.DIGITS and token.form is not Form.CODE:
            return None
        digits = "".join(str(unicodedata.decimal(sign)) for sign in token.text if sign.isdecimal())
        then = self._word(at + 1)
        if then in said.VAST:
            return None
        if then in said.THOUSAND:
            return self._made(digits, at, at + 2, spoken=False, singly=False, large=True)
        code = token.form is Form.CODE
        return self._made(digits, at, at + 1, spoken=False, singly=len(digits) == 1, code=code)

    def _made(
        self, digits: str, at: int, after: int, *, spoken: bool, singly: bool, large: bool = False, code: bool = False
    ) -> Numeral:
        start, end = self._tokens[at].start, self._tokens[after - 1].end
        return Numeral(digits, start, end, at, after, spoken, singly, large, code)

    def _word(self, at: int) -> str:
        """The word at `at`, empty if it does not follow its neighbour closely."""
        if not 0 < at < len(self._tokens) or self._tokens[at].form is not Form.WORD:
            return ""
        return self._tokens[at].text if together(self._text, self._tokens[at - 1], self._tokens[at]) else ""

    def _repeated(self, at: int) -> tuple[str, int] | None:
        """Digits said by their count: "triple seven", "три семёрки", "four times zero"."""
        word, then = self._tokens[at].text, self._word(at + 1)
        times = said.TIMES.get(word)
        if times:
            digit = _ONE.get(then, said.SEVERAL.get(then))
            return None if digit is None else (str(digit) * times, at + 2)
        count = said.UNITS.get(word, 0)
        if count > 1 and then in said.SEVERAL:
            return str(said.SEVERAL[then]) * count, at + 2
        if count > 1 and then in said.BY_TIMES:
            by = at + 3 if self._word(at + 2) == "по" else at + 2
            digit = _ONE.get(self._word(by))
            return None if digit is None else (str(digit) * count, by + 1)
        return None

    def _said(self, at: int) -> Numeral | None:
        word = self._tokens[at].text
        value, after = self._below_thousand(at, word)
        if value is None and word in said.THOUSAND:
            value, after = 1, at
        if value is None:
            return None
        large = (word if after == at else self._word(after)) in said.THOUSAND
        if large:
            after += 1
            rest, after_rest = self._below_thousand(after + (self._word(after) == "and"))
            value, after = value * 1000 + (rest or 0), after_rest if rest else after
        if self._word(after) in said.VAST:
            return None
        return self._made(str(value), at, after, spoken=True, singly=after == at + 1 and value < 10, large=large)

    def _below_thousand(self, at: int, word: str | None = None) -> tuple[int | None, int]:
        """The number from 0 to 9999 said without "thousand" at `at`, and the token after it."""
        word = self._word(at) if word is None else word
        if word in said.HUNDREDS:
            rest, after = self._below_hundred(at + 1)
            return (said.HUNDREDS[word] + rest, after) if rest else (said.HUNDREDS[word], at + 1)
        value, after = (1, at) if word in said.HUNDRED else self._below_hundred(at, word)
        if value and (after == at or self._word(after) in said.HUNDRED):
            value, after = value * 100, after + 1
            rest, after_rest = self._below_hundred(after + (self._word(after) == "and"))
            if rest and self._word(after_rest) not in said.HUNDRED:
                return value + rest, after_rest
        return value, after

    def _below_hundred(self, at: int, word: str | None = None) -> tuple[int | None, int]:
        word = self._word(at) if word is None else word
        if word in said.TENS:
            unit = said.UNITS.get(self._word(at + 1), 0)
            return said.TENS[word] + unit, at + (2 if unit else 1)
        return _ONE.get(word, said.TEENS.get(word)), at + 1
