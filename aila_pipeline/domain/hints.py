"""Hints: what the recogniser is told before it hears a call, from the tenant's settings and the call's own metadata.

Lives here: which of them count, and how they add up. Does not: using them (adapters/speech_decoding.py).
"""

from __future__ import annotations

from aila_pipeline.domain.models import CallDetails, Hints, TenantSettings

HOTWORDS, INITIAL_PROMPT = "hotwords", "initial_prompt"
"""The keys of a call's `metadata` that count, if their values are texts."""

LONGEST = 500
"""Letters; half of what the model remembers is for hints, and the rest has to do for the words themselves."""


def hints_for(settings: TenantSettings, details: CallDetails | None) -> Hints:
    """The tenant's hot words and the call's; the call's initial prompt, else the tenant's.

    >>> hints_for(TenantSettings(hotwords="Astana"), None).hotwords
    'Astana'
    """
    metadata = details.metadata if details else {}
    words = [settings.hotwords, _text(metadata.get(HOTWORDS))]
    return Hints(
        hotwords=" ".join(text for text in words if text) or None,
        initial_prompt=_text(metadata.get(INITIAL_PROMPT)) or settings.initial_prompt,
    )


def _text(value: object) -> str | None:
    """The text in one line, if it is one."""
    return " ".join(value[:LONGEST].split()) or None if isinstance(value, str) else None
