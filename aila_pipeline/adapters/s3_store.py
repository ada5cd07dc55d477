"""The object store on S3: any server that speaks it, through boto3.

Lives here: what changes the bucket. Does not: reading (s3_reads.py), the client and its errors (s3_client.py), uploads
in parts (s3_multipart.py), buckets, their rules and life cycles (their owner's).

Pinning is by VersionId where the bucket keeps versions, and always by ETag too. Not every server keeps every promise;
seen with Ceph radosgw 16.2: If-Match on GET, HEAD and PUT and If-None-Match on PUT hold, also in a race of 8 writers;
the conditions of copies and of DELETE are ignored in silence, so those look at the object themselves as well.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aila_pipeline.adapters.objects import MIB, ObjectInfo, check_key
from aila_pipeline.adapters.s3_client import WriteConflict, translated
from aila_pipeline.adapters.s3_multipart import Multipart, regrouped
from aila_pipeline.adapters.s3_reads import S3Reads
from aila_pipeline.errors import ObjectChanged, ObjectMissing, SettingInvalid, StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

_CONFLICT_PAUSES = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
_WRITER = "aila-writer"
# radosgw 16.2 decodes the source of a part twice and cuts it at a question mark: `100%.zip` ends the whole server,
# and `a%20b` would be a copy of `a b`.
_MISREAD = re.compile("[%?]")
_PART_BYTES = 8 * MIB
_COPY_PART_BYTES = 256 * MIB  # the server copies a part within one request, and so within the read timeout


class S3Store(S3Reads):
    """Objects in `bucket` below `prefix`, read and written.

    `part_bytes` is what a streamed write holds in memory: 5 MiB at least, and 10,000 of them are the largest object
    (80 GB by default). `copy_part_bytes` is what the server copies at a time.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str = "",
        *,
        part_bytes: int = _PART_BYTES,
        copy_part_bytes: int = _COPY_PART_BYTES,
    ) -> None:
        super().__init__(client, bucket, prefix)
        self._part_bytes = part_bytes
        self._copy_part_bytes = copy_part_bytes

    def write(self, key: str, data: bytes, *, content_type: str | None = None) -> None:
        """See ObjectStore."""
        self._put(key, data, **({"ContentType": content_type} if content_type else {}))

    def _put(self, key: str, data: bytes, **options: Any) -> str:
        check_key(key, prefix=self._root)
        with translated(key):
            return self._client.put_object(**self._at(key), Body=data, **options)["ETag"]

    def write_stream(self, key: str, blocks: Iterable[bytes]) -> ObjectInfo:
        """See ObjectStore; in parts, unless all fits into one."""
        check_key(key, prefix=self._root)
        parts = regrouped(blocks, self._part_bytes)
        first = next(parts, b"")
        if len(first) < self._part_bytes:
            return self._written(key, self._put(key, first))
        with translated(key), Multipart(self._client, self._bucket, self._root + key) as upload:
            upload.send(first)
            for part in parts:
                upload.send(part)
            etag = upload.complete()
        return self._written(key, etag)

    def _written(self, key: str, etag: str) -> ObjectInfo:
        """What was just written; ObjectChanged if somebody has replaced it already.

        radosgw 16.2 tells no ETag when an upload in parts is complete: then whatever lies there is taken for it.
        """
        info = self._stat(key)
        if etag and info.etag != etag.strip('"'):
            raise ObjectChanged(key)
        return info

    def write_if_absent(self, key: str, data: bytes) -> bool:
        """See ObjectStore. Rests on the server's If-None-Match; one that ignores it tells several writers True."""
        # Names this very write, so that it is known again when boto3's retry finds what the first try has written.
        writer = secrets.token_hex(8)
        check_key(key, prefix=self._root)
        for pause in _CONFLICT_PAUSES:
            time.sleep(pause)
            try:
                with translated(key):
                    self._client.put_object(**self._at(key), Body=data, IfNoneMatch="*", Metadata={_WRITER: writer})
            except WriteConflict:
                continue  # AWS: another writer is at it, and who wins is open
            except ObjectChanged:
                return self._writer_of(key) == writer
            return True
        raise StoreUnavailable("other writers of the same key were in the way again and again")

    def _writer_of(self, key: str) -> str | None:
        try:
            with translated(key):
                return self._client.head_object(**self._at(key))["Metadata"].get(_WRITER)
        except ObjectMissing:  # written by another, and deleted since
            return None

    def copy(self, source: ObjectInfo, key: str) -> ObjectInfo:
        """See ObjectStore. The server copies, in parts; the content type is not kept.

        The object is looked at before and after its parts are copied, and only then do they become an object: servers
        that ignore CopySourceIfMatch would copy whatever lies there now. A source that a server may misread the name
        of, and an empty one, which has no ranges, goes through this process.
        """
        check_key(key, prefix=self._root)
        self._check_pinned(source)
        if source.size_bytes == 0 or _MISREAD.search(self._root + source.key):
            return self.write_stream(key, self.stream(source.key, pinned=source))
        origin: CopySourceTypeDef = {"Bucket": self._bucket, "Key": self._root + source.key}
        if source.version_id:
            origin["VersionId"] = source.version_id
        step = self._copy_part_bytes
        with translated(source.key), Multipart(self._client, self._bucket, self._root + key) as upload:
            for start in range(0, source.size_bytes, step):
                upload.send_copy(origin, source.etag, start, min(step, source.size_bytes - start))
            self._check_pinned(source)
            etag = upload.complete()
        return self._written(key, etag)

    def _check_pinned(self, pinned: ObjectInfo) -> None:
        if self._stat(pinned.key, pinned).etag != pinned.etag:
            raise ObjectChanged(pinned.key)

    def delete(self, key: str, *, pinned: ObjectInfo | None = None) -> bool:
        """See ObjectStore. In a bucket with versions the object is hidden, not lost.

        On a server that ignores If-Match here, a pinned object can still be replaced in the milliseconds between the
        look at it and its removal.
        """
        try:
            now = self._stat(key)
            if pinned is not None and (now.etag, now.version_id) != (pinned.etag, pinned.version_id or now.version_id):
                return False
            condition: dict[str, Any] = {"IfMatch": f'"{pinned.etag}"'} if pinned is not None else {}
            with translated(key):
                self._client.delete_object(**self._at(key), **condition)
        except (ObjectMissing, ObjectChanged):
            return False
        return True

    def presign_put(self, key: str, *, content_type: str, expires_seconds: int) -> str:
        """See UploadSigner; SigV4, a week at most. The content type is part of what is signed."""
        check_key(key, prefix=self._root)
        with translated(key):
            url = self._client.generate_presigned_url(
                "put_object", Params={**self._at(key), "ContentType": content_type}, ExpiresIn=expires_seconds
            )
        if "X-Amz-Signature=" not in url:
            raise SettingInvalid("this S3 client signs with version 2; make it with client_from_environment")
        return url
