"""Single values that both intakes know: phone numbers, moments, roles, directions, texts.

Lives here: what one value may look like and what it means; None is the answer to what is wrong. Does not: which field
needs it, or the words of an error (rows.py, manifest.py). Nothing here raises for any text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aila_pipeline.domain.models import Direction, Role, TenantSettings
from aila_pipeline.errors import SettingInvalid

MAX_TEXT_CHARACTERS = 255
MAX_SEGMENT_CHARACTERS = 100
FUTURE_LIMIT = timedelta(hours=24)
"""Contracts, gap 11: clocks and time zones may be wrong by a day, not by more."""

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"[0-9]{4}(?:-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r"|[0-9]{4}T[0-9]{4}(?:[0-9]{2})?)(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_PHONE = re.compile(r"\+?[0-9 ().\-/\u00a0\u2010-\u2015]{3,40}")
_EMAIL = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[^@\s<>,;:\"()\[\]\\.]+(?:\.[^@\s<>,;:\"()\[\]\\.]+)+")


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time in UTC; `zoned` tells whether the text named its zone itself."""

    at: datetime
    zoned: bool


def zone_of(tenant: TenantSettings) -> tzinfo:
    """The tenant's time zone; `SettingInvalid` if there is no such zone."""
    try:
        return ZoneInfo(tenant.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingInvalid("the tenant's time zone is not one of the IANA database") from None


def moment(text: str, zone: tzinfo) -> Moment | None:
    """An ISO 8601 date with a time, as people and programs write it; without an offset it is in `zone`.

    A date without a time is not taken for midnight. An hour that a change of clocks skips or repeats is read as
    `datetime` reads it with fold 0.
    """
    text = text.upper()
    if not _ISO.fullmatch(text):
        return None
    try:
        told = datetime.fromisoformat(text)
        zoned = told.tzinfo is not None
        return Moment((told if zoned else told.replace(tzinfo=zone)).astimezone(UTC), zoned)
    except (ValueError, OverflowError):  # no such day, or a year beyond what an offset leaves room for
        return None


def plausible(at: datetime, now: datetime) -> bool:
    """Whether a call can have begun then."""
    return EARLIEST <= at <= now + FUTURE_LIMIT


@lru_cache(maxsize=100_000)
def e164(text: str, region: str | None) -> str | None:
    """A phone number in E.164, or None if it cannot be one.

    Only asks whether the number is possible, not whether it is assigned: contract B's own example, +15551234567, is
    possible but not valid to phonenumbers. Without `region` the number must begin with `+`.
    """
    import phonenumbers  # noqa: PLC0415 - slow to import, and most of this package needs none

    if not _PHONE.fullmatch(text):
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def phone(text: str, region: str | None) -> str | None:
    """A phone number in E.164, or as it was given where it cannot be one; None for what no text of a call may be.

    A number is never worth a call: an anonymous caller's is a word, and an extension is too short to be one.
    """
    return e164(text, region) or (text if len(text) <= MAX_TEXT_CHARACTERS and printable(text) else None)


def is_email(text: str) -> bool:
    """Whether it has the form of an e-mail address; nobody can tell more without writing to it."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None and printable(text)


def role(text: str) -> Role | None:
    """Operator or client; the contract has no other."""
    return {"operator": Role.OPERATOR, "client": Role.CLIENT}.get(text.lower())


def direction(text: str) -> Direction | None:
    """Inbound or outbound."""
    return {member.value: member for member in Direction}.get(text.lower())


def printable(text: str) -> bool:
    """Whether the text is free of control characters and of halves of characters."""
    return text.isprintable() or not any(unicodedata.category(char) in {"Cc", "Cs"} for char in text)


def one_line(text: str) -> str:
    """Free text with its line breaks and runs of blanks turned into single spaces."""
    return " ".join(re.split(r"[ \t\r\n\u00a0]+", text)).strip()
