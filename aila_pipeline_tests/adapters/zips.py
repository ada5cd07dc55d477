"""Builders of archives for the tests: real ones by zipfile, hostile ones by hand."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class CountingRange:
    """Bytes as a range reader that remembers each range that was read."""

    data: bytes
    ranges: list[tuple[int, int]] = field(default_factory=list)

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    def read_at(self, start: int, length: int) -> bytes:
        self.ranges.append((start, length))
        return self.data[start : start + length]

    @property
    def bytes_read(self) -> int:
        return sum(length for _, length in self.ranges)


def a_zip(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    """An archive as an ordinary program writes it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.comment = comment
    return target.getvalue()


@dataclass
class Record:
    """One entry by hand; every number may lie."""

    name: bytes = b"a.wav"
    packed: bytes = b""
    size: int = 0
    crc32: int = 0
    method: int = 8
    flags: int = 0
    mode: int = 0
    extra: bytes = b""
    local_extra: bytes = b""
    offset: int | None = None
    compressed: int | None = None

    @property
    def compressed_bytes(self) -> int:
        return len(self.packed) if self.compressed is None else self.compressed

    def local(self) -> bytes:
        head = struct.pack(
            "<4s5H3L2H",
            b"PK\3\4",
            20,
            self.flags,
            self.method,
            0,
            0,
            self.crc32,
            min(self.compressed_bytes, 0xFFFFFFFF),
            min(self.size, 0xFFFFFFFF),
            len(self.name),
            len(self.local_extra),
        )
        return head + self.name + self.local_extra + self.packed

    def central(self, offset: int) -> bytes:
        sizes = min(self.compressed_bytes, 0xFFFFFFFF), min(self.size, 0xFFFFFFFF)
        head = struct.pack(
            "<4s6H3L5H2L",
            b"PK\1\2",
            (3 << 8) | 20,
            20,
            self.flags,
            self.method,
            0,
            0,
            self.crc32,
            *sizes,
            len(self.name),
            len(self.extra),
            0,
            0,
            0,
            self.mode << 16,
            min(offset, 0xFFFFFFFF),
        )
        return head + self.name + self.extra


def a_record(data: bytes, name: str = "a.wav", *, method: int = 8) -> Record:
    """An honest record of `data`, deflated or stored."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflater.compress(data) + deflater.flush() if method == 8 else data
    return Record(name.encode(), packed, len(data), zlib.crc32(data), method)


def by_hand(records: Sequence[Record], *, entries: int | None = None, disk: int = 0, zip64: bool = False) -> bytes:
    """An archive of these records, in their order, with the end record that they need."""
    locals_, centrals, at = [], [], 0
    for record in records:
        centrals.append(record.central(at if record.offset is None else record.offset))
        locals_.append(record.local())
        at += len(locals_[-1])
    body, directory = b"".join(locals_), b"".join(centrals)
    count = len(records) if entries is None else entries
    if not zip64:
        end = struct.pack("<4s4H2LH", b"PK\5\6", disk, disk, count, count, len(directory), len(body), 0)
        return body + directory + end
    end64 = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), len(body)
    ) + struct.pack("<4sLQL", b"PK\6\7", 0, len(body) + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return body + directory + end64 + end
