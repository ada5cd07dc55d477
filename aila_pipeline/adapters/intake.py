"""Intake: the way of one submission from its objects to the ledger, the same for every door it comes through.

Lives here: reading the pinned objects, checking them with the rules of domain/intake, moving them to a place of our
own, accepting or refusing. Does not: the rules, finding submissions (sensors, API), working on calls.

    pinned objects ─read─> checks ─┬─ accepted: copied to _aila/batches/<id>/source/, ledger, originals removed
                                   └─ refused:  copied to _aila/rejected/…, reasons.json beside, originals removed

Each step can be done twice: a run that died anywhere is simply run again. The ledger's commit is the moment of truth;
originals go last, and only if they are still what was read.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from aila_pipeline.adapters.archive_directory import read_directory
from aila_pipeline.adapters.call_objects import OWN
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.arrivals import DONE
from aila_pipeline.adapters.ledger.records import Accepted, Batch
from aila_pipeline.adapters.objects import ObjectInfo, ObjectStore
from aila_pipeline.adapters.rejected import REASONS, kept_names, reasons_document, rejected_folder
from aila_pipeline.domain.intake.csv_text import MAX_CSV_BYTES
from aila_pipeline.domain.intake.identity import source_fingerprint
from aila_pipeline.domain.intake.join import ArchiveEntry, Files
from aila_pipeline.domain.intake.manifest import MAX_MANIFEST_BYTES, read_manifest
from aila_pipeline.domain.intake.pair import read_pair, rejects_csv
from aila_pipeline.domain.models import ArchiveSource, Submission, TenantSettings
from aila_pipeline.errors import (
    AilaError,
    CsvTooLarge,
    ManifestInvalid,
    ObjectChanged,
    ObjectMissing,
    PairIncomplete,
    SubmissionRefused,
    SubmissionUnexpected,
)
from aila_pipeline.settings import Settings

_log = logging.getLogger(__name__)

MAX_ENTRIES = 200_000
"""Twice the rows that a pair may have: files without a row are warned about, not refused."""
MAX_UNPACKED_BYTES = 4 * 1024**4
"""100,000 calls of 40 MB, an hour and a half of uncompressed telephony each."""


@dataclass(frozen=True)
class Refused:
    """A submission that was refused, where its files lie now and why."""

    folder: str
    code: str
    message: str


@dataclass(frozen=True)
class Withdrawn:
    """The files are not those that were received any more; the drop zone receives what is there now."""


def pinned(info: ObjectInfo) -> dict[str, Any]:
    """An object's identity as the ledger keeps it."""
    return asdict(info) | {"modified": info.modified.isoformat()}


def unpinned(source: Mapping[str, Any]) -> ObjectInfo:
    """Back from the ledger."""
    told = {field.name: source[field.name] for field in fields(ObjectInfo) if field.name in source}
    return ObjectInfo(**told | {"modified": datetime.fromisoformat(source["modified"])})


def originals(batch: Batch) -> list[ObjectInfo]:
    """The objects that the batch was received as, also after it was accepted and its sources are our own copies."""
    return [unpinned(source.get("received", source)) for source in batch.sources]


class Intake:
    """Takes submissions in."""

    def __init__(self, ledger: Ledger, store: ObjectStore, settings: Settings) -> None:
        self._ledger, self._store, self._settings = ledger, store, settings

    def take(self, batch: Batch) -> Accepted | Refused | Withdrawn:
        """Bring a received batch to the ledger; harmless when it has been brought there before.

        Raises InfrastructureError when store or ledger fail; the batch then stays received and is tried again.
        """
        sources = originals(batch)
        if batch.state != "received":
            return self._already(batch)
        try:
            if batch.problem is not None:
                raise PairIncomplete(batch.problem.get("detail", ""))
            submission, entries = self._checked(batch, sources)
            own = sources
            if self._ledger.batches.owner(batch.tenant, submission.digest) is None:
                own = self._move(sources, f"{OWN}batches/{batch.id}/source/")
                self._keep_rejects(batch, submission, own)
        except SubmissionRefused as refusal:
            return self._refuse(batch, sources, refusal)
        except (ObjectChanged, ObjectMissing):
            self._ledger.batches.withdraw(batch.id, now=datetime.now(UTC))
            return Withdrawn()
        accepted = self._ledger.batches.accept(
            batch,
            submission,
            sources=[pinned(copy) | {"received": pinned(info)} for copy, info in zip(own, sources, strict=True)],
            fingerprints=_fingerprints(submission, entries, batch.tenant.settings, self._settings.max_audio_bytes),
            shard_size=self._settings.shard_size,
            now=datetime.now(UTC),
        )
        self._remove(sources)
        return accepted

    def _checked(self, batch: Batch, sources: Sequence[ObjectInfo]) -> tuple[Submission, list[ArchiveEntry]]:
        """As `check`; what the rules themselves stumble over refuses the submission, else it came back for ever."""
        try:
            return self.check(batch, sources)
        except (AilaError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - a case nobody thought of, told and kept
            # Without the exception's message, which may quote a cell.
            frames = traceback.extract_tb(error.__traceback__)
            _log.error("%s: %s\n%s", batch.id, type(error).__name__, "".join(traceback.format_list(frames)))
            raise SubmissionUnexpected(f"{type(error).__name__} at {frames[-1].name}:{frames[-1].lineno}") from None

    def check(self, batch: Batch, sources: Sequence[ObjectInfo]) -> tuple[Submission, list[ArchiveEntry]]:
        """All checks of a submission, changing nothing.

        Raises SubmissionRefused, or ObjectChanged and ObjectMissing when the objects are not the pinned ones.
        """
        tenant, now = batch.tenant.settings, datetime.now(UTC)
        if batch.kind == "manifest":
            body = self._small(sources[0], MAX_MANIFEST_BYTES, ManifestInvalid)
            return read_manifest(body, tenant, now), []
        csv, archive = _halves(sources)
        entries = read_archive(self._store, archive)
        submission = read_pair(
            self._small(csv, MAX_CSV_BYTES, CsvTooLarge),
            entries,
            tenant,
            now,
            max_rows=self._settings.max_rows,
            max_audio_bytes=self._settings.max_audio_bytes,
        )
        return submission, entries

    def _small(self, info: ObjectInfo, limit: int, too_large: type[SubmissionRefused]) -> bytes:
        if info.size_bytes > limit:
            raise too_large(f"{info.size_bytes} bytes, the limit is {limit}")
        return self._store.read_range(info.key, 0, info.size_bytes, pinned=info) if info.size_bytes else b""

    def _move(self, sources: Sequence[ObjectInfo], folder: str) -> list[ObjectInfo]:
        """Copy the sources into a folder of ours under plain names; the originals are removed later."""
        names = {"csv": "metadata.csv", "zip": "audios.zip", "json": "batch.json"}
        return [
            self._store.copy(info, folder + names.get(info.key.rpartition(".")[2].lower(), _name(info.key)))
            for info in sources
        ]

    def _keep_rejects(self, batch: Batch, submission: Submission, own: Sequence[ObjectInfo]) -> None:
        """Write the rejected rows, ready to mend and send again, beside the batch's files."""
        if batch.kind == "pair" and any(call.problems for call in submission.calls):
            csv = self._store.read(_halves(own)[0].key)
            rejects = rejects_csv(csv, submission, batch.tenant.settings)
            self._store.write(rejects_key(batch.id), rejects, content_type="text/csv")

    def _refuse(self, batch: Batch, sources: Sequence[ObjectInfo], refusal: SubmissionRefused) -> Refused | Withdrawn:
        folder, kept = rejected_folder(batch, sources), kept_names(sources)
        try:
            for info, name in zip(sources, kept, strict=True):
                self._store.copy(info, folder + name)
        except (ObjectChanged, ObjectMissing):
            self._ledger.batches.withdraw(batch.id, now=datetime.now(UTC))
            return Withdrawn()
        self._store.write(folder + REASONS, reasons_document(batch, sources, kept, refusal))
        problem = {"code": refusal.code, "message": refusal.message, "folder": folder}
        self._ledger.batches.refuse(batch.id, problem, now=datetime.now(UTC))
        self._remove(sources)
        return Refused(folder, refusal.code, refusal.message)

    def _already(self, batch: Batch) -> Accepted | Refused | Withdrawn:
        """An earlier run got as far as the ledger, and perhaps no further."""
        self.finish(batch, originals(batch))
        if batch.state == "withdrawn":
            return Withdrawn()
        if batch.state == "refused":
            problem = batch.problem or {}
            return Refused(problem.get("folder", ""), problem.get("code", ""), problem.get("message", ""))
        return Accepted(batch.duplicate_of or batch.id, batch.state, (), 0, 0)

    def finish(self, batch: Batch, listed: Sequence[ObjectInfo]) -> None:
        """Remove originals that an earlier run, which died after the ledger's commit, left in the drop zone."""
        if batch.state in DONE:
            self._remove(listed)

    def _remove(self, sources: Sequence[ObjectInfo]) -> None:
        for info in sources:
            self._store.delete(info.key, pinned=info)


def read_archive(store: ObjectStore, archive: ObjectInfo) -> list[ArchiveEntry]:
    """The directory of a pinned archive, read by ranges. Raises ArchiveCorrupt, ArchiveBomb, ObjectChanged."""
    reader = store.reader(archive.key, pinned=archive)
    return read_directory(reader, max_entries=MAX_ENTRIES, max_total_bytes=MAX_UNPACKED_BYTES)


def rejects_key(batch_id: str) -> str:
    """Where the rejected rows of a batch lie, ready to mend."""
    return f"{OWN}batches/{batch_id}/rejects.csv"


def archive_of(sources: Sequence[Mapping[str, Any]]) -> ObjectInfo:
    """The archive among a batch's own, pinned sources."""
    return _halves([unpinned(source) for source in sources])[1]


def _halves(sources: Sequence[ObjectInfo]) -> tuple[ObjectInfo, ObjectInfo]:
    by_end = {info.key.rpartition(".")[2].lower(): info for info in sources}
    return by_end["csv"], by_end["zip"]


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _fingerprints(
    submission: Submission, entries: Sequence[ArchiveEntry], tenant: TenantSettings, max_audio_bytes: int
) -> dict[int, str]:
    """Per accepted position, what tells the same data from other data under the same id."""
    files = Files(entries, fallback_encoding=tenant.fallback_encoding)
    found = {}
    for call in submission.calls:
        if call.accepted and call.details is not None:
            source = call.details.source
            entry = None
            if isinstance(source, ArchiveSource):
                entry = files.find(source.name, max_audio_bytes=max_audio_bytes)
            found[call.position] = source_fingerprint(call.details, entry)
    return found
