"""Checking: a submission's objects, read and held against the rules of domain/intake. Changes nothing.

Lives here: reading what was pinned, within limits, and handing it to the rules; the same for every door. Does not: the
rules themselves, what becomes of the files (intake.py).
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aila_pipeline.adapters.archive_directory import read_directory
from aila_pipeline.adapters.objects import ObjectInfo, ObjectStore
from aila_pipeline.domain.intake.csv_text import MAX_CSV_BYTES
from aila_pipeline.domain.intake.identity import source_fingerprint
from aila_pipeline.domain.intake.join import ArchiveEntry, Files
from aila_pipeline.domain.intake.manifest import MAX_MANIFEST_BYTES, read_manifest
from aila_pipeline.domain.intake.pair import changed_pair, read_pair
from aila_pipeline.domain.models import ArchiveSource, Submission, TenantSettings
from aila_pipeline.errors import AilaError, CsvTooLarge, ManifestInvalid, SubmissionRefused, SubmissionUnexpected
from aila_pipeline.settings import Settings

_log = logging.getLogger(__name__)

MAX_ENTRIES = 200_000
"""Twice the rows that a pair may have: files without a row are warned about, not refused."""
MAX_UNPACKED_BYTES = 4 * 1024**4
"""100,000 calls of 40 MB, an hour and a half of uncompressed telephony each."""


@dataclass(frozen=True)
class Checked:
    """A submission with the body it was read from (the CSV or the manifest) and its archive's entries, if it has any.

    `fingerprints`: per accepted position, what tells the same data from other data under the same id.
    """

    submission: Submission
    body: bytes
    fingerprints: dict[int, str]


class Checks:
    """All checks on one store.

    Each raises SubmissionRefused, or ObjectChanged and ObjectMissing when the objects are not the pinned ones.
    """

    def __init__(self, store: ObjectStore, settings: Settings) -> None:
        self._store, self._settings = store, settings

    def manifest(self, info: ObjectInfo, tenant: TenantSettings) -> Checked:
        """Contract B's body."""
        body = self._small(info, MAX_MANIFEST_BYTES, ManifestInvalid)
        with _strange_cases_refused(info):
            submission = read_manifest(body, tenant, datetime.now(UTC))
            return Checked(submission, body, self._fingerprints(submission, (), tenant))

    def pair(self, csv: ObjectInfo, archive: ObjectInfo, tenant: TenantSettings, *, max_rows: int) -> Checked:
        """Contract A's CSV and ZIP: encoding, header, every row, the archive's directory, and the join of the two."""
        with _strange_cases_refused(archive):
            entries = read_archive(self._store, archive)
            body = self._small(csv, MAX_CSV_BYTES, CsvTooLarge)
            submission = read_pair(
                body,
                entries,
                tenant,
                datetime.now(UTC),
                max_rows=max_rows,
                max_audio_bytes=self._settings.max_audio_bytes,
            )
            return Checked(submission, body, self._fingerprints(submission, entries, tenant))

    def changed_pair(self, csv: ObjectInfo, tenant: TenantSettings, *, batch_id: str) -> Checked:
        """The rows of a pair whose archive is another by now; all of them fail."""
        body = self._small(csv, MAX_CSV_BYTES, CsvTooLarge)
        with _strange_cases_refused(csv):
            max_rows = self._settings.max_rows
            submission = changed_pair(body, tenant, datetime.now(UTC), max_rows=max_rows, batch_id=batch_id)
            return Checked(submission, body, {})

    def _small(self, info: ObjectInfo, limit: int, too_large: type[SubmissionRefused]) -> bytes:
        if info.size_bytes > limit:
            raise too_large(f"{info.size_bytes} bytes, the limit is {limit}")
        return self._store.read_range(info.key, 0, info.size_bytes, pinned=info) if info.size_bytes else b""

    def _fingerprints(
        self, submission: Submission, entries: Sequence[ArchiveEntry], tenant: TenantSettings
    ) -> dict[int, str]:
        files = Files(entries, fallback_encoding=tenant.fallback_encoding)
        found = {}
        for call in submission.calls:
            if call.accepted and call.details is not None:
                source, entry = call.details.source, None
                if isinstance(source, ArchiveSource):
                    entry = files.find(source.name, max_audio_bytes=self._settings.max_audio_bytes)
                found[call.position] = source_fingerprint(call.details, entry)
        return found


def read_archive(store: ObjectStore, archive: ObjectInfo) -> list[ArchiveEntry]:
    """The directory of a pinned archive, read by ranges. Raises ArchiveCorrupt, ArchiveBomb, ObjectChanged."""
    reader = store.reader(archive.key, pinned=archive)
    return read_directory(reader, max_entries=MAX_ENTRIES, max_total_bytes=MAX_UNPACKED_BYTES)


def halves(sources: Sequence[ObjectInfo]) -> tuple[ObjectInfo, ObjectInfo]:
    """The CSV and the ZIP among a pair's sources."""
    by_end = {info.key.rpartition(".")[2].lower(): info for info in sources}
    return by_end["csv"], by_end["zip"]


@contextmanager
def _strange_cases_refused(info: ObjectInfo) -> Iterator[None]:
    """What the rules themselves stumble over refuses the submission, else it came back for ever."""
    try:
        yield
    except (AilaError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - a case nobody thought of, told and kept
        # Without the exception's message, which may quote a cell; the file is told by its tag, since names may be
        # personal.
        frames = traceback.extract_tb(error.__traceback__)
        _log.error("%s: %s\n%s", info.etag, type(error).__name__, "".join(traceback.format_list(frames)))
        raise SubmissionUnexpected(f"{type(error).__name__} at {frames[-1].name}:{frames[-1].lineno}") from None
