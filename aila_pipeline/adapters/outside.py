"""Outside: audio that lies at a URL instead of in a batch's archive.

Lives here: which place a URL means, streaming from it, and looking whether something is there. Does not: http and https
themselves (fetch.py), or the rule by which a tenant may read from a bucket (domain/intake/sources.py).

`s3://<our own bucket>/recordings/<country>/<firm>/…` may always be read by that tenant; with a directory as store its
"bucket" is called `aila`. Every other bucket must be on the tenant's list; the public internet is open to all of them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aila_pipeline.adapters.call_objects import OWN
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.domain.intake.sources import allowed, is_web_url, s3_url
from aila_pipeline.errors import (
    AilaError,
    AudioTooLarge,
    CallError,
    KeyInvalid,
    ObjectChanged,
    ObjectMissing,
    SourceNotAllowed,
    SourceNotFound,
    SourceUnavailable,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from aila_pipeline.adapters.fetch import Fetcher

DIRECTORY_BUCKET = "aila"
RECORDINGS = "recordings/"
PROBES_AT_ONCE = 16

Question = Callable[[float, threading.Event], CallError | None]
"""Seconds that are left, and what tells that nobody waits any more, to a definite refusal or None."""


class Outside:
    """Opens audio URLs for tenants; any number of threads may use it."""

    def __init__(self, store: ObjectStore, s3_client: Callable[[], S3Client], fetcher: Fetcher) -> None:
        """`s3_client` is asked for a client when a bucket other than our own is read."""
        self._store, self._s3_client, self._fetcher = store, s3_client, fetcher

    def blocks(
        self, url: str, tenant: Tenant, *, max_bytes: int, stopped: threading.Event | None = None
    ) -> Generator[bytes, None, None]:
        """The bytes at the URL, in blocks.

        Raises SourceNotAllowed, SourceNotFound, SourceForbidden, AudioTooLarge, SourceUnavailable or DownloadTimeout.
        `stopped` ends it from another thread, as SourceUnavailable.
        """
        if is_web_url(url):
            yield from self._fetcher.blocks(url, max_bytes=max_bytes, stopped=stopped)
            return
        try:
            store, key = self._object(url, tenant)
            info = store.stat(key)
            if info.size_bytes > max_bytes:
                raise AudioTooLarge(f"{info.size_bytes} bytes, the limit is {max_bytes}")
            for block in store.stream(key, pinned=info):
                if stopped is not None and stopped.is_set():
                    raise SourceUnavailable("the download was given up")
                yield block
        except (ObjectMissing, KeyInvalid) as error:
            raise SourceNotFound() from error
        except ObjectChanged as error:
            raise SourceUnavailable("it was overwritten while it was read") from error
        except StoreUnavailable as error:
            raise SourceUnavailable(error.detail) from error

    def probe(self, urls: Mapping[int, str], tenant: Tenant, *, seconds: float) -> dict[int, CallError]:
        """Which of the URLs are certain to fail, by their numbers; what is not certain is left to the download.

        Takes at most about `seconds`, whatever the hosts do; 0 asks nobody and tells the policy's refusals alone.
        """
        refused: dict[int, CallError] = {}
        questions: dict[int, Question] = {}
        for number, url in urls.items():
            try:
                questions[number] = self._question(url, tenant)
            except SourceNotAllowed as refusal:
                refused[number] = refusal
        return refused | _definite(questions, seconds) if seconds > 0 else refused

    def _question(self, url: str, tenant: Tenant) -> Question:
        """Whether something lies there; SourceNotAllowed if that need not be asked."""
        if is_web_url(url):
            self._fetcher.check(url)
            return lambda seconds, stopped: self._fetcher.probe(url, seconds=seconds, stopped=stopped)
        self._place(url, tenant)

        def look(_seconds: float, _stopped: threading.Event) -> CallError | None:
            try:
                store, key = self._object(url, tenant)
                store.stat(key)
            except (ObjectMissing, KeyInvalid):
                return SourceNotFound()
            except AilaError:
                return None  # the store may answer later
            return None

        return look

    def _place(self, url: str, tenant: Tenant) -> tuple[str | None, str]:
        """Bucket and key of an `s3://` URL, the bucket None if it is our own; or SourceNotAllowed."""
        own, own_place = self._own(tenant)
        place = s3_url(url)
        if place is None or not allowed(url, (own_place, *tenant.settings.allowed_sources)):
            raise SourceNotAllowed()
        if place.bucket != own or not place.key.startswith(self._own_prefix):
            return place.bucket, place.key
        key = place.key.removeprefix(self._own_prefix)
        if key.startswith(OWN):
            # What was kept for all tenants lies there; no list may open it.
            raise SourceNotAllowed()
        return None, key

    def _object(self, url: str, tenant: Tenant) -> tuple[ObjectStore, str]:
        bucket, key = self._place(url, tenant)
        return (open_store(f"s3://{bucket}", s3_client=self._s3_client()) if bucket else self._store), key

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


def _definite(questions: Mapping[int, Question], seconds: float) -> dict[int, CallError]:
    """The refusals that come within so many seconds. Threads that are late are told so, and not waited for."""
    ends, stopped = time.monotonic() + seconds, threading.Event()
    left = deque(questions.items())
    answers: SimpleQueue[tuple[int, CallError | None]] = SimpleQueue()

    def ask() -> None:
        while not stopped.is_set():
            try:
                number, question = left.popleft()
            except IndexError:
                return
            answers.put((number, question(ends - time.monotonic(), stopped)))

    for _ in range(min(PROBES_AT_ONCE, len(questions))):
        threading.Thread(target=ask, name="probe", daemon=True).start()
    found: dict[int, CallError] = {}
    try:
        for _ in questions:
            number, error = answers.get(timeout=max(0.0, ends - time.monotonic()))
            if error is not None:
                found[number] = error
    except Empty:
        pass
    finally:
        stopped.set()
    return found
