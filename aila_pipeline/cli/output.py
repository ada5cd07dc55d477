"""Output: how commands speak. Results on standard output, everything else on standard error.

Lives here: tables, JSON, single lines, exit codes, times and lengths as people read them. Does not: any content.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING

from aila_pipeline.errors import AilaError, ChecklistError, CommandRefused, SettingInvalid, advice_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from aila_pipeline.domain.status import BatchStatus

WIDE = 160
"""Columns of what nobody's terminal limits: a pipe or a file."""

STYLES = {
    "completed": "green",
    "partial": "yellow",
    "failed": "bold red",
    "processing": "cyan",
    "submitted": "cyan",
}


class Code(IntEnum):
    """Exit codes."""

    WELL = 0
    OTHER = 1
    MISUSE = 2
    PARTIAL = 3
    FAILED = 4

    @classmethod
    def of_error(cls, error: AilaError) -> Code:
        """2 for what only the person at the keyboard can mend."""
        return cls.MISUSE if isinstance(error, CommandRefused | ChecklistError | SettingInvalid) else cls.OTHER

    @classmethod
    def of_batch(cls, status: BatchStatus | str) -> Code:
        """3 for `partial`, 4 for `failed`, 0 for `completed` and for what is not over."""
        return {"partial": cls.PARTIAL, "failed": cls.FAILED}.get(str(status), cls.WELL)


def console(*, stderr: bool = False) -> Console:
    """Where rich writes; never markup, so that a file name in brackets stays one."""
    from rich.console import Console  # noqa: PLC0415 - `aila --help` must not wait for it

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDE
    return Console(file=stream, markup=False, emoji=False, highlight=False, width=width)


def table(*columns: str, right: Iterable[str] = (), fold: Iterable[str] = (), cut: Iterable[str] = ()) -> Table:
    """An empty table. Columns named in `right` are numbers, in `fold` may take several lines, in `cut` may end in …."""
    from rich.table import Table  # noqa: PLC0415 - as above

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    numbers, folding, cutting = set(right), set(fold), set(cut)
    for name in columns:
        made.add_column(
            name,
            justify="right" if name in numbers else "left",
            no_wrap=name not in folding,
            overflow="fold" if name in folding else "ellipsis",
            # Without this, a table that is too wide would take from all columns alike, down to nothing.
            ratio=1 if name in cutting else None,
        )
    return made


def row(target: Table, *cells: object) -> None:
    """Add a row; a status gets its colour, None a dash, and whatever a terminal would obey is taken out."""
    from rich.text import Text  # noqa: PLC0415 - as above

    target.add_row(*(Text(plain(cell), style=STYLES.get(str(cell), "")) for cell in cells))


def show(*things: str | Table) -> None:
    """Results, on standard output."""
    out = console()
    for thing in things:
        if isinstance(thing, str):
            out.print(plain(thing), soft_wrap=True)
        else:
            _fit(thing, out)
            out.print(thing)


def _fit(made: Table, out: Console) -> None:
    """Let the columns that may be cut give way when the table is wider than the screen, and only then."""
    natural = out.measure(made, options=out.options.update(width=100_000)).maximum
    made.expand = natural > out.width and any(column.ratio for column in made.columns)


def show_json(document: object) -> None:
    """One JSON document alone on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def tell(line: str) -> None:
    """One line about what is going on, on standard error."""
    sys.stderr.write(plain(line) + "\n")
    sys.stderr.flush()


def error_line(message: str) -> None:
    """Why the command failed and what to do, in one line."""
    tell("error: " + " ".join(message.split()))


def plain(thing: object) -> str:
    """The text without control characters: a file name must not move the cursor or change the colours."""
    if thing is None:
        return "-"
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in str(thing))


def when(at: datetime | None, *, seconds: bool = False) -> str | None:
    """A time in UTC, without the year."""
    return f"{at.astimezone(UTC):{'%m-%d %H:%M:%S' if seconds else '%m-%d %H:%M'}}" if at else None


def length(seconds: float | None) -> str | None:
    """A length of time in the two units that matter.

    >>> length(0.42), length(42), length(185), length(7500), length(None)
    ('0.4 s', '42 s', '3 min 5 s', '2 h 5 min', None)
    """
    if seconds is None:
        return None
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(seconds: float) -> str:
    """A place in a recording: `m:ss.t`.

    >>> clock(65.44)
    '1:05.4'
    """
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths % 600 // 10:02}.{tenths % 10}"


def numbers(positions: Sequence[int], most: int = 12) -> str:
    """Row numbers as people write them.

    >>> numbers([2, 3, 4, 7, 9, 10])
    '2-4, 7, 9-10'
    """
    ranges: list[list[int]] = []
    for position in sorted(set(positions)):
        if ranges and position == ranges[-1][1] + 1:
            ranges[-1][1] = position
        else:
            ranges.append([position, position])
    told = [f"{first}-{last}" if last > first else str(first) for first, last in ranges]
    return ", ".join(told[:most]) + (" …" if len(told) > most else "")


def advised(code: str, message: str) -> str:
    """A stored failure's message, and what to do about it if the message does not say so already."""
    advice = advice_of(code)
    return message if message.endswith(advice) or advice == AilaError.advice else f"{message}; {advice}"


def plural(count: int, thing: str) -> str:
    """`1 call`, `2 calls`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
