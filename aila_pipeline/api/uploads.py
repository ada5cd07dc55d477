"""Uploads: contract A's first step, two keys and a signed URL for each.

Lives here: the names a file may have, issuing keys, handing URLs out. Does not: taking the files (signed_puts.py, or S3
itself), contract A's third step (pairs.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import AfterValidator, BaseModel
from pydantic_core import PydanticCustomError

from aila_pipeline.adapters.ledger.idempotency import Claim
from aila_pipeline.adapters.objects import UploadSigner
from aila_pipeline.adapters.upload_signing import UploadGrant
from aila_pipeline.api import pairs
from aila_pipeline.api.access import Caller, Held
from aila_pipeline.api.bodies import SMALL_BYTES, parsed, read_body
from aila_pipeline.api.idempotency import Answer, once
from aila_pipeline.api.services import Services
from aila_pipeline.api.signed_puts import CSV_TYPE, ZIP_TYPE
from aila_pipeline.domain.intake.fields import printable

router = APIRouter(tags=["uploads"])
router.include_router(pairs.router)

MOST_CHARACTERS, MOST_BYTES = 200, 255


def _plain_name(suffix: str) -> AfterValidator:
    """A file's name that every store can keep, and that ends in `suffix`."""

    def check(name: str) -> str:
        wrong = _wrong(name, suffix)
        if wrong is not None:
            raise PydanticCustomError("file_name", "{wrong}", {"wrong": wrong})
        return name

    return AfterValidator(check)


def _wrong(name: str, suffix: str) -> str | None:
    if not name.lower().endswith(suffix):
        return f"must end in {suffix}"
    if len(name) > MOST_CHARACTERS or len(name.encode()) > MOST_BYTES:
        return f"must have at most {MOST_CHARACTERS} characters and {MOST_BYTES} bytes"
    if name.startswith("."):
        return "must not begin with a full stop"
    if "/" in name or "\\" in name or not printable(name):
        return "must be a plain name, without slashes and control characters"
    return None


class FileNames(BaseModel):
    """The body of step 1."""

    metadata_filename: Annotated[str, _plain_name(".csv")]
    audios_filename: Annotated[str, _plain_name(".zip")]


@router.post("/calls/upload", summary="Get signed URLs for a CSV and a ZIP")
async def issue_upload(request: Request, services: Held, access: Caller) -> Response:
    """Contract A, step 1: two keys that belong together, and where to PUT the files."""
    body = await read_body(request, SMALL_BYTES)

    def act(_claim: Claim | None) -> Answer:
        names, now = parsed(FileNames, body), datetime.now(UTC)
        lasts = timedelta(seconds=services.settings.upload_seconds)
        upload = services.ledger.uploads.issue(
            access, metadata_name=names.metadata_filename, audios_name=names.audios_filename, lasts=lasts, now=now
        )
        base = services.settings.api_url or str(request.base_url)
        data: dict[str, Any] = {
            "metadata_upload_url": _signed_url(services, base, UploadGrant(upload.metadata_key, CSV_TYPE, now + lasts)),
            "metadata_key": upload.metadata_key,
            "audio_upload_url": _signed_url(services, base, UploadGrant(upload.audios_key, ZIP_TYPE, now + lasts)),
            "audio_key": upload.audios_key,
            "expires_in": services.settings.upload_seconds,
        }
        return Answer(data)

    return await run_in_threadpool(once, services, access, request, body, act)


def _signed_url(services: Services, base: str, grant: UploadGrant) -> str:
    """S3's own signed URL; for a directory, one of this API."""
    if isinstance(services.store, UploadSigner):
        seconds = services.settings.upload_seconds
        return services.store.presign_put(grant.key, content_type=grant.content_type, expires_seconds=seconds)
    return f"{base.rstrip('/')}/api/v1/uploads/{services.signing.token(grant)}"
