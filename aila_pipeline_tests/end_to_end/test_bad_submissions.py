"""Submissions that are refused as a whole: their files are kept beside the reasons, and others are not held up.

All refused ones are dropped at the same time as a good pair; the pipeline runs once for the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aila_pipeline.adapters.ledger.views import BatchView
from aila_pipeline.domain.status import BatchStatus
from aila_pipeline.errors import advice_of
from aila_pipeline_tests.adapters.zips import a_record, by_hand
from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline, zipped

pytestmark = pytest.mark.slow

RECORDINGS = Path(__file__).parent.parent / "adapters" / "recordings"
HEADER = b"audio_file_name,client_phone_number,operator_name,start_time,segment_type,right_channel,left_channel\r\n"
ROW = b"one.flac,+77012345678,John Smith,2026-01-13T10:30:00,sales,operator,client\r\n"


@dataclass(frozen=True)
class Drop:
    """Files below `inbox/kz/acme/<name>/` (or where `top` says), and the code of their refusal."""

    code: str
    files: Mapping[str, bytes]
    says: str
    top: str = "inbox/kz/acme"


def a_pair_of(code: str, says: str, csv: bytes = HEADER + ROW, archive: bytes | None = None) -> Drop:
    """A folder with one CSV and one ZIP."""
    whole = zipped({"one.flac": b"any bytes"}) if archive is None else archive
    return Drop(code, {"calls.csv": csv, "calls.zip": whole}, says)


def overlapping() -> bytes:
    """Two entries that share their bytes, as in Fifield's bomb."""
    one, two = a_record(b"a" * 5000, "one.flac"), a_record(b"a" * 5000, "two.flac")
    two.offset = 0
    return by_hand([one, two])


def claiming_entries(entries: int) -> bytes:
    """An end record that claims so many entries (ZIP64, since 65,535 is the most without)."""
    return by_hand([a_record(b"a", "one.flac")], entries=entries, zip64=True)


def claiming(total_bytes: int) -> bytes:
    """Entries whose sizes add up to more than any set of recordings."""
    records = []
    for number in range(2048):
        record = a_record(b"a", f"{number}.flac")
        record.size = min(total_bytes // 2048, 0xFFFFFFFE)
        records.append(record)
    return by_hand(records)


DROPS = {
    "encoding": a_pair_of("CSV_UNREADABLE", "cp1252", HEADER + ROW.replace(b"John", b"\x81\x8d\x8f")),
    "damaged": a_pair_of("CSV_UNREADABLE", "line 2", HEADER + ROW.replace(b"John", "Жанна ".encode() * 3 + b"\xd0")),
    "spreadsheet": a_pair_of("CSV_UNREADABLE", "exported", HEADER + ROW + b"\0\0"),
    "quote": a_pair_of("CSV_QUOTE_UNCLOSED", "line 2", HEADER + ROW.replace(b"John", b'"John') + ROW),
    "no-header": a_pair_of("CSV_HEADER_MISSING", "audio_file_name", ROW + ROW),
    "double-header": a_pair_of(
        "CSV_HEADER_DUPLICATE", "operator_name", HEADER.replace(b"start_time", b"operator_name") + ROW
    ),
    "missing-column": a_pair_of(
        "CSV_COLUMN_MISSING", "segment_type", HEADER.replace(b"segment_type", b"segment") + ROW
    ),
    "no-bytes": a_pair_of("CSV_EMPTY", "empty", b""),
    "no-rows": a_pair_of("CSV_EMPTY", "no row", HEADER),
    "too-many-rows": a_pair_of("CSV_TOO_LARGE", "rows", HEADER + ROW * 30),
    "no-zip": a_pair_of("ARCHIVE_CORRUPT", "no ZIP", archive=b"Rar!\x1a\x07\x01\x00" + bytes(200)),
    "empty-zip": a_pair_of("ARCHIVE_CORRUPT", "ZIP", archive=b""),
    "cut-zip": a_pair_of("ARCHIVE_CORRUPT", "cut off", archive=zipped({"one.flac": bytes(5000)})[:-30]),
    "overlap": a_pair_of("ARCHIVE_BOMB", "overlap", archive=overlapping()),
    "count": a_pair_of("ARCHIVE_BOMB", "entries", archive=claiming_entries(300_000)),
    "total": a_pair_of("ARCHIVE_BOMB", "claim", archive=claiming(8 * 1024**4)),
    "two-csv": Drop("PAIR_INCOMPLETE", {"a.csv": HEADER, "b.csv": HEADER + ROW, "a.zip": b"x"}, "2 .csv"),
    "with-notes": Drop("PAIR_INCOMPLETE", {"a.csv": HEADER, "a.zip": b"x", "notes.txt": b"hello"}, "1 other"),
    "folders": Drop("PAIR_INCOMPLETE", {"one/a.csv": b"first", "two/a.csv": b"second", "a.zip": b"x"}, "folders"),
    "given-back": Drop("PAIR_INCOMPLETE", {"a.csv": HEADER, "a.zip": b"x", "reasons.json": b"mine"}, "1 other"),
    "too-high": Drop("PAIR_INCOMPLETE", {"77019998877.wav": b"audio"}, "<country>/<firm>", top="inbox"),
    "no-folder": Drop("PAIR_INCOMPLETE", {"b-77019998877.wav": b"audio"}, "a folder of its own", top="inbox/kz/acme"),
    "bad-tenant": Drop("PAIR_INCOMPLETE", {"a.csv": HEADER, "a.zip": b"x"}, "a-z", top="inbox/KZ/Acme Ltd"),
    "not-json": Drop("MANIFEST_INVALID", {"c.json": b"{calls: []}"}, "JSON", top="inbox/kz/acme"),
    "huge": Drop("MANIFEST_INVALID", {"d.json": b"[" * (6 * 1024**2)}, "bytes", top="inbox/kz/acme"),
}
AS_FILES = {"too-high", "no-folder", "not-json", "huge"}
"""Dropped as single files, not in a folder of their own."""


@dataclass(frozen=True)
class Refusals:
    """The refused batches by the name of the drop, with their `reasons.json`."""

    pipeline: Pipeline
    good: BatchView
    batches: dict[str, BatchView]
    reasons: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refusals]:
    with a_pipeline(tmp_path_factory.mktemp("home"), max_rows=20) as pipeline:
        origin = {}
        for name, drop in DROPS.items():
            folder = drop.top if name in AS_FILES else f"{drop.top}/{name}"
            for file, data in drop.files.items():
                origin[f"{folder}/{file}"] = name
                pipeline.store.write(f"{folder}/{file}", data)
        pipeline.drop_calls({"good.flac": (RECORDINGS / "two_voices.flac").read_bytes()}, place="inbox/kz/acme/good")
        pipeline.run()
        batches, reasons, good = {}, {}, None
        for batch in pipeline.batches():
            if batch.state != "refused":
                good = batch
                continue
            assert batch.problem is not None
            found = json.loads(pipeline.store.read(batch.problem["folder"] + "reasons.json"))
            name = origin[found["files"][0]["dropped_as"]]
            batches[name], reasons[name] = batch, found
        assert good is not None
        yield Refusals(pipeline, good, batches, reasons)


@pytest.mark.parametrize("name", DROPS)
def test_what_cannot_be_processed_is_refused_with_its_code_and_reason(refusals: Refusals, name: str) -> None:
    batch, reasons, drop = refusals.batches[name], refusals.reasons[name], DROPS[name]
    assert batch.status is BatchStatus.FAILED
    assert batch.problem is not None
    assert batch.problem["code"] == reasons["code"] == drop.code
    assert drop.says in reasons["message"]
    assert reasons["message"].endswith(advice_of(drop.code))
    assert "\n" not in reasons["message"]


@pytest.mark.parametrize("name", DROPS)
def test_every_refused_file_is_kept_beside_the_reasons(refusals: Refusals, name: str) -> None:
    """Byte by byte, also where two files of unlike folders, or one of ours, have the same name."""
    batch = refusals.batches[name]
    assert batch.problem is not None
    folder = batch.problem["folder"]
    assert folder.startswith("_aila/rejected/")
    kept = {info.key for info in refusals.pipeline.store.list(folder)} - {folder + "reasons.json"}
    assert sorted(map(refusals.pipeline.store.read, kept)) == sorted(DROPS[name].files.values())


def test_the_drop_zone_is_empty_and_a_good_pair_dropped_at_the_same_time_completes(refusals: Refusals) -> None:
    assert refusals.good.status is BatchStatus.COMPLETED
    assert list(refusals.pipeline.store.list("inbox/")) == []
    assert refusals.pipeline.differences() == []


def test_each_refusal_is_one_event_of_its_batch(refusals: Refusals) -> None:
    told = sorted(str(event.partition) for event in refusals.pipeline.events("batch"))
    assert told == sorted([refusals.good.id, *(batch.id for batch in refusals.batches.values())])


def test_names_of_stray_recordings_reach_no_event(refusals: Refusals) -> None:
    """A recording dropped by itself is often named after a caller; its name stays in the store and the ledger."""
    runs = refusals.pipeline.instance.get_run_records()
    told = [str(entry) for run in runs for entry in refusals.pipeline.instance.all_logs(run.dagster_run.run_id)]
    assert any(batch.id in line for line in told for batch in refusals.batches.values())
    assert not [line for line in told if "77019998877" in line]
