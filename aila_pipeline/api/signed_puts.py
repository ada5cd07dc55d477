"""Signed PUTs: what S3 does for contract A's second step, for a store that is a directory.

Lives here: the route that takes a file's bytes. Does not: signing (adapters/upload_signing.py), handing URLs out
(uploads.py). Whoever has the URL may PUT; a header `Authorization` is not looked at.

A file is streamed to the store in blocks, one at a time, and appears when it is whole. A connection that breaks leaves
nothing. Another PUT to the same URL replaces the file, as in S3.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime

from anyio import fail_after, from_thread
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from aila_pipeline.adapters.objects import MIB, ObjectInfo
from aila_pipeline.adapters.upload_signing import UploadGrant
from aila_pipeline.api.access import Held
from aila_pipeline.api.lanes import Lane
from aila_pipeline.api.services import Services
from aila_pipeline.domain.intake.csv_text import MAX_CSV_BYTES
from aila_pipeline.errors import RequestContradictory, RequestTooLarge, UploadForbidden

router = APIRouter(tags=["uploads"])

CSV_TYPE, ZIP_TYPE = "text/csv", "application/zip"
BLOCK_BYTES = MIB
"""What an upload holds in memory, besides what the server reads ahead."""
IDLE_SECONDS = 60.0
"""A client that sends nothing for so long is given up."""

_lane = Lane("uploads", 64)  # they last as long as their clients like


@router.put("/uploads/{token}", summary="Upload a file to a signed URL", status_code=200)
async def put_file(token: str, request: Request, services: Held) -> Response:
    """Take the file; the answer has no body, and an `ETag`."""
    grant = services.signing.grant(token, datetime.now(UTC))
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != grant.content_type:
        raise UploadForbidden(f"the content type must be {grant.content_type}")
    most_bytes = MAX_CSV_BYTES if grant.content_type == CSV_TYPE else services.settings.max_upload_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most_bytes:
        raise _too_large(most_bytes)
    stored = await _stored(services, grant, request, most_bytes)
    return Response(status_code=200, headers={"ETag": f'"{stored.etag}"', "Cache-Control": "no-store"})


async def _stored(services: Services, grant: UploadGrant, request: Request, most_bytes: int) -> ObjectInfo:
    async with aclosing(request.stream()) as stream:

        def blocks() -> Iterator[bytes]:
            taken = 0
            while block := from_thread.run(_next_block, stream):
                taken += len(block)
                if taken > most_bytes:
                    raise _too_large(most_bytes)
                yield block

        try:
            return await _lane.run(services.store.write_stream, grant.key, blocks())
        except ClientDisconnect:
            raise RequestContradictory("the connection broke before the end of the file") from None
        except TimeoutError:
            raise RequestContradictory(f"nothing came for {IDLE_SECONDS:.0f} s") from None


async def _next_block(stream: AsyncGenerator[bytes, None]) -> bytes:
    """The next bytes of the body, about as many as a block has; none at its end."""
    block = bytearray()
    while len(block) < BLOCK_BYTES:
        with fail_after(IDLE_SECONDS):
            piece = await anext(stream, b"")
        if not piece:
            break
        block += piece
    return bytes(block)


def _too_large(most_bytes: int) -> RequestTooLarge:
    return RequestTooLarge(f"the limit is {most_bytes} bytes")
