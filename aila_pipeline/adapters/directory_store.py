"""The object store as a directory: the embedded default, as SQLite is to PostgreSQL.

Lives here: objects as files below one root, atomic writes, pinning. Does not: single files and what goes wrong with
them (directory_files.py), and when a file that somebody copies into the drop zone is whole (the sensor decides that,
from `modified` and size).

Symbolic links below the root are no part of the store: they are neither listed nor followed, whoever made them.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path

from aila_pipeline.adapters.directory_files import (
    TEMPORARY,
    folder_at,
    info_of,
    is_path,
    parts_of,
    read_at,
    remove_if_abandoned,
    translated,
    write_all,
)
from aila_pipeline.adapters.objects import ObjectInfo, ObjectStore, check_key
from aila_pipeline.errors import ObjectChanged, ObjectMissing, StoreUnavailable

_log = logging.getLogger(__name__)

# Somebody may delete the last object of a folder, and with it the folder, between our making it and using it.
_PRUNING_RACES = 20
# O_NONBLOCK: opening a named pipe that somebody left in the drop zone must not hang.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class DirectoryStore(ObjectStore):
    """Objects as files below `root`, which is made when missing.

    An etag is the file's size, its time of modification in nanoseconds and its inode. Every write of this store makes
    a new inode. A program that overwrites a file in place and restores size and time to the nanosecond goes unseen.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))
        self._told: set[str] = set()
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self._root} cannot be made ({error.strerror})") from error

    @property
    def url(self) -> str:
        """`file://` and the root."""
        return f"file://{self._root}"

    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        """See ObjectStore; files that are no regular files, and those being written by a store, are left out."""
        return islice(self._walk(prefix, after), limit)

    def _walk(self, prefix: str, after: str) -> Iterator[ObjectInfo]:
        folder, slash, _ = prefix.rpartition("/")
        if not slash or is_path(folder):
            yield from self._walk_folder(folder + slash, prefix, after)

    def _walk_folder(self, folder: str, prefix: str, after: str) -> Iterator[ObjectInfo]:
        for name, is_folder in self._entries(folder):
            key = folder + name
            if not (key.startswith(prefix) or (is_folder and prefix.startswith(key))):
                continue
            if is_folder:
                # All keys below come before `after`, unless `after` is one of them.
                if after.startswith(key) or key.encode() > after.encode():
                    yield from self._walk_folder(key, prefix, after)
            elif key.encode() > after.encode():
                with suppress(ObjectMissing):  # deleted since the folder was read
                    yield self.stat(key)

    def _entries(self, folder: str) -> Sequence[tuple[str, bool]]:
        """Names in one folder, those of folders with a `/`, in the order of the keys they lead to."""
        found: list[tuple[str, bool]] = []
        # A folder that is gone has no entries.
        with (
            suppress(ObjectMissing),
            translated(folder),
            folder_at(self._root, folder.split("/")[:-1]) as descriptor,
            os.scandir(descriptor) as entries,
        ):
            for entry in entries:
                if entry.name.startswith(TEMPORARY):
                    remove_if_abandoned(entry, descriptor)
                elif entry.is_dir(follow_symlinks=False):
                    found.append((entry.name + "/", True))
                elif entry.is_file(follow_symlinks=False):
                    found.append((entry.name, False))
        return sorted((e for e in found if self._is_text(e[0], folder)), key=lambda entry: entry[0].encode())

    def _is_text(self, name: str, folder: str) -> bool:
        try:
            name.encode()
        except UnicodeEncodeError:
            if folder not in self._told:
                self._told.add(folder)
                _log.warning("a file name in folder %r is not UTF-8; the file is left alone, rename it", folder)
            return False
        return True

    def folders(self, prefix: str) -> Sequence[str]:
        """See ObjectStore; empty folders are told too."""
        folder, slash, _ = prefix.rpartition("/")
        if slash and not is_path(folder):
            return []
        folder += slash
        return [
            folder + name
            for name, is_folder in self._entries(folder)
            if is_folder and (folder + name).startswith(prefix)
        ]

    def stat(self, key: str) -> ObjectInfo:
        """See ObjectStore."""
        with self._opened(key) as (_, info):
            return info

    def read(self, key: str) -> bytes:
        """See ObjectStore."""
        with self._opened(key) as (descriptor, info), translated(key):
            return read_at(descriptor, 0, info.size_bytes)

    def read_range(self, key: str, start: int, length: int, *, pinned: ObjectInfo | None = None) -> bytes:
        """See ObjectStore; the file is looked at before and after, so what was overwritten meanwhile is noticed."""
        with self._opened(key, pinned) as (descriptor, info), translated(key):
            data = read_at(descriptor, start, min(length, info.size_bytes - start))
            if pinned is not None and info_of(key, os.fstat(descriptor)).etag != pinned.etag:
                raise ObjectChanged(key)
            return data

    def write(self, key: str, data: bytes, *, content_type: str | None = None) -> None:  # noqa: ARG002 - a file has none
        """See ObjectStore; on disk before it returns."""
        self.write_stream(key, [data])

    def write_stream(self, key: str, blocks: Iterable[bytes]) -> ObjectInfo:
        """See ObjectStore; on disk before it returns."""
        with self._written(key, blocks) as (folder, temporary, descriptor), translated(key, writing=True):
            os.rename(temporary, parts_of(key)[-1], src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
            return info_of(key, os.fstat(descriptor))

    def write_if_absent(self, key: str, data: bytes) -> bool:
        """See ObjectStore; `link` is what the file system does for exactly one of several."""
        with self._written(key, [data]) as (folder, temporary, _), translated(key, writing=True):
            try:
                os.link(temporary, parts_of(key)[-1], src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError:
                return False
            os.fsync(folder)
        return True

    def copy(self, source: ObjectInfo, key: str) -> ObjectInfo:
        """See ObjectStore; a true copy, since a hard link would change with its source."""
        return self.write_stream(key, self.stream(source.key, pinned=source))

    def delete(self, key: str, *, pinned: ObjectInfo | None = None) -> bool:
        """See ObjectStore; folders that become empty go too, but for those at the root.

        Between the look at a pinned object and its removal lie microseconds in which it could still be replaced.
        """
        parts = parts_of(key)
        try:
            with self._opened(key, pinned), translated(key), folder_at(self._root, parts[:-1]) as folder:
                os.unlink(parts[-1], dir_fd=folder)
        except (ObjectMissing, ObjectChanged):
            return False
        self._prune(parts[:-1])
        return True

    def _prune(self, parts: Sequence[str]) -> None:
        for depth in range(len(parts), 1, -1):
            try:
                with folder_at(self._root, parts[: depth - 1]) as parent:
                    os.rmdir(parts[depth - 1], dir_fd=parent)
            except OSError:  # not empty, or gone already: either way this is where pruning ends
                return

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        """See ObjectStore; the object's own file."""
        self.stat(key)
        yield self._root.joinpath(*parts_of(key))

    @contextmanager
    def _opened(self, key: str, pinned: ObjectInfo | None = None) -> Iterator[tuple[int, ObjectInfo]]:
        parts = parts_of(key)
        with translated(key), folder_at(self._root, parts[:-1]) as folder:
            descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ObjectMissing(key)
            info = info_of(key, status)
            if pinned is not None and info.etag != pinned.etag:
                raise ObjectChanged(key)
            yield descriptor, info
        finally:
            os.close(descriptor)

    @contextmanager
    def _written(self, key: str, blocks: Iterable[bytes]) -> Iterator[tuple[int, str, int]]:
        """The blocks, on disk in a temporary file beside the key's place: (folder, its name in it, the file)."""
        check_key(key)
        parts = parts_of(key)
        temporary = TEMPORARY + secrets.token_hex(8)
        try:
            with self._new_file(parts, temporary) as (folder, descriptor):
                try:
                    for block in blocks:  # an error of the source is the caller's, not the store's
                        with translated(key, writing=True):
                            write_all(descriptor, block)
                    with translated(key, writing=True):
                        os.fsync(descriptor)
                    yield folder, temporary, descriptor
                finally:
                    with suppress(FileNotFoundError):
                        os.unlink(temporary, dir_fd=folder)
        except BaseException:
            self._prune(parts[:-1])
            raise

    @contextmanager
    def _new_file(self, parts: Sequence[str], name: str) -> Iterator[tuple[int, int]]:
        """A new file in the folder of `parts`, which is made when missing: (folder, file)."""
        with ExitStack() as opened:
            with translated("/".join(parts), writing=True):
                for race in range(_PRUNING_RACES):
                    try:
                        folder = opened.enter_context(folder_at(self._root, parts[:-1], create=True))
                        descriptor = os.open(name, _NEW_FILE, 0o666, dir_fd=folder)
                    except FileNotFoundError:
                        if race + 1 == _PRUNING_RACES:
                            raise
                    else:
                        break
            opened.callback(os.close, descriptor)
            yield folder, descriptor
