"""E-mails: addresses as they are written, said, or half of each.

Lives here: where an address begins and ends. Does not: the words (email_words.py).

A written address is its `@`. A said one is anchored at "at" or «собака»: a domain must follow, and, since "look at
google dot com" is no address, "at" needs something else that speaks for one: a mail provider's domain, a name made of
parts, or a word like "email" before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from aila_pipeline.domain.redaction import email_words as said
from aila_pipeline.domain.redaction.findings import Finding, Kind
from aila_pipeline.domain.redaction.lexing import Form, Token
from aila_pipeline.domain.redaction.number_words import LETTER_NAMES
from aila_pipeline.domain.redaction.numerals import starts

LONGEST_LOCAL = 64
"""Characters before the `@` (RFC 5321, 4.5.3.1.1)."""
CUE_REACH = 8
MOST_LOCAL = 24
"""Tokens of a spelled name."""
MOST_WORDS = 3
"""Words of a name that nothing joins: "anna kuznetsova ninety at …"."""
MOST_DOMAIN = 12
_LOCAL_BACK = re.compile(r"\s?([\w.+%'’\-]+)")
_DOMAIN = re.compile(r"\s?[\w\-]{1,63}(?:\.[\w\-]{1,63}){0,8}")
_CLOSE = re.compile(r"[\s\-_.+]{0,2}|\.{2,3} ?")
_SENTENCE = re.compile(r"[.!?]\s|[:;()]")


def written(text: str) -> Iterator[Finding]:
    """Addresses with an `@`, which may have a space before and after it."""
    at = text.find("@")
    while at >= 0:
        local = _LOCAL_BACK.match(text[max(0, at - LONGEST_LOCAL - 1) : at][::-1])
        domain = _DOMAIN.match(text, at + 1)
        if local and domain and any(sign.isalnum() for sign in local[1]):
            yield Finding(Kind.EMAIL, at - local.end(), domain.end())
        at = text.find("@", at + 1)


def spoken(text: str, lexed: Sequence[Token]) -> Iterator[Finding]:
    """Addresses with "at" or «собака»."""
    for anchor, token in enumerate(lexed):
        if token.form is not Form.WORD or (token.text not in said.AT and token.text not in said.DOG):
            continue
        end = _domain_end(text, lexed, anchor + 1)
        if end is None:
            continue
        start = _local_start(text, lexed, anchor)
        if token.text in said.DOG or _speaks_for_itself(text, lexed, start, anchor, end):
            first = min(start, anchor)
            yield Finding(Kind.EMAIL, lexed[first].start, lexed[end - 1].end)


def _domain_end(text: str, lexed: Sequence[Token], at: int) -> int | None:
    """The token after the domain that begins with token `at`; None where none does."""
    end, labels, provider = None, 1, False
    for now in range(at, min(len(lexed), at + MOST_DOMAIN)):
        token = lexed[now]
        if token.form not in {Form.WORD, Form.DIGITS, Form.CODE}:
            break
        gap = text[lexed[now - 1].end : token.start]
        if now > at and not _CLOSE.fullmatch(gap):
            break
        dotted = now > at and (gap == "." or lexed[now - 1].text in said.DOT)
        if dotted:
            labels += 1
        # One letter by itself is a word in Russian: a spelled ending has two.
        spelled = _spelled(token) and _spelled(lexed[now - 1])
        if labels > 1 and ((dotted and token.text in said.TOP_LEVEL) or spelled):
            end = now + 1
        elif provider and token.text in said.TOP_LEVEL:
            return now + 1
        elif end is not None and token.text not in said.DOT:
            break
        if token.text in said.PROVIDERS:
            provider = True
    return end


def _spelled(token: Token) -> bool:
    """Whether it is a letter by itself, or a letter's name."""
    return token.form is Form.WORD and (len(token.text) == 1 or token.text in LETTER_NAMES)


def _local_start(text: str, lexed: Sequence[Token], anchor: int) -> int:
    """The first token of the name before the anchor; the anchor itself where there is no name."""
    first, words, connected = anchor, 0, True
    for now in range(anchor - 1, max(-1, anchor - MOST_LOCAL - 1), -1):
        token = lexed[now]
        small = _spelled(token) or starts(token)
        gap = text[token.end : lexed[now + 1].start]
        if not (_CLOSE.fullmatch(gap) and not _SENTENCE.search(gap)) and not (small and gap == ", "):
            break
        connector = token.text in said.CONNECTORS or token.text in said.BEFORE_CONNECTOR
        if token.form is Form.GONE or (token.text in said.NOT_LOCAL and not connector and not _spelled(token)):
            break
        if not connector and not small and not connected:
            words += 1
            if words >= MOST_WORDS:
                break
        connected = connector or (gap != "" and gap in "._-+" and now + 1 < anchor)
        first = now
    return first


def _speaks_for_itself(text: str, lexed: Sequence[Token], start: int, anchor: int, end: int) -> bool:
    """Whether what is around an "at" with a domain makes it an address."""
    if start == anchor:
        return False
    local = lexed[start:anchor]
    joined = any(token.text in said.CONNECTORS or starts(token) for token in local)
    dotted = any(mark in text[local[0].start : local[-1].end] for mark in "._")
    spelled = sum(_spelled(token) for token in local) > 1
    role = local[-1].text in said.ROLES
    provider = any(token.text in said.PROVIDERS for token in lexed[anchor + 1 : end])
    cued = any(token.text in said.CUES for token in lexed[max(0, start - CUE_REACH) : start])
    return joined or dotted or spelled or role or provider or cued
