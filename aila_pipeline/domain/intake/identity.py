"""Identity: when a submission, or the data of a call, is the same as one that came before.

Lives here: digests of pairs, manifests and of a call's source. Does not: what is done about a repetition (the ledger).
Object stores' ETags depend on the parts of an upload, so the content itself is digested.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC

from pydantic_core import from_json

from aila_pipeline.domain.intake.join import ArchiveEntry, same_name
from aila_pipeline.domain.intake.sources import unsigned
from aila_pipeline.domain.models import ArchiveSource, CallDetails


def pair_digest(csv: bytes, entries: Iterable[ArchiveEntry]) -> str:
    """SHA-256 of a pair: of the CSV, and of the names, CRCs and sizes in the archive's directory.

    The order of the entries, their compression and what systems leave in archives by themselves do not count, so
    the same recordings packed anew are the same pair.
    """
    files = sorted((same_name(entry.name), entry.crc32, entry.size_bytes) for entry in entries if not entry.ignored)
    return _digest("pair", hashlib.sha256(csv).hexdigest(), files)


def changed_pair_digest(csv: bytes, batch_id: str) -> str:
    """SHA-256 of a CSV whose archive was overwritten before it was read: like no other batch's."""
    return _digest("changed pair", hashlib.sha256(csv).hexdigest(), batch_id)


def manifest_digest(body: bytes) -> str:
    """SHA-256 of a manifest's meaning; spaces and the order of keys do not count. ValueError if it is no JSON."""
    return _digest("manifest", from_json(body))


def source_fingerprint(details: CallDetails, entry: ArchiveEntry | None) -> str:
    """SHA-256 that tells "the same call again" from "another call under the same id".

    Counts: which audio it is (the entry's CRC and size, or the URL) and when the call began. An archived entry's name
    does not: a recording renamed is the same recording; nor does a URL's signature, which each submission makes anew.
    `entry` is required for audio from an archive.
    """
    if isinstance(details.source, ArchiveSource):
        if entry is None:
            raise ValueError("audio from an archive is known by its entry")
        audio: tuple[object, ...] = ("archive", entry.crc32, entry.size_bytes)
    else:
        audio = ("url", unsigned(details.source.url))
    return _digest("call", audio, details.started_at.astimezone(UTC).isoformat())


def _digest(*parts: object) -> str:
    """SHA-256 of the parts in canonical JSON, which keeps neighbours apart."""
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
