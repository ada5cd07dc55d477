"""Uploads in parts: nothing is visible before all parts are there, and nothing stays behind when one fails.

Lives here: one such upload, and cutting a stream into parts. Does not: deciding what is uploaded (s3_store.py).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, CopySourceTypeDef

_log = logging.getLogger(__name__)


class Multipart:
    """One upload. Leaving the context without `complete` abandons it; its methods raise the client's errors."""

    def __init__(self, client: S3Client, bucket: str, full_key: str, *, content_type: str | None = None) -> None:
        self._client = client
        self._bucket, self._key = bucket, full_key
        self._content_type = content_type
        self._id = ""
        self._parts: list[CompletedPartTypeDef] = []
        self._complete = False

    def __enter__(self) -> Self:
        if self._content_type:
            created = self._client.create_multipart_upload(
                Bucket=self._bucket, Key=self._key, ContentType=self._content_type
            )
        else:
            created = self._client.create_multipart_upload(Bucket=self._bucket, Key=self._key)
        self._id = created["UploadId"]
        return self

    def send(self, data: bytes) -> None:
        """Uploads the next part: at least 5 MiB, but for the last."""
        number = len(self._parts) + 1
        answer = self._client.upload_part(
            Bucket=self._bucket, Key=self._key, UploadId=self._id, PartNumber=number, Body=data
        )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    def send_copy(self, source: CopySourceTypeDef, etag: str, start: int, length: int) -> None:
        """Has the server copy `length` bytes of another object as the next part, while its ETag is `etag`."""
        number = len(self._parts) + 1
        answer = self._client.upload_part_copy(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._id,
            PartNumber=number,
            CopySource=source,
            CopySourceIfMatch=f'"{etag}"',
            CopySourceRange=f"bytes={start}-{start + length - 1}",
        )
        self._parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})

    def complete(self) -> str:
        """Makes the object of the parts, at once, and tells its ETag; some servers tell an empty one."""
        answer = self._client.complete_multipart_upload(
            Bucket=self._bucket, Key=self._key, UploadId=self._id, MultipartUpload={"Parts": self._parts}
        )
        self._complete = True
        return answer["ETag"]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._complete:
            return
        try:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._id)
        except (ClientError, BotoCoreError) as failure:
            # The parts stay, unseen and paid for, until the bucket's own rule for incomplete uploads takes them.
            _log.warning("an upload in parts could not be abandoned (%s)", type(failure).__name__)


def regrouped(blocks: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `size_bytes`, the last one shorter; no empty piece.

    >>> list(regrouped([b"ab", b"", b"cdefg", b"h"], 3))
    [b'abc', b'def', b'gh']
    """
    held = bytearray()
    for block in blocks:
        held += block
        while len(held) >= size_bytes:
            yield bytes(held[:size_bytes])
            del held[:size_bytes]
    if held:
        yield bytes(held)
