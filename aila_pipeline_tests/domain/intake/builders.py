"""Builders of rows, files and archive entries for the intake's tests."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from aila_pipeline.domain.intake.join import ArchiveEntry, Method
from aila_pipeline.domain.intake.pair import read_pair
from aila_pipeline.domain.models import Submission, SubmittedCall, TenantSettings

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
TENANT = TenantSettings()


def a_row(name: str = "call_001.wav", **cells: str) -> dict[str, str]:
    """A row of contract A's example, with these cells instead."""
    row = {
        "audio_file_name": name,
        "client_phone_number": "+77012345678",
        "operator_name": "John Smith",
        "start_time": "2026-01-13T10:30:00",
        "segment_type": "sales",
        "right_channel": "operator",
        "left_channel": "client",
        "direction": "inbound",
        "partner_call_id": "",
    }
    return row | cells


def a_csv(*rows: Mapping[str, str], delimiter: str = ",", encoding: str = "utf-8", newline: str = "\r\n") -> bytes:
    """The rows as a spreadsheet writes them."""
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, list(rows[0]), delimiter=delimiter, lineterminator=newline)
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode(encoding)


def an_entry(name: str = "call_001.wav", size_bytes: int = 1000, **facts: object) -> ArchiveEntry:
    """A readable entry; `facts` replace fields."""
    method = facts.pop("method", Method.STORED)
    compressed = facts.pop("compressed_bytes", size_bytes)
    return ArchiveEntry(name, size_bytes, compressed, crc32=7, method=method, **facts)  # type: ignore[arg-type]


def a_pair(
    csv_bytes: bytes,
    entries: Sequence[ArchiveEntry] | None = None,
    tenant: TenantSettings = TENANT,
    *,
    max_rows: int = 1000,
    max_audio_bytes: int = 2 * 1024**3,
) -> Submission:
    """What `read_pair` makes of it; by default the archive holds call_001.wav alone."""
    listed = [an_entry()] if entries is None else entries
    return read_pair(csv_bytes, listed, tenant, NOW, max_rows=max_rows, max_audio_bytes=max_audio_bytes)


def the_call(submission: Submission) -> SubmittedCall:
    """The only call of the submission."""
    (call,) = submission.calls
    return call


def told(call: SubmittedCall) -> list[tuple[str | None, str]]:
    """Field and message of each problem."""
    return [(problem.field, problem.message) for problem in call.problems]
