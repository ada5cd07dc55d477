"""Files of the directory store: keys as path parts, whole reads and writes, and what the system's errors mean.

Lives here: what concerns one file or one error. Does not: the store (directory_store.py).
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from aila_pipeline.adapters.objects import ObjectInfo
from aila_pipeline.errors import KeyInvalid, ObjectMissing, StoreUnavailable

MAX_NAME_BYTES = 255
"""NAME_MAX of the file systems of Linux and macOS."""

TEMPORARY = ".aila-writing-"
"""How the names of files begin that are being written."""

_ABANDONED_SECONDS = 24 * 3600  # a temporary file this old belongs to a writer that was killed
# What the system answers for a path that cannot be: a file or a link where a folder should be, a name too long.
_NO_SUCH_PATH = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR})
_CANNOT_LIE_THERE = _NO_SUCH_PATH - {errno.ENOENT}


_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def is_path(key: str) -> bool:
    """Whether the key's parts can be names of files: no empty one, no `.` or `..`, none too long, no NUL.

    >>> is_path("inbox/kz/acme/jan 13.csv"), is_path("a/../b"), is_path("/etc/passwd")
    (True, False, False)
    """
    try:
        return "\0" not in key and all(
            part not in ("", ".", "..") and len(part.encode()) <= MAX_NAME_BYTES for part in key.split("/")
        )
    except UnicodeEncodeError:
        return False


def parts_of(key: str) -> list[str]:
    """The key as names of folders and a file; KeyInvalid when they cannot be such."""
    if not is_path(key):
        raise KeyInvalid(f"a part of it is empty, `.`, `..`, no Unicode text or longer than {MAX_NAME_BYTES} bytes")
    return key.split("/")


@contextmanager
def folder_at(root: Path, parts: Sequence[str], *, create: bool = False) -> Iterator[int]:
    """The folder `parts` below `root`, open; with `create`, made when missing. Raises OSError.

    A root that is gone is StoreUnavailable, so that a disk not mounted is not taken for a store without objects.
    Opened one by one, each relative to the last, so that no folder can be swapped for a link on the way.
    """
    try:
        descriptor = os.open(root, _FOLDER)
    except OSError as error:
        raise StoreUnavailable(f"{root} cannot be opened ({error.strerror})") from error
    try:
        for part in parts:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
                    os.fsync(descriptor)
            inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def info_of(key: str, status: os.stat_result) -> ObjectInfo:
    """What the file system tells about a file.

    `modified` is the later of mtime and ctime: a file copied in with its old time preserved is new all the same.
    The etag holds mtime alone, because ctime changes with permissions and links too.
    """
    return ObjectInfo(
        key=key,
        size_bytes=status.st_size,
        etag=f"{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ino:x}",
        modified=datetime.fromtimestamp(max(status.st_mtime, status.st_ctime), UTC),
    )


def read_at(descriptor: int, start: int, length: int) -> bytes:
    """`length` bytes from `start`, fewer only where the file ends; the kernel gives 2 GiB at most at a time."""
    blocks = []
    while length > 0 and (block := os.pread(descriptor, length, start)):
        blocks.append(block)
        start += len(block)
        length -= len(block)
    return b"".join(blocks)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of `data`, as `os.write` may write less."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def translated(key: str, *, writing: bool = False) -> Iterator[None]:
    """The system's errors as ours: ObjectMissing when reading, KeyInvalid when writing where no file can lie."""
    try:
        yield
    except OSError as error:
        if not writing and error.errno in _NO_SUCH_PATH:
            raise ObjectMissing(key) from None
        if writing and error.errno in _CANNOT_LIE_THERE:
            raise KeyInvalid("there is a folder of its name, or a file or link where its folder would be") from None
        name = errno.errorcode.get(error.errno or 0, "?")
        raise StoreUnavailable(f"{name} in the directory ({os.strerror(error.errno or 0)})") from error


def remove_if_abandoned(entry: os.DirEntry[str], folder: int) -> None:
    """Takes away the temporary file of a writer that was killed; whoever lists the folder comes by to do so."""
    with suppress(FileNotFoundError):
        if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED_SECONDS:
            os.unlink(entry.name, dir_fd=folder)
