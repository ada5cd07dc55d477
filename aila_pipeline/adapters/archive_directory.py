"""The directory of a ZIP archive, read by ranges and distrusted: what is in the archive, before anything is unpacked.

Lives here: finding the end record, ZIP64, parsing the directory, and the checks that condemn a whole archive. Does
not: unpacking an entry (archive.py), or judging whether one entry can be a recording (domain/intake/join.py).

Section numbers are those of PKWARE's APPNOTE.TXT 6.3. The standard library's zipfile is not used: it trusts sizes,
offsets and counts, and unpacks entries that overlap (the "better zip bomb" of Fifield, 2019).
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from aila_pipeline.domain.intake.join import ArchiveEntry
from aila_pipeline.errors import ArchiveBomb, ArchiveCorrupt


class RangeReader(Protocol):
    """A file that is read in pieces, like an object of a store by ranged requests."""

    @property
    def size_bytes(self) -> int:
        """Size of the whole file."""
        ...

    def read_at(self, start: int, length: int) -> bytes:
        """The `length` bytes at `start`; fewer only beyond the end of the file."""
        ...


_END = struct.Struct("<4s4H2LH")  # 4.3.16
_END64_LOCATOR = struct.Struct("<4sLQL")  # 4.3.15
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_CENTRAL = struct.Struct("<4s4B4H3L5H2L")  # 4.3.12
LOCAL_HEADER_BYTES = 30  # 4.3.7
_END_MARK, _LOCATOR_MARK, _END64_MARK, _CENTRAL_MARK = b"PK\5\6", b"PK\6\7", b"PK\6\6", b"PK\1\2"
_SIGNATURE_MARK = b"PK\5\5"  # 4.3.13, may follow the last entry
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_TAIL_BYTES = _FULL16 + _END.size + _END64_LOCATOR.size + _END64.size
_ENTRY_ALLOWANCE_BYTES = 1024
"""A directory may take so much for each allowed entry: long names, extra fields and comments fit, padding does not."""
_ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000  # 4.4.4: encrypted, strongly encrypted, masked directory
_ZIP64_EXTRA, _UNICODE_PATH_EXTRA = 0x0001, 0x7075


@dataclass(frozen=True)
class _Place:
    """Where the directory lies, and how many bytes stand before the archive (a self-extractor's program, say)."""

    start: int
    size_bytes: int
    entries: int
    prefix_bytes: int


def read_directory(reader: RangeReader, *, max_entries: int, max_total_bytes: int) -> list[ArchiveEntry]:
    """All entries of the archive, folders and ignored ones too, in the order of the directory.

    Reads the last 64 KiB and the directory, nothing else. Raises `ArchiveCorrupt` for what is no whole ZIP, and
    `ArchiveBomb` for more than `max_entries`, for unpacked sizes that add up to more than `max_total_bytes`, and for
    entries that share bytes.
    """
    tail_start = max(0, reader.size_bytes - _TAIL_BYTES)
    tail = _read(reader, tail_start, reader.size_bytes - tail_start)
    place = _find_directory(reader, tail, tail_start)
    if place.entries > max_entries:
        raise ArchiveBomb(f"{place.entries} entries, the limit is {max_entries}")
    if place.size_bytes > _TAIL_BYTES + max_entries * _ENTRY_ALLOWANCE_BYTES:
        raise ArchiveBomb(f"a directory of {place.size_bytes} bytes for {place.entries} entries")
    if place.start >= tail_start:
        directory = tail[place.start - tail_start :][: place.size_bytes]
    else:
        directory = _read(reader, place.start, place.size_bytes)
    entries = list(_parse(directory, place, max_entries))
    total = sum(entry.size_bytes for entry in entries)
    if total > max_total_bytes:
        raise ArchiveBomb(f"the entries claim {total} bytes, the limit is {max_total_bytes}")
    return _bounded(entries, place.start)


def _read(reader: RangeReader, start: int, length: int) -> bytes:
    """Exactly these bytes."""
    data = reader.read_at(start, length)
    if len(data) != length:
        raise ArchiveCorrupt("it is shorter than it was when it was listed")
    return data


def _find_directory(reader: RangeReader, tail: bytes, tail_start: int) -> _Place:
    """Read the end record, and ZIP64's if there is one."""
    end = _find_end(tail)
    _, disk, first_disk, on_disk, count, size, offset, _ = _END.unpack_from(tail, end)
    records_end = tail_start + end
    locator = end - _END64_LOCATOR.size
    if locator >= 0 and tail.startswith(_LOCATOR_MARK, locator):
        _, _, end64_offset, disks = _END64_LOCATOR.unpack_from(tail, locator)
        if disks > 1:
            raise ArchiveCorrupt("it is one part of an archive in several parts")
        records_end, end64 = _end64(reader, tail, tail_start, locator, end64_offset)
        _, _, _, _, disk, first_disk, on_disk, count, size, offset = end64
    elif _FULL16 in (disk, first_disk) or _FULL32 in (size, offset):
        raise ArchiveCorrupt("its ZIP64 record is missing")
    if disk != 0 or first_disk != 0 or on_disk != count:
        raise ArchiveCorrupt("it is one part of an archive in several parts")
    prefix = records_end - size - offset
    if prefix < 0:
        raise ArchiveCorrupt("its directory lies outside the file")
    return _Place(start=offset + prefix, size_bytes=size, entries=count, prefix_bytes=prefix)


def _find_end(tail: bytes) -> int:
    """Position of the end record: the last one whose comment reaches exactly to the end of the file."""
    at = tail.rfind(_END_MARK)
    while at >= 0:
        if at + _END.size <= len(tail):
            comment_bytes = _END.unpack_from(tail, at)[-1]
            if at + _END.size + comment_bytes == len(tail):
                return at
        at = tail.rfind(_END_MARK, 0, at + len(_END_MARK) - 1)
    raise ArchiveCorrupt("it has no end record; the upload may have been cut off, or it is no ZIP at all")


def _end64(
    reader: RangeReader, tail: bytes, tail_start: int, locator: int, stated: int
) -> tuple[int, tuple[bytes | int, ...]]:
    """ZIP64's end record and where it starts: right before its locator, else (it may carry more data) as stated."""
    near = locator - _END64.size
    if near >= 0 and tail.startswith(_END64_MARK, near):
        return tail_start + near, _END64.unpack_from(tail, near)
    if stated + _END64.size <= tail_start + locator:
        data = _read(reader, stated, _END64.size)
        if data.startswith(_END64_MARK):
            return stated, _END64.unpack(data)
    raise ArchiveCorrupt("its ZIP64 record is missing")


def _parse(directory: bytes, place: _Place, max_entries: int) -> Iterator[ArchiveEntry]:
    """Each entry of the directory; the number of them must be the one that the end record states."""
    at, count = 0, 0
    while at < len(directory) and not directory.startswith(_SIGNATURE_MARK, at):
        if at + _CENTRAL.size > len(directory) or not directory.startswith(_CENTRAL_MARK, at):
            raise ArchiveCorrupt(f"entry {count + 1} of its directory is damaged")
        fields = _CENTRAL.unpack_from(directory, at)
        name_end = at + _CENTRAL.size + fields[12]
        extra_end = name_end + fields[13]
        next_at = extra_end + fields[14]
        if next_at > len(directory):
            raise ArchiveCorrupt(f"entry {count + 1} of its directory is cut off")
        count += 1
        if count > max_entries:
            raise ArchiveBomb(f"more than {max_entries} entries")
        raw_name, extra = directory[at + _CENTRAL.size : name_end], directory[name_end:extra_end]
        yield _entry(fields, raw_name, extra, place.prefix_bytes)
        at = next_at
    # Some programs write more than 65,535 entries without ZIP64, and the count modulo 65,536.
    if place.entries not in (count, count & _FULL16):
        raise ArchiveCorrupt(f"its directory has {count} entries, its end record says {place.entries}")


def _entry(fields: tuple[int, ...], raw_name: bytes, extra: bytes, prefix_bytes: int) -> ArchiveEntry:
    """One entry from its fixed fields, its name and its extra fields."""
    flags, method, crc32, compressed, size, disk = (fields[i] for i in (5, 6, 9, 10, 11, 15))
    attributes, offset = fields[17], fields[18]
    extras = dict(_extras(extra))
    wide = iter(_wide_fields(extras.get(_ZIP64_EXTRA, b"")))
    try:
        size = next(wide) if size == _FULL32 else size
        compressed = next(wide) if compressed == _FULL32 else compressed
        offset = next(wide) if offset == _FULL32 else offset
    except StopIteration:
        raise ArchiveCorrupt("an entry's ZIP64 sizes are missing") from None
    if disk not in (0, _FULL16):
        raise ArchiveCorrupt("it is one part of an archive in several parts")
    name, certain = _name(raw_name, extras)
    kind = stat.S_IFMT(attributes >> 16)
    return ArchiveEntry(
        name=name,
        size_bytes=size,
        compressed_bytes=compressed,
        crc32=crc32,
        method=method,
        encrypted=bool(flags & _ENCRYPTED_FLAGS),
        directory=name.endswith("/"),
        link=kind not in (0, stat.S_IFREG, stat.S_IFDIR),
        header_offset=offset + prefix_bytes,
        raw_name=raw_name,
        name_certain=certain,
    )


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """The extra fields (4.5.1); what is cut off at the end is padding that some programs write."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        yield kind, extra[at + 4 : at + 4 + length]
        at += 4 + length


def _wide_fields(field: bytes) -> Sequence[int]:
    """The 8-byte numbers of a ZIP64 extra field (4.5.3), in their order."""
    return struct.unpack_from(f"<{len(field) // 8}Q", field)


def _name(raw_name: bytes, extras: dict[int, bytes]) -> tuple[str, bool]:
    """The entry's name with `/` as separator, and whether the archive said how to read it.

    The Unicode path field (4.6.9) counts only while its CRC fits the plain name. The UTF-8 flag (4.4.4) is not asked:
    macOS and many Unix programs write UTF-8 without it, and text in CP437 is hardly ever valid UTF-8, so what decodes
    is taken for it.
    """
    path = extras.get(_UNICODE_PATH_EXTRA, b"")
    if len(path) > 5 and path[0] == 1 and int.from_bytes(path[1:5], "little") == zlib.crc32(raw_name):
        name, certain = path[5:].decode("utf-8", errors="replace"), True
    else:
        try:
            name, certain = raw_name.decode("utf-8"), True
        except UnicodeDecodeError:
            name, certain = raw_name.decode("cp437"), False
    if not name or "\0" in name:
        raise ArchiveCorrupt("an entry's name is empty or holds a NUL byte")
    return name.replace("\\", "/"), certain


def _bounded(entries: Sequence[ArchiveEntry], directory_start: int) -> list[ArchiveEntry]:
    """The entries with the place where each must end, after no two were found to share bytes.

    The local header's extra field is unknown here, so its length counts as 0; archive.py checks the exact end against
    `end_bound` when it has read the local header.
    """
    order = sorted(range(len(entries)), key=lambda i: entries[i].header_offset)
    bounded = list(entries)
    for place, i in enumerate(order):
        entry = entries[i]
        last = place + 1 == len(order)
        bound = directory_start if last else entries[order[place + 1]].header_offset
        least_end = entry.header_offset + LOCAL_HEADER_BYTES + len(entry.raw_name) + entry.compressed_bytes
        if least_end > directory_start:
            raise ArchiveCorrupt("an entry lies outside the file")
        if least_end > bound:
            raise ArchiveBomb("its entries overlap")
        bounded[i] = replace(entry, end_bound=bound)
    return bounded
