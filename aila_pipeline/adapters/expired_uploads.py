"""Expired uploads: what lies under keys that the API has issued and that nobody needs any more.

Lives here: which files go, and in which order. Does not: when (the job `prune`), taking uploads in (intake.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from aila_pipeline.adapters.call_objects import OWN
from aila_pipeline.adapters.intake import upload_folder
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.uploads import Upload
from aila_pipeline.adapters.objects import ObjectStore

KEPT = timedelta(days=7)
"""So long after its URLs have ended an upload can still be submitted, and answers again what it has become."""
MOST = 2_000
"""Uploads one look removes at most."""
_COPY_KEPT = timedelta(days=1)


def remove_expired(ledger: Ledger, store: ObjectStore, now: datetime, *, most: int = MOST) -> int:
    """Remove the files of expired uploads, and then forget the uploads; returns how many.

    The files go first: once it is forgotten, what lies under an upload's keys would be taken for a drop. One that is a
    batch by now has been taken in, and what is left of it are files that its run did not come to remove, or that were
    uploaded again later. One that still waits for its run is left alone.
    """
    gone = []
    for upload in ledger.uploads.expired(now - KEPT, most=most):
        if not _waits(ledger, upload):
            store.delete(upload.metadata_key)
            store.delete(upload.audios_key)
            _remove_below(store, upload_folder(upload.id))
            gone.append(upload.id)
    ledger.uploads.forget(gone)
    return len(gone)


def remove_stray_copies(ledger: Ledger, store: ObjectStore, now: datetime) -> None:
    """Remove checked CSVs whose upload is forgotten: of requests that were being worked on when it was."""
    folders = {folder.split("/")[-2]: folder for folder in store.folders(f"{OWN}uploads/")}
    known = ledger.uploads.issued(folders) if folders else set()
    for upload_id in folders.keys() - known:
        _remove_below(store, folders[upload_id], before=now - _COPY_KEPT)


def _waits(ledger: Ledger, upload: Upload) -> bool:
    """Whether it was submitted since it was looked for."""
    batch_id = ledger.submissions.of_upload(upload)
    batch = ledger.batches.get(batch_id) if batch_id else None
    return batch is not None and batch.state == "received"


def _remove_below(store: ObjectStore, folder: str, *, before: datetime | None = None) -> None:
    for info in list(store.list(folder)):
        if before is None or info.modified < before:
            store.delete(info.key)
