"""Intake: the way of one submission from its objects to the ledger, the same for every door it comes through.

Lives here: moving the pinned objects to a place of our own, accepting or refusing, and cleaning up. Does not: reading
and checking them (checking.py), finding submissions (the drop zone's sensor, the API), working on calls.

    pinned objects ─read─> checks ─┬─ accepted: copied to _aila/batches/<id>/source/, ledger, originals removed
                                   └─ refused:  copied to _aila/rejected/…, reasons.json beside, originals removed

Each step can be done twice: a run that died anywhere is simply run again. The ledger's commit is the moment of truth;
originals go last, and only if they are still what was read.

A file that was overwritten in between: what was dropped is received anew; what came through the API was promised to be
worked on, and so becomes a batch whose calls fail with SOURCE_CHANGED (contracts, gap 6). Of its CSV the API keeps the
copy that it has checked, under _aila/uploads/, until the batch is taken in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from aila_pipeline.adapters.call_objects import OWN
from aila_pipeline.adapters.checking import Checked, Checks, halves
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.arrivals import DONE
from aila_pipeline.adapters.ledger.records import Accepted, Batch
from aila_pipeline.adapters.ledger.submissions import API
from aila_pipeline.adapters.objects import ObjectInfo, ObjectStore
from aila_pipeline.adapters.rejected import REASONS, kept_names, reasons_document, rejected_folder
from aila_pipeline.domain.intake.pair import rejects_csv
from aila_pipeline.errors import ObjectChanged, ObjectMissing, PairIncomplete, PairVanished, SubmissionRefused
from aila_pipeline.settings import Settings

_Own = Mapping[str, ObjectInfo]
"""Our copies, by the keys that they were copied from; none where the content is another batch's already."""


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
        if batch.state != "received":
            return self._already(batch)
        sources = [unpinned(source) for source in batch.sources]
        try:
            checked, own = self._checked(batch, sources)
        except SubmissionRefused as refusal:
            return self._refuse(batch, sources, refusal)
        except (ObjectChanged, ObjectMissing):
            if batch.door != API:
                self._ledger.batches.withdraw(batch.id, now=datetime.now(UTC))
                return Withdrawn()
            return self._accept_changed(batch, sources)
        return self._accept(batch, checked, own)

    def _checked(self, batch: Batch, sources: Sequence[ObjectInfo]) -> tuple[Checked, _Own]:
        """The checks, and where the sources lie afterwards: in a place of our own, unless another batch has them.

        Raises SubmissionRefused, or ObjectChanged and ObjectMissing when the objects are not the pinned ones.
        """
        if batch.problem is not None:
            raise PairIncomplete(batch.problem.get("detail", ""))
        tenant, checks = batch.tenant.settings, Checks(self._store, self._settings)
        if batch.kind == "manifest":
            checked = checks.manifest(sources[0], tenant)
        else:
            checked = checks.pair(*halves(sources), tenant, max_rows=self._settings.max_rows)
        if self._ledger.batches.owner(batch.tenant, checked.submission.digest) is not None:
            return checked, {}
        return checked, self._move(batch, checked, sources)

    def _move(self, batch: Batch, checked: Checked, sources: Sequence[ObjectInfo]) -> _Own:
        """Copy the sources into a folder of ours under plain names, and the rejected rows, ready to mend, beside it."""
        folder = f"{OWN}batches/{batch.id}/source/"
        names = {"csv": "metadata.csv", "zip": "audios.zip", "json": "batch.json"}
        own = {
            info.key: self._store.copy(info, folder + names.get(info.key.rpartition(".")[2].lower(), _name(info.key)))
            for info in sources
        }
        if batch.kind == "pair" and any(call.problems for call in checked.submission.calls):
            rejects = rejects_csv(checked.body, checked.submission, batch.tenant.settings)
            self._store.write(rejects_key(batch.id), rejects, content_type="text/csv")
        return own

    def _accept(self, batch: Batch, checked: Checked, own: _Own) -> Accepted:
        """Commit, and remove what was received."""
        accepted = self._ledger.batches.accept(
            batch,
            checked.submission,
            sources=[
                source | {"received": source.get("received", source)} | pinned(own[source["key"]])
                for source in batch.sources
                if source["key"] in own
            ],
            fingerprints=checked.fingerprints,
            shard_size=self._settings.shard_size,
            now=datetime.now(UTC),
        )
        self._clean_up(batch, originals(batch))
        return accepted

    def _accept_changed(self, batch: Batch, sources: Sequence[ObjectInfo]) -> Accepted | Refused | Withdrawn:
        """A pair of the API whose archive was overwritten or removed since it was checked."""
        csv, _ = halves(sources)
        try:
            checked = Checks(self._store, self._settings).changed_pair(csv, batch.tenant.settings, batch_id=batch.id)
            own = self._move(batch, checked, [csv])
        except SubmissionRefused as refusal:
            return self._refuse(batch, sources, refusal)
        except (ObjectChanged, ObjectMissing):
            return self._refuse(batch, sources, PairVanished())
        return self._accept(batch, checked, own)

    def _refuse(self, batch: Batch, sources: Sequence[ObjectInfo], refusal: SubmissionRefused) -> Refused | Withdrawn:
        received = originals(batch)
        folder = rejected_folder(batch, received)
        kept: dict[str, ObjectInfo] = {}
        for info, original, name in zip(sources, received, kept_names(received), strict=True):
            try:
                self._store.copy(info, folder + name)
                kept[name] = original
            except (ObjectChanged, ObjectMissing):
                if batch.door != API:
                    self._ledger.batches.withdraw(batch.id, now=datetime.now(UTC))
                    return Withdrawn()
        self._store.write(folder + REASONS, reasons_document(batch, list(kept.values()), list(kept), refusal))
        problem = {"code": refusal.code, "message": refusal.message, "folder": folder}
        self._ledger.batches.refuse(batch.id, problem, now=datetime.now(UTC))
        self._clean_up(batch, received)
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
        """Remove what an earlier run, which died after the ledger's commit, left where it was received."""
        if batch.state in DONE:
            self._clean_up(batch, listed)

    def _clean_up(self, batch: Batch, received: Sequence[ObjectInfo]) -> None:
        """What was received goes last: as long as some of it lies there, the drop zone's sensor finds it and us."""
        if batch.door == API:
            for info in list(self._store.list(upload_folder(batch.name))):
                self._store.delete(info.key)
        for info in received:
            self._store.delete(info.key, pinned=info)


def upload_folder(upload_id: str) -> str:
    """Where the API keeps the CSV that it has checked, until the batch is taken in."""
    return f"{OWN}uploads/{upload_id}/"


def rejects_key(batch_id: str) -> str:
    """Where the rejected rows of a batch lie, ready to mend."""
    return f"{OWN}batches/{batch_id}/rejects.csv"


def archive_of(sources: Sequence[Mapping[str, Any]]) -> ObjectInfo:
    """The archive among a batch's own, pinned sources."""
    return halves([unpinned(source) for source in sources])[1]


def _name(key: str) -> str:
    return key.rpartition("/")[2]
