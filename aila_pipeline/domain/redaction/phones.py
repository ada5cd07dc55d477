"""Phones: telephone numbers in a text.

Lives here: international numbers as libphonenumber finds them, and what else is called a phone. Does not: find runs of
digits (runs.py), nor decide whether they go: what has enough digits goes by any name.
"""

from __future__ import annotations

import re

from aila_pipeline.domain.redaction.findings import Finding, Kind
from aila_pipeline.domain.redaction.runs import Run

REGIONS = ("KZ", "US", "GB")
"""Where a number without its country may be from; Russia shares its plan with Kazakhstan."""
LENGTHS = range(7, 16)
"""Digits of a phone number (E.164 has at most 15)."""
_LOCAL = re.compile(r"\d{3}[-\s.]\d{4}|\d{3}[-\s.]\d\d[-\s.]\d\d")
_PLUS = re.compile(r"[+＋][\s(]{0,2}\d")
_PLUS_BEFORE = re.compile(r"(?:[+＋(]|\b(?:plus|плюс)\b)[\s(]{0,2}$", re.IGNORECASE)
_LONGEST_PLUS = 7
_REACH = 40
"""Characters after a plus in which its number ends."""


def international(text: str) -> list[Finding]:
    """Numbers that begin with a plus and are possible in their country."""
    found: list[Finding] = []
    for match in _PLUS.finditer(text):
        if not found or match.start() >= found[-1].end:
            found += _from_plus(text[match.start() : match.start() + _REACH], match.start())
    return found


def _from_plus(text: str, at: int) -> list[Finding]:
    """The number at the start of `text`, which lies at character `at`."""
    import phonenumbers  # noqa: PLC0415 - slow to import, and most calls have no number with a plus

    matcher = phonenumbers.PhoneNumberMatcher(text, None, leniency=phonenumbers.Leniency.POSSIBLE, max_tries=1)
    return [Finding(Kind.PHONE, at + match.start, at + match.end) for match in matcher if match.start <= 1]


def start_with_plus(text: str, start: int) -> int:
    """Where a number begins whose digits begin at `start`: with its plus, written or said, and its bracket."""
    ahead = _PLUS_BEFORE.search(text, max(0, start - _LONGEST_PLUS), start)
    return ahead.start() if ahead else start


def is_phone(run: Run, text: str, *, asked: bool) -> bool:
    """Whether a run that must go is called a phone: it has a plus, is written or asked for as one, or is valid."""
    digits = run.digits
    if len(digits) not in LENGTHS:
        return asked and len(digits) < LENGTHS.start
    plus = start_with_plus(text, run.start) < run.start
    return plus or asked or bool(_LOCAL.fullmatch(text, run.start, run.end)) or _valid(digits)


def _valid(digits: str) -> bool:
    import phonenumbers  # noqa: PLC0415 - slow to import

    for region in REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(digits, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False
