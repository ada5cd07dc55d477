"""Objects: what every object store of the project can do.

Lives here: the contract (`ObjectStore`), what is told about an object (`ObjectInfo`), buffered reading by ranges.
Does not: the two stores (directory_store.py, s3_store.py), opening one (stores.py), and which key means what.

A key is a relative path with `/`, in any script. What a reader pinned is what it reads: an object that was replaced
in between raises ObjectChanged, never a mixture of two.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from aila_pipeline.errors import KeyInvalid, ObjectMissing

MIB = 1024 * 1024
MAX_KEY_BYTES = 1024
"""S3's limit for a key in UTF-8, its prefix included; the directory keeps the same, so that objects can move house."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object as it was at one moment; handed back as `pinned` it means exactly those bytes.

    `etag` is opaque and unquoted, and differs when the bytes do. `modified` is UTC. `version_id` is set where the
    bucket keeps versions and the object was looked at by itself (a listing does not tell it).
    """

    key: str
    size_bytes: int
    etag: str
    modified: datetime
    version_id: str | None = None


class RangeReader:
    """Random access to one pinned object, reading ahead so that small reads in a row cost few requests.

    `size_bytes` is the object's size. Keeps one window of `ahead_bytes`; made for one thread at a time.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size_bytes: int, *, ahead_bytes: int = MIB) -> None:
        self.size_bytes = size_bytes
        self._fetch = fetch
        self._ahead_bytes = ahead_bytes
        self._window_start = 0
        self._window = b""

    def read_at(self, start: int, length: int) -> bytes:
        """The bytes from `start`; fewer than `length` only at the end of the object, none beyond it."""
        end = min(start + length, self.size_bytes)
        if start < 0 or end <= start:
            return b""
        offset = start - self._window_start
        held = self._window[offset : offset + end - start] if offset >= 0 else b""
        missing = end - start - len(held)
        if missing == 0:
            return held
        if missing >= self._ahead_bytes:
            return held + self._fetch(start + len(held), missing)
        self._window_start = start + len(held)
        self._window = self._fetch(
            self._window_start, min(max(missing, self._ahead_bytes), self.size_bytes - self._window_start)
        )
        return held + self._window[:missing]


class ObjectStore(ABC):
    """Where bytes lie under keys. All methods raise StoreUnavailable when the store fails to answer."""

    fetch_bytes: ClassVar[int] = MIB
    """How much `stream` asks for at a time."""

    @property
    @abstractmethod
    def url(self) -> str:
        """What `open_store` would open again; holds no secret."""

    @abstractmethod
    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        """Objects whose keys begin with `prefix` and come after `after`, in the order of their UTF-8 bytes.

        Pages are fetched as the iterator advances. What is written or deleted meanwhile may or may not appear.
        """

    @abstractmethod
    def folders(self, prefix: str) -> Sequence[str]:
        """The next level below `prefix`, as keys that end in `/`, in order; their content is not read.

        A folder may turn out to hold nothing.
        """

    @abstractmethod
    def stat(self, key: str) -> ObjectInfo:
        """The object as it is now; ObjectMissing when there is none."""

    @abstractmethod
    def read(self, key: str) -> bytes:
        """All of a small object; ObjectMissing when there is none."""

    @abstractmethod
    def read_range(self, key: str, start: int, length: int, *, pinned: ObjectInfo | None = None) -> bytes:
        """`length` bytes from `start`, fewer at the object's end. ObjectMissing; ObjectChanged if not the pinned."""

    @abstractmethod
    def write(self, key: str, data: bytes, *, content_type: str | None = None) -> None:
        """Puts the object in place at once, replacing what was there. KeyInvalid when no object can be called so."""

    @abstractmethod
    def write_stream(self, key: str, blocks: Iterable[bytes]) -> ObjectInfo:
        """Like `write`, in bounded memory; when `blocks` raises, nothing is changed and nothing is left behind."""

    @abstractmethod
    def write_if_absent(self, key: str, data: bytes) -> bool:
        """Writes unless there is an object of this key; tells whether it did. One of several writers is told True."""

    @abstractmethod
    def copy(self, source: ObjectInfo, key: str) -> ObjectInfo:
        """Copies exactly the pinned object. ObjectMissing, or ObjectChanged and nothing copied if it is another now."""

    @abstractmethod
    def delete(self, key: str, *, pinned: ObjectInfo | None = None) -> bool:
        """Removes the object, if pinned only while it is that one; tells whether there was something to remove."""

    @abstractmethod
    def local_path(self, key: str) -> AbstractContextManager[Path]:
        """A file with the object's bytes, to be read only, while the context lasts; ObjectMissing."""

    def exists(self, key: str) -> bool:
        """Whether there is an object of this key."""
        try:
            self.stat(key)
        except ObjectMissing:
            return False
        return True

    def reader(self, key: str, *, pinned: ObjectInfo | None = None) -> RangeReader:
        """Random access to the object (the pinned one, or as it is now). Its reads raise as `read_range` does."""
        pinned = pinned or self.stat(key)
        return RangeReader(partial(self.read_range, key, pinned=pinned), pinned.size_bytes)

    def stream(self, key: str, *, pinned: ObjectInfo | None = None, block_bytes: int = MIB) -> Iterator[bytes]:
        """The object from start to end in blocks of at most `block_bytes`; raises as `read_range` does.

        Fetched by ranges of a pinned object, so that a connection that breaks costs one range, not the whole.
        """
        pinned = pinned or self.stat(key)
        for start in range(0, pinned.size_bytes, self.fetch_bytes):
            fetched = self.read_range(key, start, self.fetch_bytes, pinned=pinned)
            for offset in range(0, len(fetched), block_bytes):
                yield fetched[offset : offset + block_bytes]


@runtime_checkable
class UploadSigner(Protocol):
    """A store to which others can upload by themselves, with a URL that we sign."""

    def presign_put(self, key: str, *, content_type: str, expires_seconds: int) -> str:
        """A URL that takes one PUT of this key with this content type, until it expires."""
        ...


def check_key(key: str, *, prefix: str = "") -> None:
    """Raises KeyInvalid unless the key, below `prefix`, has a length and characters that every store takes."""
    try:
        size_bytes = len((prefix + key).encode())
    except UnicodeEncodeError:
        raise KeyInvalid("it is not Unicode text") from None
    if not key or key.endswith("/"):
        raise KeyInvalid("it is empty or ends in a slash")
    if "\0" in key:
        raise KeyInvalid("it has a NUL")
    if size_bytes > MAX_KEY_BYTES:
        raise KeyInvalid(f"it has {size_bytes} bytes; {MAX_KEY_BYTES} is the limit")
