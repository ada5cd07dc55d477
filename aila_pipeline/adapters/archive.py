"""An archive's entries, streamed one at a time by ranged reads.

Lives here: unpacking one entry within a budget, and a local file as a range reader. Does not: the directory
(archive_directory.py), or any writing of files: an entry's name is only ever compared, never used as a path.

How a bomb is held off, from the outside in: the directory is checked for overlap, count and total before anything is
unpacked; `ArchiveEntry.refusal` condemns impossible claims; here an entry gives at most the bytes that it declared,
which are at most the caller's budget, whatever its data would unpack to. Memory is bounded by `BLOCK_BYTES`.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from aila_pipeline.adapters.archive_directory import LOCAL_HEADER_BYTES, RangeReader, read_directory
from aila_pipeline.domain.intake.join import READABLE, ArchiveEntry, Method
from aila_pipeline.errors import EntryBomb, EntryCorrupt, EntryEncrypted, EntryUnsupported

__all__ = ["BLOCK_BYTES", "FileRange", "RangeReader", "open_entry", "read_directory"]

BLOCK_BYTES = 1024 * 1024
"""Bytes of one read, and the most that one step of unpacking gives."""

_LOCAL = struct.Struct("<4s5H3L2H")  # APPNOTE 4.3.7
_LOCAL_MARK = b"PK\3\4"
_ENCRYPTED_FLAG, _DESCRIPTOR_FLAG = 0x1, 0x8
_FULL32 = 0xFFFFFFFF


class FileRange:
    """A local file as a range reader; a context manager."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.size_bytes = os.fstat(self._file.fileno()).st_size

    def read_at(self, start: int, length: int) -> bytes:
        """The bytes there; safe to use from several threads."""
        return os.pread(self._file.fileno(), length, start)

    def __enter__(self) -> FileRange:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def open_entry(reader: RangeReader, entry: ArchiveEntry, *, budget_bytes: int) -> Iterator[bytes]:
    """The entry's bytes in blocks; at most `budget_bytes`.

    Only when the iterator has ended are the bytes known to be whole: size and CRC-32 are checked last. Raises
    `EntryEncrypted`, `EntryUnsupported`, `EntryBomb` (it declares more than the budget) and `EntryCorrupt` (its data
    or its local header do not match the directory). `entry` must come from `read_directory` on the same file.
    """
    if entry.encrypted or entry.method == Method.AES:
        raise EntryEncrypted
    if entry.method not in READABLE or entry.link or entry.directory:
        raise EntryUnsupported
    if entry.size_bytes > budget_bytes:
        raise EntryBomb(f"it declares {entry.size_bytes} bytes, the budget is {budget_bytes}")
    packed = _packed(reader, entry)
    blocks = packed if entry.method == Method.STORED else _inflated(packed, entry.size_bytes)
    return _checked(blocks, entry)


def _packed(reader: RangeReader, entry: ArchiveEntry) -> Iterator[bytes]:
    """The entry's bytes as they stand in the archive; a short recording takes a single read, header included."""
    first = reader.read_at(entry.header_offset, min(BLOCK_BYTES, entry.end_bound - entry.header_offset))
    data_offset = _data_offset(first, entry)
    start, left = entry.header_offset + data_offset, entry.compressed_bytes
    if start + left > entry.end_bound:
        raise EntryCorrupt("its data reach into the next entry")
    block = first[data_offset : data_offset + left]
    while True:
        yield block
        start, left = start + len(block), left - len(block)
        if left == 0:
            return
        block = reader.read_at(start, min(BLOCK_BYTES, left))
        if not block:
            raise EntryCorrupt("the archive ended inside it")


def _data_offset(header: bytes, entry: ArchiveEntry) -> int:
    """Length of the local header, after it was held against the directory."""
    if len(header) < LOCAL_HEADER_BYTES:
        raise EntryCorrupt("its local header is cut off")
    mark, _, flags, method, _, _, crc32, compressed, size, name_bytes, extra_bytes = _LOCAL.unpack_from(header)
    if mark != _LOCAL_MARK:
        raise EntryCorrupt("there is no local header where the directory says")
    name = header[LOCAL_HEADER_BYTES : LOCAL_HEADER_BYTES + name_bytes]
    if flags & _ENCRYPTED_FLAG or method != entry.method or name != entry.raw_name:
        raise EntryCorrupt("its local header says other things than the directory")
    # With a data descriptor the local header may leave all three at 0; with ZIP64 the sizes are full.
    descriptor = bool(flags & _DESCRIPTOR_FLAG)
    told = ((crc32, entry.crc32), (compressed, entry.compressed_bytes), (size, entry.size_bytes))
    for here, there in told:
        if here not in (there, _FULL32) and not (descriptor and here == 0):
            raise EntryCorrupt("its local header says other things than the directory")
    return LOCAL_HEADER_BYTES + int(name_bytes) + int(extra_bytes)


def _inflated(packed: Iterator[bytes], size_bytes: int) -> Iterator[bytes]:
    """The deflated data unpacked, one byte beyond `size_bytes` at most: enough to know that the size is a lie."""
    inflater, left = zlib.decompressobj(-zlib.MAX_WBITS), size_bytes + 1
    for block in packed:
        waiting, more = block, True
        while more:
            room = min(BLOCK_BYTES, left)
            try:
                plain = inflater.decompress(waiting, room)
            except zlib.error:
                raise EntryCorrupt("its compressed data are damaged") from None
            yield plain
            left -= len(plain)
            if left == 0:
                return
            # A full output may leave bytes inside zlib although all the input was taken.
            waiting = inflater.unconsumed_tail
            more = bool(waiting) or len(plain) == room
        if inflater.unused_data:
            raise EntryCorrupt("bytes follow its compressed data")
    if not inflater.eof:
        raise EntryCorrupt("its compressed data are cut off")


def _checked(blocks: Iterator[bytes], entry: ArchiveEntry) -> Iterator[bytes]:
    """The blocks, up to the declared size; the size and the CRC at the end."""
    size, crc32 = 0, 0
    for block in blocks:
        size, crc32 = size + len(block), zlib.crc32(block, crc32)
        if size > entry.size_bytes:
            raise EntryCorrupt("it unpacks to more bytes than the archive says")
        if block:
            yield block
    if size != entry.size_bytes:
        raise EntryCorrupt("it unpacks to fewer bytes than the archive says")
    if crc32 != entry.crc32:
        raise EntryCorrupt("its checksum does not fit")
