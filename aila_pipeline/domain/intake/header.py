"""The header of contract A's CSV: which columns there are, must be, and are left aside.

Lives here: the columns' names and the refusals that a header can earn. Does not: what their cells may hold (rows.py).
Names of columns are no personal data and are told; the first line of a file without a header is, and is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aila_pipeline.domain.intake.csv_text import column_name
from aila_pipeline.domain.models import Warn
from aila_pipeline.errors import CsvColumnMissing, CsvHeaderDuplicate, CsvHeaderMissing

REQUIRED = (
    "audio_file_name",
    "client_phone_number",
    "operator_name",
    "start_time",
    "segment_type",
    "right_channel",
    "left_channel",
)
OPTIONAL = ("partner_call_id", "direction", "operator_group_name", "disconnect_reason")
COLUMNS = REQUIRED + OPTIONAL
REASON = "reason"
"""The column that `rejects_csv` adds; ignored without a word when the mended file comes back with it."""

_SHOWN_NAMES, _SHOWN_CHARACTERS = 20, 40


@dataclass(frozen=True)
class Header:
    """`places` maps each column of the contract that is there to its place in a row."""

    places: Mapping[str, int]
    names: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line that names the columns that are not read, if there are any."""
        surplus = [name for name in self.names if name and name not in COLUMNS and name != REASON]
        return (f"{Warn.COLUMN_IGNORED}: not read: {shown(surplus)}",) if surplus else ()


def read_header(cells: Sequence[str]) -> Header:
    """Where each column stands. Raises `CsvHeaderMissing`, `CsvHeaderDuplicate` or `CsvColumnMissing`."""
    names = tuple(map(column_name, cells))
    if not set(COLUMNS) & set(names):
        raise CsvHeaderMissing(f"none of its cells is one of {', '.join(REQUIRED)}")
    twice = [name for name, count in Counter(names).items() if count > 1 and name in COLUMNS]
    if twice:
        raise CsvHeaderDuplicate(", ".join(twice))
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise CsvColumnMissing(f"{', '.join(missing)} (found: {shown([name for name in names if name])})")
    return Header({name: names.index(name) for name in COLUMNS if name in names}, names)


def shown(names: Sequence[str]) -> str:
    """Names from a client's file, made safe to print: bounded in number and length, nothing unprintable."""
    told = [
        "".join(char if char.isprintable() else "?" for char in name[:_SHOWN_CHARACTERS])
        for name in names[:_SHOWN_NAMES]
    ]
    more = len(names) - len(told)
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")
