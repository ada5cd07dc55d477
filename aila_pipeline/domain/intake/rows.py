"""The rows of contract A's CSV: what each cell may hold, and the call that a good row describes.

Lives here: the pandera schema, the problems of each row, and `CallDetails` from a checked row. Does not: splitting the
file (csv_text.py), the header (header.py), or finding the audio (join.py). No message quotes a cell.

pandas and pandera take seconds to import, and so are imported where they are used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from aila_pipeline.domain.intake import fields
from aila_pipeline.domain.intake.csv_text import CsvText, Record, column_name, trim
from aila_pipeline.domain.intake.header import COLUMNS, REQUIRED, Header
from aila_pipeline.domain.models import ArchiveSource, CallDetails, Problem, TenantSettings
from aila_pipeline.errors import RowInvalid

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa

FREE_TEXT = frozenset({"operator_name", "operator_group_name", "disconnect_reason"})
"""Columns in which a line break is only an untidy blank."""


@dataclass(frozen=True)
class CheckedRow:
    """A row's trimmed values by column (None when its line could not be split), and all that is wrong with it."""

    position: int
    values: Mapping[str, str] | None
    problems: tuple[Problem, ...]


def check_rows(table: CsvText, header: Header, tenant: TenantSettings, now: datetime) -> list[CheckedRow]:
    """Every row with its values and all its problems, in the file's order."""
    problems: defaultdict[int, list[Problem]] = defaultdict(list)
    values: dict[int, dict[str, str]] = {}
    for record in table.records:
        whole = _row_fault(record, header)
        if whole:
            problems[record.position].append(row_problem(record.position, None, whole))
        if not whole or whole == _SURPLUS:
            values[record.position] = _values(record, header)
    for position, field, message in _failures(values, tenant, now):
        problems[position].append(row_problem(position, field, message))
    return [
        CheckedRow(record.position, values.get(record.position), tuple(problems[record.position]))
        for record in table.records
    ]


def details(row: Mapping[str, str], tenant: TenantSettings) -> CallDetails:
    """The call that a row without problems describes."""
    started = fields.moment(row["start_time"], fields.zone_of(tenant))
    left, right = fields.role(row["left_channel"]), fields.role(row["right_channel"])
    if started is None or left is None or right is None:
        raise ValueError("only a row without problems describes a call")
    return CallDetails(
        source=ArchiveSource(name=row["audio_file_name"]),
        external_id=row["partner_call_id"] or None,
        partner_call_id=row["partner_call_id"] or None,
        started_at=started.at,
        segment_type=row["segment_type"],
        left_channel=left,
        right_channel=right,
        direction=fields.direction(row["direction"]),
        contact_phone=fields.phone(row["client_phone_number"], tenant.phone_region),
        user_name=row["operator_name"],
        user_group=row["operator_group_name"] or None,
        disconnect_reason=row["disconnect_reason"] or None,
    )


def row_problem(position: int, field: str | None, message: str) -> Problem:
    """A broken rule of one row."""
    return Problem(position=position, field=field, code=RowInvalid.code, message=message)


_SURPLUS = "the row has more fields than the header; a cell with the delimiter in it must be quoted"


def _row_fault(record: Record, header: Header) -> str | None:
    """What is wrong with the row as a whole."""
    if record.fault:
        return record.fault
    if tuple(map(column_name, record.cells)) == header.names:
        return "the row repeats the header"
    return _SURPLUS if any(map(trim, record.cells[len(header.names) :])) else None


def _values(record: Record, header: Header) -> dict[str, str]:
    """The row's cells by column; a column or a cell that is not there is empty."""
    cells = record.cells
    row = {}
    for column in COLUMNS:
        place = header.places.get(column, len(cells))
        cell = trim(cells[place]) if place < len(cells) else ""
        row[column] = fields.one_line(cell) if column in FREE_TEXT else cell
    return row


def _failures(
    values: Mapping[int, Mapping[str, str]], tenant: TenantSettings, now: datetime
) -> Iterable[tuple[int, str | None, str]]:
    """Position, column and message of every broken rule, by position and then in the order of the columns."""
    import pandas as pd  # noqa: PLC0415
    import pandera.pandas as pa  # noqa: PLC0415

    if not values:
        return []
    frame = pd.DataFrame(list(values.values()), index=list(values), columns=list(COLUMNS), dtype=object)
    try:
        _schema(tenant, now).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as broken:
        cases = broken.failure_cases
        found = set()
        for column, position, message, context in zip(
            cases["column"], cases["index"], cases["check"], cases["schema_context"], strict=True
        ):
            field = column if context == "Column" else None
            found.add((int(position), field, f"{field} {message}" if field else message))
        return sorted(found, key=lambda case: (case[0], COLUMNS.index(case[1]) if case[1] else len(COLUMNS), case[2]))
    return []


def _schema(tenant: TenantSettings, now: datetime) -> pa.DataFrameSchema:
    """Contract A's columns. The `error` of a check is the rest of a sentence that begins with the column's name."""
    import pandera.pandas as pa  # noqa: PLC0415

    zone = fields.zone_of(tenant)

    def parses(text: str) -> bool:
        return fields.moment(text, zone) is not None

    def in_time(text: str) -> bool:
        told = fields.moment(text, zone)
        return told is None or fields.plausible(told.at, now)

    role = _each(lambda text: fields.role(text) is not None, "must be operator or client")
    rules: dict[str, Sequence[pa.Check]] = {
        "start_time": [
            _each(parses, "must be an ISO 8601 date and time, like 2026-01-13T10:30:00"),
            _each(in_time, "must not lie more than 24 hours in the future or before 1970"),
        ],
        "segment_type": [_shorter(fields.MAX_SEGMENT_CHARACTERS)],
        "right_channel": [role],
        "left_channel": [role],
        "direction": [_each(lambda text: fields.direction(text) is not None, "must be inbound or outbound")],
        "partner_call_id": [pa.Check(_used_once, error="is used by more than one row")],
    }
    columns = {}
    for column in COLUMNS:
        checks = [pa.Check(lambda cells: cells != "", error="is required")] if column in REQUIRED else []
        checks += [_shorter(fields.MAX_TEXT_CHARACTERS), _each(fields.printable, "must not hold control characters")]
        columns[column] = pa.Column(object, [*checks, *rules.get(column, ())])
    differ = pa.Check(_roles_differ, error="right_channel and left_channel must not be the same")
    return pa.DataFrameSchema(columns, checks=differ)


def _each(rule: Callable[[str], bool], error: str) -> pa.Check:
    """A rule for each cell that is not empty."""
    import pandera.pandas as pa  # noqa: PLC0415

    return pa.Check(lambda cells: cells.map(lambda text: text == "" or rule(text)).astype(bool), error=error)


def _shorter(limit: int) -> pa.Check:
    """At most so many characters."""
    return _each(lambda text: len(text) <= limit, f"must have at most {limit} characters")


def _used_once(cells: pd.Series[str]) -> pd.Series[bool]:
    """False for every row whose value another row has too."""
    return (cells == "") | ~cells.duplicated(keep=False)


def _roles_differ(frame: pd.DataFrame) -> pd.Series[bool]:
    """False where both channels have the same role; a missing role is told by its own check."""
    right, left = frame["right_channel"].str.lower(), frame["left_channel"].str.lower()
    return (right != left) | ~right.isin(["operator", "client"])
