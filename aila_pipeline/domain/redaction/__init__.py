"""Redaction: what of a call's words must not leave the house, found in text and in time.

Lives here: putting the rules together. Does not: names of people or places, which need more than rules; nor deciding
who gets redacted text: whatever sends words to a language model, a CRM, a webhook or a report does. The full
transcript stays in the store and behind the API's key.

    lexing      the text cut into words, digits and amounts
    emails      addresses, with email_words
    written     card numbers and IBANs that are plain from their characters, with checksums
    numerals    words and digits read as numbers, with number_words
    runs        numerals that make one dictated number
    verdict     whether a run must go, with cues around it and phones
    turns       the same for a transcript: over turns, and in seconds
"""

from __future__ import annotations

from aila_pipeline.domain.redaction.findings import Finding, Kind, Span, replaced
from aila_pipeline.domain.redaction.search import find
from aila_pipeline.domain.redaction.turns import redact_transcript

__all__ = ["VERSION", "Finding", "Kind", "Span", "find", "redact", "redact_transcript"]

VERSION = "1"
"""Raised when the same text would be redacted otherwise."""


def redact(text: str) -> str:
    """The text with a placeholder such as `[card]` for each finding. Any text will do; nothing is raised.

    >>> redact("It's 4111 1111 1111 1111, for nineteen ninety nine.")
    "It's [card], for nineteen ninety nine."
    """
    return replaced(text, find(text))
