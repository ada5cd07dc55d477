"""Lexing: a text cut into the tokens that the rules look at.

Lives here: what is a number, what is a date, a time or an amount by its form alone, what may stand between two parts of
one number. Does not: number words (number_words.py), nor whether a number must go (verdict.py).

Every pattern is bounded or possessive, and looks back before it starts, so that no text takes more than linear time.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from aila_pipeline.domain.redaction.findings import Finding


class Form(Enum):
    """What a token is by its form."""

    DIGITS = "digits"
    WORD = "word"
    CODE = "code"
    """Letters and at least six digits in a row, written as one: a passport, an order."""
    AMOUNT = "amount"
    """A date, a time, a decimal, thousands with their marks: says how much or when, and parts what lies around it."""
    GONE = "gone"
    """Already found, or a placeholder."""


class Token(NamedTuple):
    """One token; words are lower case, ё written as е."""

    text: str
    start: int
    end: int
    form: Form


_DAY_MONTH = r"(?:0?[1-9]|[12]\d|3[01])[./](?:0?[1-9]|1[0-2])[./](?:19|20)?\d\d|\d{1,2}-\d{1,2}-(?:19|20)\d\d"
_ISO_DAY = r"(?:19|20)\d\d-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?Z?)?"
_LEXER = re.compile(
    rf"""
    (?P<GONE>\[(?:card|iban|phone|email|digits)\])
    | (?P<AMOUNT>
        (?<![\w.,/:+-])
        (?: (?:{_DAY_MONTH}|{_ISO_DAY}) (?!\w|[./-]\d)                              # 12.05.2023, 05/12/23, 2023-05-12
          | \d{{1,2}}:\d\d(?::\d\d)? (?!\w|:\d)                                    # 10:30
          | [1-9]\d{{0,2}} (?:(?:,\d{{3}}){{1,4}}(?:\.\d{{1,2}})?|(?:\.\d{{3}}){{1,4}}(?:,\d{{1,2}})?) (?!\w|[.,-]\d)
          | [1-9]\d{{0,2}} (?:[ \u00a0\u202f]000){{1,3}} (?!\w)                    # 15 000
          | (?:\d{{1,6}}[.,]\d{{1,2}}|\d{{1,2}}[.,]\d{{1,6}}) (?!\w|[.,-]\d)        # 9.99, 38,5
        ))
    | (?P<DIGITS>\d++(?![^\W_]))
    | (?P<WORD>[^\W_]++(?:['’][^\W_]++)*+)
    """,
    re.VERBOSE,
)
_FORMS: dict[str | None, Form] = {name: Form[name] for name in _LEXER.groupindex}
_CODE = re.compile(r"\d{6}")
_JOINED = re.compile(r"[\s.,:;?!…()/_+*'’\-\u2010-\u2015]{0,8}")
_TOGETHER = re.compile(r"[\s\-\u2010-\u2015]{0,2}")


def word_list(words: str) -> frozenset[str]:
    """The words of a text, as tokens have them."""
    return frozenset(_plain(word) for word in words.split())


def _plain(word: str) -> str:
    return word.lower() if word.isascii() else word.lower().replace("ё", "е").replace("’", "'")


def tokens(text: str) -> list[Token]:
    """The tokens of a text, in order."""
    return [_token(match) for match in _LEXER.finditer(text)]


def _token(match: re.Match[str]) -> Token:
    form, found = _FORMS[match.lastgroup], match.group()
    if form is Form.WORD:
        found = _plain(found)
        if not found.isalpha() and _CODE.search(found):
            form = Form.CODE
    return Token(found, match.start(), match.end(), form)


def whole(findings: Iterable[Finding], lexed: Sequence[Token]) -> Iterator[Finding]:
    """The findings, widened to whole tokens: the rest of a cut one could look like something else."""
    starts = [token.start for token in lexed]
    for found in findings:
        first, last = bisect_right(starts, found.start) - 1, bisect_left(starts, found.end) - 1
        start = lexed[first].start if first >= 0 and lexed[first].end > found.start else found.start
        yield Finding(found.kind, start, max(found.end, lexed[last].end if last >= 0 else 0))


def without(lexed: Sequence[Token], findings: Sequence[Finding]) -> list[Token]:
    """The tokens, with those of each finding (in order, not overlapping) made one that parts what is around it."""
    if not findings:
        return list(lexed)
    starts = [token.start for token in lexed]
    left: list[Token] = []
    at = 0
    for found in findings:
        first = bisect_left(starts, found.start, lo=at)
        left += lexed[at:first]
        left.append(Token("", found.start, found.end, Form.GONE))
        at = bisect_left(starts, found.end, lo=first)
    return left + list(lexed[at:])


def joined(text: str, left: Token, right: Token) -> bool:
    """Whether only what may stand inside a dictated number lies between two tokens."""
    return _JOINED.fullmatch(text, left.end, right.start) is not None


def together(text: str, left: Token, right: Token) -> bool:
    """Whether only a space or a hyphen lies between two tokens, so that they may be one number word."""
    return _TOGETHER.fullmatch(text, left.end, right.start) is not None
