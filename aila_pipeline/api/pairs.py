"""Pairs: contract A's third step, from two uploaded files to a batch that waits for its run.

Lives here: finding what was uploaded, checking it, keeping the CSV that was checked, submitting. Does not: the checks
(adapters/checking.py, as for the drop zone), taking the files in (adapters/intake.py, in the batch's run).

    keys ─> upload of this tenant ─┬─ a batch already: the same answer again
                                   └─ both files pinned ─> checked ─> CSV kept ─> ledger ─> launched

Nothing is written before all checks have passed but the CSV itself, under its own digest: a crash or a race in between
leaves a copy that the next request finds again, or the nightly `prune` removes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from aila_pipeline.adapters.checking import Checked, Checks
from aila_pipeline.adapters.intake import pinned, upload_folder
from aila_pipeline.adapters.ledger.idempotency import Claim
from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.adapters.ledger.submissions import Answering
from aila_pipeline.adapters.ledger.uploads import Upload
from aila_pipeline.adapters.objects import ObjectInfo
from aila_pipeline.api.access import Caller, Held
from aila_pipeline.api.bodies import SMALL_BYTES, parsed, read_body
from aila_pipeline.api.envelopes import contract_of, success
from aila_pipeline.api.idempotency import Answer, once
from aila_pipeline.api.lanes import Lane
from aila_pipeline.api.limit_headers import standing_headers
from aila_pipeline.api.services import Services
from aila_pipeline.domain.models import Problem, Submission
from aila_pipeline.errors import (
    NotFound,
    ObjectChanged,
    ObjectMissing,
    RequestContradictory,
    RequestInvalid,
    UploadMissing,
)

router = APIRouter(tags=["uploads"])

MESSAGE = "Files validated and queued for processing"
MOST_ROWS_TOLD = 1_000
CHECKED = "checked"
"""Under this name a batch's source remembers what step 3 has answered."""
_lane = Lane("checks of pairs", 4)  # each holds a CSV and a table of its rows in memory


class UploadedKeys(BaseModel):
    """The body of step 3; `audio_key` is what step 1 calls `audios_key` (contracts, gap 3)."""

    metadata_key: str
    audios_key: str | None = None
    audio_key: str | None = None

    def audios(self) -> str:
        """The ZIP's key under either name. Raises RequestInvalid, RequestContradictory."""
        if self.audios_key and self.audio_key and self.audios_key != self.audio_key:
            raise RequestContradictory("audios_key and audio_key are not the same")
        found = self.audios_key or self.audio_key
        if not found:
            raise RequestInvalid("", {"fields": {"audios_key": "Field required"}})
        return found


@router.post("/calls/process-upload", summary="Process a CSV and a ZIP that were uploaded")
async def process_upload(
    request: Request, services: Held, access: Caller, *, dry_run: Annotated[bool, Query()] = False
) -> Response:
    """Contract A, step 3. With `dry_run` all is checked and nothing written."""
    body = await read_body(request, SMALL_BYTES)
    if dry_run:
        data = await _lane.run(_would_be, services, access, body)
        return success(contract_of(request.url.path), data)
    return await _lane.run(once, services, access, request, body, lambda claim: _process(services, access, body, claim))


def _process(services: Services, access: Access, body: bytes, claim: Claim | None) -> Answer:
    upload = _upload(services, access, body)
    known = _known(services, upload)
    if known is None:
        try:
            return _submit(services, access, upload, claim)
        except (UploadMissing, RequestContradictory, ObjectMissing):
            # Another request may have submitted it since, and its run have taken the files away.
            known = _known(services, upload)
            if known is None:
                raise
    return Answer(known)


def _submit(services: Services, access: Access, upload: Upload, claim: Claim | None) -> Answer:
    """A new batch; raises what refuses the files, and LimitReached."""
    csv, archive = _found(services, upload)
    checked = _checked(services, access, csv, archive)
    told = _told(checked.submission)
    kept = _keep(services, upload, checked.body)
    submitted = services.ledger.submissions.submit_pair(
        access,
        upload,
        sources=[pinned(kept) | {"received": pinned(csv), CHECKED: told}, pinned(archive)],
        rows=len(checked.submission.calls),
        now=datetime.now(UTC),
        answering=Answering(claim, lambda submitted: _data(submitted.batch_id, told)) if claim else None,
    )
    services.launcher.submission(submitted.batch_id)
    headers = standing_headers(submitted.standing) if submitted.standing else {}
    return Answer(_data(submitted.batch_id, told), headers, remembered=claim is not None)


def _would_be(services: Services, access: Access, body: bytes) -> dict[str, Any]:
    """What the same request would do without `dry_run`; it is refused as that one would be."""
    upload = _upload(services, access, body)
    known = _known(services, upload)
    if known is not None:
        return known
    submission = _checked(services, access, *_found(services, upload)).submission
    told = _told(submission)
    return {
        "dry_run": True,
        "rows": told["calls"],
        "would_be_processed": told["calls"] - told["rejected_rows"],
        "rejected_rows": told["rejected_rows"],
        "problems": _rows(_problems(submission)),
        "warnings": told["warnings"],
    }


def _upload(services: Services, access: Access, body: bytes) -> Upload:
    """The upload that both keys were issued for; NotFound for anything else, whoever's it is."""
    keys = parsed(UploadedKeys, body)
    upload = services.ledger.uploads.find(access.tenant, keys.metadata_key, keys.audios())
    if upload is None:
        raise NotFound("metadata_key and audios_key are not two keys of one upload of yours")
    return upload


def _known(services: Services, upload: Upload) -> dict[str, Any] | None:
    """The answer that was given, when the upload is a batch already."""
    batch_id = services.ledger.submissions.of_upload(upload)
    batch = services.ledger.batches.get(batch_id) if batch_id else None
    if batch is None:
        return None
    told = next(source[CHECKED] for source in batch.sources if CHECKED in source)
    return _data(batch.id, told)


def _found(services: Services, upload: Upload) -> tuple[ObjectInfo, ObjectInfo]:
    """Both files as they are now. Raises UploadMissing, which names those that are not there."""
    infos: dict[str, ObjectInfo] = {}
    for field, key in (("metadata_key", upload.metadata_key), ("audios_key", upload.audios_key)):
        try:
            infos[field] = services.store.stat(key)
        except ObjectMissing:
            continue
    missing = [field for field in ("metadata_key", "audios_key") if field not in infos]
    if missing:
        raise UploadMissing(
            " and ".join(missing), {"fields": dict.fromkeys(missing, "nothing has been uploaded to it")}
        )
    return infos["metadata_key"], infos["audios_key"]


def _checked(services: Services, access: Access, csv: ObjectInfo, archive: ObjectInfo) -> Checked:
    """The pinned files, checked; at least one row can be processed.

    Raises SubmissionRefused, RequestInvalid with all rows' problems, RequestContradictory for files that change.
    """
    try:
        checked = Checks(services.store, services.settings).pair(
            csv, archive, access.tenant.settings, max_rows=services.settings.api_max_rows
        )
    except (ObjectChanged, ObjectMissing):
        raise RequestContradictory("a file was uploaded anew while it was checked") from None
    if not any(call.accepted for call in checked.submission.calls):
        problems = _problems(checked.submission)
        raise RequestInvalid("no row can be processed", {"rows": _rows(problems), "total": len(problems)})
    return checked


def _keep(services: Services, upload: Upload, csv: bytes) -> ObjectInfo:
    """The very CSV that was checked, where no client can overwrite it."""
    key = f"{upload_folder(upload.id)}{hashlib.sha256(csv).hexdigest()}.csv"
    # Not over a copy that is there already: another request may have pinned it.
    services.store.write_if_absent(key, csv)
    return services.store.stat(key)


def _told(submission: Submission) -> dict[str, Any]:
    rejected = sum(not call.accepted for call in submission.calls)
    return {"calls": len(submission.calls), "rejected_rows": rejected, "warnings": list(submission.warnings)}


def _data(batch_id: str, told: Mapping[str, Any]) -> dict[str, Any]:
    return {"message": MESSAGE, "batch_id": batch_id, **told}


def _problems(submission: Submission) -> list[Problem]:
    return [problem for call in submission.calls for problem in call.problems]


def _rows(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """As many as an answer lists; a row's number is that of the spreadsheet."""
    return [
        {"row": problem.position, "field": problem.field, "code": problem.code, "message": problem.message}
        for problem in list(problems)[:MOST_ROWS_TOLD]
    ]
