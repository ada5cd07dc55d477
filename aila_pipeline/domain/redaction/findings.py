"""Findings: what is found in a text or a recording, and what stands in its place.

Lives here: the kinds of what must not leave, a finding in characters, a span in seconds. Does not: find anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a finding is; the first in this order wins where two overlap."""

    EMAIL = "email"
    IBAN = "iban"
    CARD = "card"
    PHONE = "phone"
    DIGITS = "digits"
    """Any other number given digit by digit: a code, an order, a passport."""

    @property
    def placeholder(self) -> str:
        """What is written instead."""
        return f"[{self.value}]"


_RANK = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Finding:
    """The characters `start` to `end` (exclusive) of a text must not leave."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Span:
    """The seconds `start` to `end` of a channel in which it is said."""

    kind: Kind
    channel: int
    start: float
    end: float


def settled(findings: Iterable[Finding]) -> list[Finding]:
    """The findings in order, those that overlap made one."""
    kept: list[Finding] = []
    for found in sorted(findings, key=lambda one: (one.start, one.end)):
        if kept and found.start < kept[-1].end:
            last = kept.pop()
            kind = min(last.kind, found.kind, key=_RANK.__getitem__)
            found = Finding(kind, last.start, max(last.end, found.end))  # noqa: PLW2901 - grown by what it overlaps
        kept.append(found)
    return kept


def replaced(text: str, findings: Iterable[Finding]) -> str:
    """The text with each finding's placeholder in its place; the findings are in order and do not overlap."""
    parts, at = [], 0
    for found in findings:
        parts += [text[at : found.start], found.kind.placeholder]
        at = found.end
    return "".join(parts) + text[at:]
