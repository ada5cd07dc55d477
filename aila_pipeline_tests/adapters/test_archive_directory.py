"""The archive's directory: what is read, how much of it, and which archives are refused as a whole."""

from __future__ import annotations

import io
import stat
import struct
import time
import zipfile
import zlib
from dataclasses import replace

import pytest

from aila_pipeline.adapters.archive import read_directory
from aila_pipeline.domain.intake.join import ArchiveEntry
from aila_pipeline.errors import AilaError, ArchiveBomb, ArchiveCorrupt
from aila_pipeline_tests.adapters.zips import CountingRange, Record, a_record, a_zip, by_hand


def listing(data: bytes, *, max_entries: int = 1000, max_total_bytes: int = 1 << 40) -> list[ArchiveEntry]:
    return read_directory(CountingRange(data), max_entries=max_entries, max_total_bytes=max_total_bytes)


def test_an_ordinary_archive_is_listed_in_its_order_with_sizes_and_checksums() -> None:
    data = a_zip({"b.wav": b"x" * 500, "a.mp3": b"yy", "folder/": b""})

    first, second, folder = listing(data)

    assert (first.name, first.size_bytes, first.crc32, first.method) == ("b.wav", 500, zlib.crc32(b"x" * 500), 8)
    assert first.end_bound == second.header_offset
    assert (second.name, folder.directory, second.directory) == ("a.mp3", True, False)


def test_only_the_tail_and_the_directory_are_read() -> None:
    """An archive of 3 MB costs one read of 64 KiB; with a directory larger than that, one more of its size."""
    big = b"".join(zlib.crc32(str(i).encode()).to_bytes(4, "little") for i in range(750_000))
    small_directory = CountingRange(a_zip({"a.wav": big}, method=zipfile.ZIP_STORED))
    read_directory(small_directory, max_entries=10, max_total_bytes=1 << 30)
    assert small_directory.size_bytes > 3_000_000
    assert small_directory.ranges == [(small_directory.size_bytes - 65_633, 65_633)]

    names = {f"call_{i:05}.wav": b"" for i in range(5000)}
    large_directory = CountingRange(a_zip({"a.wav": big, **names}, method=zipfile.ZIP_STORED))
    found = read_directory(large_directory, max_entries=6000, max_total_bytes=1 << 30)
    (_, _), (start, length) = large_directory.ranges
    assert len(found) == 5001
    assert start > found[-1].header_offset
    assert start + length == large_directory.size_bytes - 22


def test_an_archive_without_entries_is_read_as_empty() -> None:
    assert listing(a_zip({})) == []


@pytest.mark.parametrize("comment", [b"made by hand", b"PK\5\6 is in the comment" + bytes(40), b"x" * 65_535])
def test_a_comment_is_tolerated_even_when_it_looks_like_an_end_record(comment: bytes) -> None:
    assert [entry.name for entry in listing(a_zip({"a.wav": b"1"}, comment=comment))] == ["a.wav"]


def test_bytes_before_the_archive_are_tolerated_and_counted_in() -> None:
    (entry,) = listing(b"#!/bin/sh\n" * 100 + a_zip({"a.wav": b"1"}))
    assert entry.header_offset == 1000


def test_zip64_records_and_sizes_are_read() -> None:
    record = a_record(b"sound" * 99)
    wide = struct.pack("<2H3Q", 1, 24, record.size, len(record.packed), 0)
    saturated = replace(record, extra=wide)
    central = bytearray(by_hand([saturated], zip64=True))
    at = central.index(b"PK\1\2")
    central[at + 20 : at + 28] = b"\xff" * 8
    central[at + 42 : at + 46] = b"\xff" * 4

    (entry,) = listing(bytes(central))

    assert (entry.size_bytes, entry.compressed_bytes, entry.header_offset) == (record.size, len(record.packed), 0)


def test_the_standard_librarys_zip64_archive_is_read() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive, archive.open("a.wav", "w", force_zip64=True) as entry:
        entry.write(b"abc")
    assert [(e.name, e.size_bytes) for e in listing(target.getvalue())] == [("a.wav", 3)]


@pytest.mark.parametrize(
    ("raw", "extra", "name"),
    [
        pytest.param("Звонок №1.wav".encode(), b"", "Звонок №1.wav", id="utf-8 without its flag, as macOS does"),
        pytest.param("café.wav".encode("cp437"), b"", "café.wav", id="cp437"),
        pytest.param(b"audio\\call.wav", b"", "audio/call.wav", id="backslash"),
        pytest.param(
            b"call_.wav",
            struct.pack("<2HBL", 0x7075, 5 + 14, 1, zlib.crc32(b"call_.wav")) + "қңғ.wav".encode().ljust(14),
            "қңғ.wav    ",
            id="unicode path",
        ),
        pytest.param(
            b"call_.wav",
            struct.pack("<2HBL", 0x7075, 5 + 5, 1, 7) + b"x.wav",
            "call_.wav",
            id="unicode path of another name",
        ),
    ],
)
def test_names_are_read_as_the_archive_means_them(raw: bytes, extra: bytes, name: str) -> None:
    (entry,) = listing(by_hand([Record(raw, extra=extra)]))
    assert entry.name == name
    assert entry.raw_name == raw


def test_flags_that_matter_are_told_of_each_entry() -> None:
    encrypted = Record(b"locked.wav", b"123456789012", flags=1)
    link = Record(b"link.wav", b"/etc/passwd", 11, method=0, mode=stat.S_IFLNK | 0o777)
    first, second = listing(by_hand([encrypted, link]))
    assert (first.encrypted, first.link) == (True, False)
    assert (second.encrypted, second.link) == (False, True)


HONEST = a_zip({"a.wav": b"1" * 3000, "b.wav": b"2" * 3000})


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="no bytes"),
        pytest.param(b"RIFF....WAVE" * 10, id="no zip"),
        pytest.param(HONEST[:-1], id="cut off by one"),
        pytest.param(HONEST[: len(HONEST) // 2], id="cut off in the middle"),
        pytest.param(HONEST[100:], id="its beginning is missing"),
        pytest.param(HONEST + b"tail", id="bytes after the end"),
        pytest.param(by_hand([a_record(b"1")], entries=2), id="more entries promised"),
        pytest.param(by_hand([a_record(b"1"), a_record(b"2", "b.wav")], entries=1), id="fewer entries promised"),
        pytest.param(by_hand([a_record(b"1")], disk=1), id="one part of several"),
        pytest.param(by_hand([a_record(b"1")], zip64=True).replace(b"PK\6\6", b"PK\6\0"), id="zip64 record damaged"),
        pytest.param(by_hand([Record(size=0xFFFFFFFF, packed=b"x")]), id="zip64 size missing"),
        pytest.param(by_hand([Record(name=b"a\0.wav")]), id="NUL in a name"),
        pytest.param(by_hand([Record(name=b"")]), id="no name"),
        pytest.param(by_hand([Record(compressed=10_000)]), id="data beyond the directory"),
        pytest.param(by_hand([replace(a_record(b"1"), offset=0x7FFFFFFF)]), id="header beyond the file"),
    ],
)
def test_what_is_no_whole_zip_is_corrupt(data: bytes) -> None:
    with pytest.raises(ArchiveCorrupt):
        listing(data)


def quoted_overlap() -> bytes:
    """Fifield's bomb: each file's deflate stream quotes the next one's local header and goes on in its data."""
    kernel = a_record(bytes(100_000), "z.wav")
    header = kernel.local()[: -len(kernel.packed)]
    quote = struct.pack("<BHH", 0, len(header), 0xFFFF ^ len(header))
    outer = replace(kernel, name=b"y.wav", packed=quote + kernel.local(), size=100_000 + len(header))
    inner_offset = len(outer.local()) - len(kernel.local())
    body = outer.local()
    directory = outer.central(0) + kernel.central(inner_offset)
    return body + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, len(directory), len(body), 0)


def test_entries_that_share_bytes_are_a_bomb() -> None:
    shared = [a_record(bytes(1000)), replace(a_record(bytes(1000)), name=b"b.wav", offset=0)]
    with pytest.raises(ArchiveBomb, match="overlap"):
        listing(by_hand(shared))
    with pytest.raises(ArchiveBomb, match="overlap"):
        listing(quoted_overlap())


def test_too_many_entries_are_a_bomb_before_the_directory_is_read() -> None:
    reader = CountingRange(a_zip({f"{i}.wav": b"" for i in range(20_000)}))
    with pytest.raises(ArchiveBomb, match="20000 entries"):
        read_directory(reader, max_entries=19_999, max_total_bytes=1)
    assert reader.bytes_read < 70_000


def test_entries_that_together_claim_too_much_are_a_bomb() -> None:
    data = a_zip({"a.wav": bytes(600), "b.wav": bytes(600)})
    assert len(listing(data, max_total_bytes=1200)) == 2
    with pytest.raises(ArchiveBomb, match="1200 bytes"):
        listing(data, max_total_bytes=1199)


def test_a_directory_padded_out_of_all_proportion_is_a_bomb() -> None:
    padded = [Record(name=b"a" * 60_000 + bytes([65 + i]), extra=b"\0" * 60_000) for i in range(3)]
    with pytest.raises(ArchiveBomb, match="directory"):
        listing(by_hand(padded), max_entries=3)


def test_more_than_65535_entries_may_be_counted_modulo_65536() -> None:
    """Old programs write no ZIP64 record; the directory itself is then the only truth."""
    records = [Record(name=b"%d.wav" % i) for i in range(65_540)]
    assert len(listing(by_hand(records, entries=4), max_entries=100_000)) == 65_540
    with pytest.raises(ArchiveBomb):
        listing(by_hand(records, entries=4), max_entries=65_539)


@pytest.mark.slow
def test_a_directory_of_100000_entries_is_read_in_a_few_seconds() -> None:
    data = by_hand([Record(name=b"call_%06d.wav" % i) for i in range(100_000)], zip64=True)
    started = time.process_time()
    assert len(listing(data, max_entries=100_000)) == 100_000
    assert time.process_time() - started < 5


def test_refusals_name_no_file() -> None:
    with pytest.raises(AilaError) as refused:
        listing(by_hand([Record(name=b"jane-doe.wav", compressed=99_999)]))
    assert "jane" not in refused.value.message
