"""Outside: audio that lies at a URL instead of in a batch's archive.

Lives here: which place an `s3://` URL means, and streaming from it. Does not: http and https, or the rule by which a
tenant may read from a place (domain/intake/sources.py).

`s3://<our own bucket>/recordings/<country>/<firm>/…` may always be read by that tenant; with a directory as store its
"bucket" is called `aila`. Every other place must be on the tenant's list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aila_pipeline.adapters.call_objects import OWN
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.domain.intake.sources import allowed, s3_url
from aila_pipeline.errors import (
    AudioTooLarge,
    ObjectChanged,
    ObjectMissing,
    SourceNotAllowed,
    SourceNotFound,
    SourceUnavailable,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DIRECTORY_BUCKET = "aila"
RECORDINGS = "recordings/"


class Outside:
    """Opens audio URLs for tenants."""

    def __init__(self, store: ObjectStore, s3_client: Callable[[], S3Client]) -> None:
        self._store, self._s3_client = store, s3_client

    def blocks(self, url: str, tenant: Tenant, *, max_bytes: int) -> Iterator[bytes]:
        """The bytes at the URL, in blocks.

        Raises SourceNotAllowed, SourceNotFound, AudioTooLarge, or SourceUnavailable when the place does not answer.
        """
        own, own_place = self._own(tenant)
        place = s3_url(url)
        if place is None or not allowed(url, (own_place, *tenant.settings.allowed_sources)):
            raise SourceNotAllowed()
        inside = place.bucket == own and place.key.startswith(self._own_prefix)
        if inside and place.key.removeprefix(self._own_prefix).startswith(OWN):
            # What was kept for all tenants lies there; no list may open it.
            raise SourceNotAllowed()
        try:
            if inside:
                store, key = self._store, place.key.removeprefix(self._own_prefix)
            else:
                store, key = open_store(f"s3://{place.bucket}", s3_client=self._s3_client()), place.key
            info = store.stat(key)
            if info.size_bytes > max_bytes:
                raise AudioTooLarge(f"{info.size_bytes} bytes, the limit is {max_bytes}")
            yield from store.stream(key, pinned=info)
        except ObjectMissing as error:
            raise SourceNotFound() from error
        except ObjectChanged as error:
            raise SourceUnavailable("it was overwritten while it was read") from error
        except StoreUnavailable as error:
            raise SourceUnavailable(error.detail) from error

    @property
    def _own_prefix(self) -> str:
        parts = urlsplit(self._store.url)
        prefix = parts.path.strip("/") if parts.scheme == "s3" else ""
        return prefix + "/" if prefix else ""

    def _own(self, tenant: Tenant) -> tuple[str, str]:
        """The name of our own bucket, and the place in it that belongs to the tenant."""
        parts = urlsplit(self._store.url)
        bucket = parts.netloc if parts.scheme == "s3" else DIRECTORY_BUCKET
        return bucket, f"s3://{bucket}/{self._own_prefix}{RECORDINGS}{tenant.country}/{tenant.firm}/"
