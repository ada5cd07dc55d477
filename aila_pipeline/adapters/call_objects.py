"""The objects of a call in the store: its audio by content, its recognition by content and identity.

Lives here: their keys, saving and loading them. Does not: making them (audio.py, speech.py).

    _aila/audio/<tenant>/<sha256>                       the recording, as it was sent
    _aila/transcripts/<tenant>/<sha256>/<identity>.json what one model heard in it
"""

from __future__ import annotations

from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.domain.models import Recognition
from aila_pipeline.errors import ObjectMissing

OWN = "_aila/"
"""Everything under this prefix is ours; no drop zone looks into it."""


def audio_key(tenant_id: str, sha256: str) -> str:
    """Where a recording lies; one object however often a tenant sends it."""
    return f"{OWN}audio/{tenant_id}/{sha256}"


def recognition_key(tenant_id: str, sha256: str, identity: str) -> str:
    """Where the outcome of recognising a recording in one way lies."""
    return f"{OWN}transcripts/{tenant_id}/{sha256}/{identity}.json"


def load_recognition(store: ObjectStore, key: str) -> Recognition | None:
    """The recognition, or None when nobody has made it yet."""
    try:
        return Recognition.model_validate_json(store.read(key))
    except ObjectMissing:
        return None


def save_recognition(store: ObjectStore, key: str, recognition: Recognition) -> None:
    """Keep a recognition; the same key always holds the same text."""
    store.write(key, recognition.model_dump_json().encode(), content_type="application/json")
