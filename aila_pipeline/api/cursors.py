"""Cursors: where a list goes on, as text that a client hands back unread.

Lives here: making one, and knowing a made-up one. Does not: pages (adapters/ledger/call_pages.py).

A cursor holds a place and a digest of it and of the query that it belongs to, so that one of another list or another
filter is refused instead of giving a page that fits neither. It is no secret and opens nothing: whose calls are shown
is decided by the key of the request.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from aila_pipeline.errors import RequestInvalid

LONGEST = 200
_DIGEST_BYTES = 9


def cursor_of(place: str, *query: object) -> str:
    """The cursor that goes on after this place (ASCII) in the list that `query` names."""
    content = place.encode("ascii")
    return urlsafe_b64encode(_digest(content, query) + content).decode("ascii").rstrip("=")


def place_in(cursor: str, *query: object, form: re.Pattern[str]) -> str:
    """The place, of this form; RequestInvalid for what `cursor_of` has not made for this query."""
    refusal = RequestInvalid("", {"fields": {"cursor": "must be the `next_cursor` of the same list and filters"}})
    if len(cursor) > LONGEST or not cursor.isascii():
        raise refusal
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raise refusal from None
    place = raw[_DIGEST_BYTES:].decode("ascii", "replace")
    # The decoder skips characters that are none of its alphabet; only the one way of writing it counts.
    if form.fullmatch(place) is None or cursor_of(place, *query) != cursor:
        raise refusal
    return place


def _digest(content: bytes, query: tuple[object, ...]) -> bytes:
    told = json.dumps([str(part) for part in query]).encode()
    return hashlib.sha256(told + b"\n" + content).digest()[:_DIGEST_BYTES]
