"""Ids: names of batches, calls, people, shards and messages that sort by time and that a person can read aloud.

Lives here: making them. Does not: remembering them (the ledger's keys do).
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

# Crockford's base 32 without i, l, o, u: nothing that is mistaken for a digit (https://www.crockford.com/base32.html).
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def _base32(number: int, length: int) -> str:
    return "".join(_ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(length)))


def ulid(now: datetime | None = None) -> str:
    """26 characters: 48 bits of milliseconds, 80 of chance; lower-case, sorted by time (github.com/ulid/spec)."""
    milliseconds = int((now or datetime.now(UTC)).timestamp() * 1000)
    return _base32(milliseconds, 10) + _base32(secrets.randbits(80), 16)


def batch_id(now: datetime | None = None) -> str:
    """Id of a new batch."""
    return f"batch_{ulid(now)}"


def call_id(now: datetime | None = None) -> str:
    """Id of a new call."""
    return f"aila_{ulid(now)}"


def user_id(now: datetime | None = None) -> str:
    """Id of a new user."""
    return f"user_{ulid(now)}"


def contact_id(now: datetime | None = None) -> str:
    """Id of a new contact."""
    return f"contact_{ulid(now)}"


def destination_id(now: datetime | None = None) -> str:
    """Id of a new destination of messages."""
    return f"dest_{ulid(now)}"


def message_id(now: datetime | None = None) -> str:
    """Id of a new message of the outbox."""
    return f"msg_{ulid(now)}"


def call_ids_from(at: datetime) -> str:
    """What comes before the id of every call that was accepted at this millisecond or later, and after all others'.

    >>> call_ids_from(datetime(2026, 1, 15, 12, tzinfo=UTC)) < call_id(datetime(2026, 1, 15, 12, tzinfo=UTC))
    True
    """
    # Before 1970 there is nothing; `timestamp()` in whole milliseconds as `ulid` has it.
    return f"aila_{_base32(max(0, int(at.timestamp() * 1000)), 10)}"


def shard_key(batch: str, number: int, *, country: str, firm: str, accepted_at: datetime) -> str:
    """The partition key of a shard: tells day, tenant, batch and number to the person who picks it in the UI.

    >>> shard_key("batch_01jd", 2, country="kz", firm="acme", accepted_at=datetime(2026, 11, 20, tzinfo=UTC))
    '2026-11-20.kz-acme.batch_01jd.002'
    """
    return f"{accepted_at.astimezone(UTC):%Y-%m-%d}.{country}-{firm}.{batch}.{number:03d}"
