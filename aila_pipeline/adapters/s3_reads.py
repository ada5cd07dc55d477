"""The reading half of the object store on S3.

Lives here: listing, looking at and reading objects, whole or by ranges, as pinned. Does not: anything that changes
the bucket (s3_store.py, which is the store).
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from aila_pipeline.adapters.objects import MIB, ObjectInfo, ObjectStore
from aila_pipeline.adapters.s3_client import code_of, translated, translated_pages
from aila_pipeline.errors import ObjectMissing, SettingInvalid, StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")  # AWS allows less; older and other servers this much
_BODY_ATTEMPTS = 4


class S3Reads(ObjectStore):
    """Objects in `bucket` below `prefix`. Zero-byte keys that end in `/` (folders of S3 consoles) are no objects."""

    fetch_bytes: ClassVar[int] = 8 * MIB

    def __init__(self, client: S3Client, bucket: str, prefix: str = "") -> None:
        if not _BUCKET.fullmatch(bucket):
            raise SettingInvalid("s3://bucket/prefix has no valid bucket name")
        self._client = client
        self._bucket = bucket
        self._root = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._bucket_seen = False

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`."""
        return f"s3://{self._bucket}/{self._root}".rstrip("/")

    def _at(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._root + key}

    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        """See ObjectStore; 1,000 keys a request."""
        return islice(self._listed(prefix, after, min(1000, limit or 1000)), limit)

    def _listed(self, prefix: str, after: str, page_size: int) -> Iterator[ObjectInfo]:
        start: dict[str, Any] = {"StartAfter": self._root + after} if after else {}
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._root + prefix, PaginationConfig={"PageSize": page_size}, **start
        )
        for page in translated_pages(pages):
            for found in page.get("Contents", []):
                if found["Size"] or not found["Key"].endswith("/"):
                    yield self._info(found["Key"], found["Size"], found["ETag"], found["LastModified"])

    def folders(self, prefix: str) -> Sequence[str]:
        """See ObjectStore."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._root + prefix, Delimiter="/"
        )
        found = (common["Prefix"] for page in translated_pages(pages) for common in page.get("CommonPrefixes", []))
        return sorted((folder.removeprefix(self._root) for folder in found), key=str.encode)

    def _info(self, full_key: str, size_bytes: int, etag: str, modified: datetime, version: str = "") -> ObjectInfo:
        return ObjectInfo(
            key=full_key.removeprefix(self._root),
            size_bytes=size_bytes,
            etag=etag.strip('"'),
            # HEAD tells whole seconds, a listing of some servers more.
            modified=modified.astimezone(UTC).replace(microsecond=0),
            # "null" names whatever was written while versions were off, and so pins nothing.
            version_id=version if version and version != "null" else None,
        )

    def stat(self, key: str) -> ObjectInfo:
        """See ObjectStore."""
        return self._stat(key)

    def _stat(self, key: str, pinned: ObjectInfo | None = None) -> ObjectInfo:
        version: dict[str, Any] = {"VersionId": pinned.version_id} if pinned and pinned.version_id else {}
        try:
            with translated(key):
                head = self._client.head_object(**self._at(key), **version)
        except ObjectMissing:
            self._check_bucket()
            raise
        self._bucket_seen = True
        return self._info(
            self._root + key, head["ContentLength"], head["ETag"], head["LastModified"], head.get("VersionId", "")
        )

    def _check_bucket(self) -> None:
        """A HEAD answers 404 for a missing bucket as for a missing object, and tells no code."""
        if not self._bucket_seen:
            try:
                with translated(""):
                    self._client.head_bucket(Bucket=self._bucket)
            except ObjectMissing:
                raise StoreUnavailable("NoSuchBucket") from None
            self._bucket_seen = True

    def read(self, key: str) -> bytes:
        """See ObjectStore."""
        return self._get(key, {})

    def read_range(self, key: str, start: int, length: int, *, pinned: ObjectInfo | None = None) -> bytes:
        """See ObjectStore."""
        if pinned is not None:
            length = min(length, pinned.size_bytes - start)
        if length <= 0:
            return b""
        wanted: dict[str, Any] = {"Range": f"bytes={start}-{start + length - 1}"}
        if pinned is not None:
            wanted["IfMatch"] = f'"{pinned.etag}"'
            if pinned.version_id:
                wanted["VersionId"] = pinned.version_id
        return self._get(key, wanted)

    def _get(self, key: str, wanted: dict[str, Any]) -> bytes:
        """One GET with its body. boto3 retries the request, but not a body whose connection breaks half-way."""
        with translated(key):
            for attempt in range(1, _BODY_ATTEMPTS + 1):
                try:
                    answer = self._client.get_object(**self._at(key), **wanted)
                except ClientError as error:
                    if code_of(error) == "InvalidRange":
                        return b""
                    raise
                try:
                    with closing(answer["Body"]) as body:
                        return body.read()
                except BotoCoreError:
                    if attempt == _BODY_ATTEMPTS:
                        raise
                    time.sleep(0.2 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        """See ObjectStore; a temporary copy."""
        with tempfile.NamedTemporaryFile(prefix="aila-") as file:
            for block in self.stream(key):
                file.write(block)
            file.flush()
            yield Path(file.name)
