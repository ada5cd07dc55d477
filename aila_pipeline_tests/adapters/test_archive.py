"""One entry of an archive: whole and checked, or a coded error; never more bytes than allowed."""

from __future__ import annotations

import contextlib
import io
import stat
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aila_pipeline.adapters.archive import BLOCK_BYTES, FileRange, open_entry, read_directory
from aila_pipeline.domain.intake.join import ArchiveEntry, Files
from aila_pipeline.errors import (
    AilaError,
    ArchiveBomb,
    ArchiveCorrupt,
    EntryBomb,
    EntryCorrupt,
    EntryEncrypted,
    EntryUnsupported,
)
from aila_pipeline_tests.adapters.zips import CountingRange, Record, a_record, a_zip, by_hand
from aila_pipeline_tests.domain.intake.builders import a_csv, a_pair, a_row

BUDGET = 64 * 1024**2


def entries_of(data: bytes) -> list[ArchiveEntry]:
    return read_directory(CountingRange(data), max_entries=1000, max_total_bytes=1 << 40)


def unpacked(data: bytes, place: int = 0, *, budget_bytes: int = BUDGET) -> bytes:
    return b"".join(open_entry(CountingRange(data), entries_of(data)[place], budget_bytes=budget_bytes))


def outcome(reader: CountingRange, entry: ArchiveEntry, *, budget_bytes: int) -> tuple[str | None, int]:
    """The error code of reading this entry, or None, and how many bytes came out."""
    got_bytes = 0
    try:
        for block in open_entry(reader, entry, budget_bytes=budget_bytes):
            got_bytes += len(block)
    except AilaError as error:
        return error.code, got_bytes
    return None, got_bytes


def noise(size_bytes: int) -> bytes:
    """Bytes that hardly compress, the same each time."""
    return b"".join(zlib.crc32(struct.pack("<L", i)).to_bytes(4, "little") for i in range(size_bytes // 4 + 1))[
        :size_bytes
    ]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"a", id="one byte"),
        pytest.param(b"", id="none"),
        pytest.param(noise(3 * BLOCK_BYTES + 7), id="several blocks"),
        pytest.param(bytes(5 * BLOCK_BYTES), id="silence, five blocks out of one"),
        pytest.param(bytes(BLOCK_BYTES), id="silence, one block exactly"),
    ],
)
def test_an_entry_comes_out_as_it_went_in(method: int, content: bytes) -> None:
    data = a_zip({"first.wav": b"before", "call.wav": content, "last.wav": b"after"}, method=method)
    assert unpacked(data, 1) == content


def test_an_entry_written_as_a_stream_with_a_descriptor_is_read() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    target = Pipe()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", b"abc" * 1000)
    assert unpacked(target.getvalue()) == b"abc" * 1000


def test_a_zip64_local_header_and_a_prefix_are_read() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive, archive.open("a.wav", "w", force_zip64=True) as entry:
        entry.write(b"abc")
    assert unpacked(b"prefix" * 9 + target.getvalue()) == b"abc"


def test_a_short_entry_costs_one_read_and_no_byte_of_its_neighbours() -> None:
    data = a_zip({f"{i}.wav": noise(5000) for i in range(20)})
    entry, reader = entries_of(data)[7], CountingRange(data)
    b"".join(open_entry(reader, entry, budget_bytes=BUDGET))
    assert reader.ranges == [(entry.header_offset, entry.end_bound - entry.header_offset)]


def test_blocks_and_reads_stay_small_whatever_the_entry_holds() -> None:
    data = a_zip({"silence.wav": bytes(30 * BLOCK_BYTES)})
    reader = CountingRange(data)
    sizes = [len(block) for block in open_entry(reader, entries_of(data)[0], budget_bytes=BUDGET)]
    assert sum(sizes) == 30 * BLOCK_BYTES
    assert max(sizes) <= BLOCK_BYTES


def test_a_local_file_is_a_range_reader(tmp_path: Path) -> None:
    path = tmp_path / "audios.zip"
    path.write_bytes(a_zip({"a.wav": b"hello"}))
    with FileRange(path) as reader:
        (entry,) = read_directory(reader, max_entries=1, max_total_bytes=5)
        assert b"".join(open_entry(reader, entry, budget_bytes=5)) == b"hello"


def test_an_entry_that_declares_more_than_the_budget_is_not_begun() -> None:
    data = a_zip({"a.wav": bytes(1001)})
    reader = CountingRange(data)
    with pytest.raises(EntryBomb):
        open_entry(reader, entries_of(data)[0], budget_bytes=1000)
    assert reader.ranges == []


def test_an_entry_that_unpacks_to_more_than_it_declares_stops_there() -> None:
    """Ten megabytes declared as ten bytes: at most ten bytes ever come out."""
    data = by_hand([replace(a_record(bytes(10_000_000)), size=10)])
    code, got_bytes = outcome(CountingRange(data), entries_of(data)[0], budget_bytes=BUDGET)
    assert code == "ENTRY_CORRUPT"
    assert got_bytes <= 10


HONEST = a_record(noise(5000))


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        pytest.param(replace(HONEST, size=5001), EntryCorrupt, id="fewer bytes than declared"),
        pytest.param(replace(HONEST, crc32=1), EntryCorrupt, id="wrong checksum"),
        pytest.param(replace(HONEST, packed=HONEST.packed[:-9]), EntryCorrupt, id="deflate cut off"),
        pytest.param(replace(HONEST, packed=HONEST.packed + b"more"), EntryCorrupt, id="bytes after deflate"),
        pytest.param(replace(HONEST, packed=b"\xff" * 99), EntryCorrupt, id="no deflate at all"),
        pytest.param(replace(a_record(b"abc", method=0), size=4), EntryCorrupt, id="stored, sizes differ"),
        pytest.param(replace(HONEST, flags=1), EntryEncrypted, id="encrypted"),
        pytest.param(replace(HONEST, method=99), EntryEncrypted, id="AES"),
        pytest.param(replace(HONEST, method=9), EntryUnsupported, id="deflate64"),
        pytest.param(replace(HONEST, method=12), EntryUnsupported, id="bzip2"),
        pytest.param(replace(HONEST, method=14), EntryUnsupported, id="lzma"),
        pytest.param(replace(HONEST, mode=stat.S_IFLNK | 0o777), EntryUnsupported, id="symbolic link"),
        pytest.param(replace(HONEST, mode=stat.S_IFIFO | 0o777), EntryUnsupported, id="pipe"),
        pytest.param(replace(HONEST, name=b"folder/"), EntryUnsupported, id="folder"),
    ],
)
def test_what_cannot_be_read_whole_ends_in_its_code(record: Record, kind: type[AilaError]) -> None:
    with pytest.raises(kind):
        unpacked(by_hand([record]))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_real_archives_of_other_methods_are_unsupported(method: int) -> None:
    with pytest.raises(EntryUnsupported):
        unpacked(a_zip({"a.wav": b"x" * 100}, method=method))


@pytest.mark.parametrize(
    ("offset", "lie"),
    [(0, b"XX\3\4"), (6, b"\1\0"), (8, b"\0\0"), (14, b"\1\2\3\4"), (22, b"\1\0\0\0"), (30, b"b")],
    ids=["mark", "encrypted", "method", "checksum", "size", "name"],
)
def test_a_local_header_that_contradicts_the_directory_is_corrupt(offset: int, lie: bytes) -> None:
    data = bytearray(by_hand([HONEST]))
    data[offset : offset + len(lie)] = lie
    with pytest.raises(EntryCorrupt):
        unpacked(bytes(data))


def test_an_extra_field_that_pushes_data_into_the_next_entry_is_corrupt() -> None:
    """The directory cannot know the local extra field, so this overlap shows only when the entry is opened."""
    pushed, follower = replace(a_record(b"abc", method=0)), a_record(b"def" * 99, "b.wav", method=0)
    data = bytearray(by_hand([pushed, follower]))
    data[28:30] = struct.pack("<H", 50)
    with pytest.raises(EntryCorrupt, match="next entry"):
        unpacked(bytes(data))
    assert unpacked(bytes(data), 1) == b"def" * 99


def test_a_file_cut_off_after_its_directory_was_read_is_corrupt() -> None:
    data = a_zip({"a.wav": noise(3 * BLOCK_BYTES)}, method=zipfile.ZIP_STORED)
    with pytest.raises(EntryCorrupt, match="ended inside"):
        b"".join(open_entry(CountingRange(data[: 2 * BLOCK_BYTES]), entries_of(data)[0], budget_bytes=BUDGET))


def test_bad_entries_of_a_real_archive_fail_their_own_rows_and_no_other() -> None:
    """Directory, join and unpacking together: what is accepted unpacks, what is not has its own code."""
    records = [
        a_record(noise(3000), "good.wav"),
        replace(a_record(noise(300), "locked.wav"), flags=1),
        replace(a_record(noise(300), "squeezed.wav"), method=12),
        replace(a_record(b"/etc/passwd", "link.wav", method=0), mode=stat.S_IFLNK | 0o777),
        a_record(noise(300), "folder/deep.wav"),
        a_record(noise(300), "twice.wav"),
        a_record(noise(300), "twice.wav"),
        replace(a_record(noise(300), "liar.wav"), size=10**9),
        a_record(b"", "empty.wav", method=0),
        replace(a_record(noise(300)), name="Гудок.wav".encode("cp866")),
        a_record(b"x", "__MACOSX/._good.wav"),
    ]
    names = ["good.wav", "locked.wav", "squeezed.wav", "link.wav", "deep.wav", "twice.wav", "liar.wav", "empty.wav"]
    names += ["Гудок.wav", "gone.wav"]
    data = by_hand(records)

    calls = a_pair(a_csv(*map(a_row, names)), entries_of(data)).calls

    codes = {name: [problem.code for problem in call.problems] for name, call in zip(names, calls, strict=True)}
    assert codes == {
        "good.wav": [],
        "locked.wav": ["ENTRY_ENCRYPTED"],
        "squeezed.wav": ["ENTRY_UNSUPPORTED"],
        "link.wav": ["ENTRY_UNSUPPORTED"],
        "deep.wav": ["ENTRY_NESTED"],
        "twice.wav": ["FILE_AMBIGUOUS"],
        "liar.wav": ["ENTRY_BOMB"],
        "empty.wav": ["AUDIO_EMPTY"],
        "Гудок.wav": [],
        "gone.wav": ["FILE_NOT_FOUND"],
    }
    entry = Files(entries_of(data), fallback_encoding="cp1252").find("Гудок.wav", max_audio_bytes=BUDGET)
    assert b"".join(open_entry(CountingRange(data), entry, budget_bytes=BUDGET)) == noise(300)


def test_the_best_that_deflate_can_do_is_within_the_bound_that_condemns_an_entry() -> None:
    (entry,) = entries_of(a_zip({"silence.wav": bytes(20 * BLOCK_BYTES)}))
    assert entry.size_bytes > 1000 * entry.compressed_bytes
    assert entry.refusal(BUDGET) is None


TEMPLATES = [
    a_zip({"a.wav": noise(300), "b.wav": bytes(4000), "c/d.wav": b"deep"}),
    a_zip({"a.wav": noise(300), "b.wav": bytes(4000)}, method=zipfile.ZIP_STORED, comment=b"note"),
    by_hand([a_record(bytes(2000)), a_record(noise(99), "b.wav", method=0)], zip64=True),
]
MUTATIONS = st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(TEMPLATES), MUTATIONS, st.integers(0, 40))
def test_any_damage_gives_entries_or_a_coded_error_and_never_more_than_the_budget(
    template: bytes, mutations: list[tuple[int, bytes]], cut: int
) -> None:
    data = bytearray(template[: len(template) - cut] if cut > 30 else template)
    for at, lie in mutations:
        start = at % len(data)
        data[start : start + len(lie)] = lie
    reader, budget_bytes = CountingRange(bytes(data)), 5000
    try:
        entries = read_directory(reader, max_entries=10, max_total_bytes=10_000)
    except (ArchiveCorrupt, ArchiveBomb):
        return
    for entry in entries:
        code, got_bytes = outcome(reader, entry, budget_bytes=budget_bytes)
        assert code in {None, "ENTRY_CORRUPT", "ENTRY_BOMB", "ENTRY_ENCRYPTED", "ENTRY_UNSUPPORTED"}
        assert got_bytes <= min(budget_bytes, entry.size_bytes)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_before_an_end_record_are_entries_or_a_coded_error(data: bytes) -> None:
    end = b"PK\5\6" + data[:16].ljust(16, b"\0") + b"\0\0"
    with contextlib.suppress(ArchiveCorrupt, ArchiveBomb):
        entries_of(data + end)
