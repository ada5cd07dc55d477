"""Written numbers: card numbers and IBANs that are plain from their characters and their checksum.

Lives here: both, in any grouping. Does not: numbers that are spoken or fail their checksum, which runs find.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aila_pipeline.domain.redaction.checksums import IBAN_LENGTHS, luhn, mod_97
from aila_pipeline.domain.redaction.findings import Finding, Kind
from aila_pipeline.domain.redaction.verdict import CARD_LENGTHS

_GROUPED = re.compile(r"(?<!\d)\d(?:[\s.,/()\-\u2010-\u2015]{0,3}+\d){11,}+")
_DIGITS = re.compile(r"\d+")
# Major industries that issue payment cards: 2 (Mir, Mastercard's second series) to 6.
_ISSUERS = re.compile(r"2[2-7]|[3-6]")
_YEARS = re.compile(r"(?:\D*(?:19|20)\d\d)+")

_IBAN_START = re.compile(r"(?<![^\W_])([A-Za-z]{2})\d\d")
_IBAN_LONGEST = 34
_IBAN_REACH = 2 * _IBAN_LONGEST
_IBAN_SHORTEST = 14
_BANK_CODE = 4
_FEWEST_DIGITS = 10
_NOT_DIGITS = re.compile(r"\D+")
_IBAN_GROUP = re.compile(r"[ \u00a0\-]?([A-Za-z0-9]++)")


def cards(text: str) -> Iterator[Finding]:
    """Written numbers with a card's length, issuer and check digit, however their digits are grouped."""
    for match in _GROUPED.finditer(text):
        groups = [
            (found.start(), found.end(), found.group()) for found in _DIGITS.finditer(text, match.start(), match.end())
        ]
        first = 0
        while first < len(groups):
            last = _card(groups, first)
            if last is not None and not _YEARS.fullmatch(text, groups[first][0], groups[last][1]):
                yield Finding(Kind.CARD, groups[first][0], groups[last][1])
                first = last
            first += 1


def _card(groups: list[tuple[int, int, str]], first: int) -> int | None:
    """The last of the groups that make the longest card number from the first on."""
    digits, last = "", None
    for at in range(first, len(groups)):
        digits += groups[at][2]
        if len(digits) >= CARD_LENGTHS.stop:
            break
        # Twelve digits are more often something else: an end of the number must say so too.
        whole = len(digits) > CARD_LENGTHS.start or (first == 0 and at + 1 == len(groups))
        if len(digits) in CARD_LENGTHS and whole and _ISSUERS.match(digits) and luhn(digits):
            last = at
    return last


def ibans(text: str) -> Iterator[Finding]:
    """Written IBANs: those of their country's length, and others that pass the check."""
    for match in _IBAN_START.finditer(text):
        length = IBAN_LENGTHS.get(match[1].upper())
        end = _iban_end(text, match.start(), length)
        if end is not None:
            yield Finding(Kind.IBAN, match.start(), end)


def _iban_end(text: str, start: int, length: int | None) -> int | None:
    """Where the IBAN ends: at its length, or, misheard, with the last of its groups that has digits."""
    compact, at, digits_end = "", start, start
    while (group := _IBAN_GROUP.match(text, at, start + _IBAN_REACH)) and len(compact) < _IBAN_LONGEST:
        compact, at = compact + group[1].upper(), group.end()
        if len(compact) == length or (length is None and len(compact) > _IBAN_SHORTEST and mod_97(compact)):
            return at
        if not _DIGITS.search(group[1]) and len(group[1]) != _BANK_CODE:
            break
        digits_end = at if _DIGITS.search(group[1]) else digits_end
    known = length is not None and len(_NOT_DIGITS.sub("", text[start:digits_end])) >= _FEWEST_DIGITS
    return digits_end if known else None
