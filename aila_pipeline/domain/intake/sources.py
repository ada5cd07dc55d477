"""Audio URLs: which are well formed, and which a tenant may have read.

Lives here: rules about the text of a URL. Does not: fetching, or whether anything lies there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from aila_pipeline.domain.intake.fields import printable

MAX_KEY_BYTES = 1024
"""Amazon S3's limit; other stores have taken it over."""

_S3 = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{1,62})/(.*)", re.IGNORECASE | re.DOTALL)
_PLACE = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{1,62})(?:/(.*))?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class S3Url:
    """An object in a bucket; the key is literal, nothing in it is percent-decoded."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def s3_url(url: str) -> S3Url | None:
    """The object that an `s3://bucket/key` URL names, or None if it names none.

    Keys with `.` or `..` between slashes are legal in S3, but clients and directories read them as another place.
    """
    match = _S3.fullmatch(url)
    if not match or not printable(url):
        return None
    bucket, key = match[1], match[2]
    parts = key.split("/")
    if not key or key.endswith("/") or len(key.encode()) > MAX_KEY_BYTES or {".", ".."} & set(parts):
        return None
    return S3Url(bucket, key)


def is_web_url(url: str) -> bool:
    """Whether it is an http or https URL."""
    return url.lower().startswith(("http://", "https://"))


def allowed(url: str, allowed_sources: Iterable[str]) -> bool:
    """Whether `url` lies in one of the `s3://bucket/prefix` places.

    A place ends at a slash, written or not.

    >>> allowed("s3://calls/2026/a.wav", ["s3://calls/2026"])
    True
    >>> allowed("s3://calls/2026-private/a.wav", ["s3://calls/2026"])
    False
    """
    wanted = s3_url(url)
    if wanted is None:
        return False
    return any(_within(wanted, place) for place in allowed_sources)


def _within(wanted: S3Url, place: str) -> bool:
    """Whether the object lies at or below the place."""
    match = _PLACE.fullmatch(place)
    if not match or match[1] != wanted.bucket:
        return False
    prefix = (match[2] or "").rstrip("/")
    return not prefix or wanted.key == prefix or wanted.key.startswith(prefix + "/")
