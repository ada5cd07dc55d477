"""Stores: an object store opened from its URL.

Lives here: which of the two it is. Does not: what a store can do (objects.py), how it does it (directory_store.py,
s3_store.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.errors import SettingInvalid

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def open_store(url: str, s3_client: S3Client | None = None) -> ObjectStore:
    """The store at `file:///directory` or `s3://bucket/prefix`; SettingInvalid for anything else.

    What follows `file://` is taken as it is, without `%` escapes. Without `s3_client` one is made from the
    environment (`AWS_*`). The stores are imported here because boto3 takes a second to load.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "file" and rest.startswith("/"):
        from aila_pipeline.adapters.directory_store import DirectoryStore  # noqa: PLC0415 - see above

        return DirectoryStore(Path(rest))
    if separator and scheme == "s3":
        from aila_pipeline.adapters.s3_client import client_from_environment  # noqa: PLC0415
        from aila_pipeline.adapters.s3_store import S3Store  # noqa: PLC0415

        bucket, _, prefix = rest.partition("/")
        return S3Store(s3_client or client_from_environment(), bucket, prefix)
    # Not repeated in the message: someone may have written a key and a secret into it.
    raise SettingInvalid("the object store is neither file:///directory nor s3://bucket/prefix")
