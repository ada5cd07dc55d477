"""CSV as spreadsheets write it: from bytes to records, before anybody asks what a column means.

Lives here: encodings, the delimiter, quotation marks, line ends, row numbers. Does not: which columns there must be
(header.py), or what a cell may hold (rows.py).

The standard library's strict reader splits the records. It is told apart what spoils one line (that row is rejected)
from what swallows several (the file is refused, since nothing tells where the calls begin and end).
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from aila_pipeline.errors import CsvEmpty, CsvHeaderMissing, CsvQuoteUnclosed, CsvTooLarge, CsvUnreadable

MAX_CSV_BYTES = 64 * 1024**2
"""100,000 rows of contract A take about 15 MB."""

DELIMITERS = (",", ";", "\t")
_BLANKS = " \t\r\n\u00a0\u200b\ufeff"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?[\r\n]*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Record:
    """One row: `position` is its number in a spreadsheet, `fault` why its line could not be split for certain."""

    position: int
    cells: tuple[str, ...]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class CsvText:
    """A CSV as records; rows without any content are left out, but counted in the positions."""

    header: tuple[str, ...]
    records: tuple[Record, ...]
    delimiter: str


def trim(cell: str) -> str:
    """The cell without what is invisible at its ends; other control characters stay, to be refused."""
    return cell.strip(_BLANKS)


def column_name(cell: str) -> str:
    """A header's cell as columns are compared: trimmed, in lower case."""
    return trim(cell).lower()


def read_csv(body: bytes, *, fallback_encoding: str, known_columns: Collection[str], max_rows: int) -> CsvText:
    """The header and the rows of a CSV file.

    The delimiter is the one by which most of `known_columns` are found in the header. Raises `CsvUnreadable`,
    `CsvQuoteUnclosed`, `CsvHeaderMissing`, `CsvEmpty` and `CsvTooLarge`.
    """
    lines = list(io.StringIO(decode(body, fallback_encoding), newline=""))
    separator = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    skipped = 1 if separator else 0
    delimiter = separator[1] if separator else _delimiter(lines, known_columns)
    rows = (record for record in _records(lines, skipped, delimiter) if any(map(trim, record.cells)))
    header = next(rows, None)
    if header is None:
        raise CsvEmpty("the file is empty")
    if header.fault:
        raise CsvHeaderMissing(header.fault)
    records: list[Record] = []
    for record in rows:
        if len(records) == max_rows:
            raise CsvTooLarge(f"more than {max_rows} rows")
        records.append(record)
    if not records:
        raise CsvEmpty("there is a header, but no row below it")
    return CsvText(header.cells, tuple(records), delimiter)


def decode(body: bytes, fallback_encoding: str) -> str:
    """The text: by its byte order mark, else as UTF-8, else in the tenant's fallback encoding.

    A file that is UTF-8 but for some damaged bytes is refused, not read in the fallback: every name in it would turn
    into nonsense without anybody being told.
    """
    if len(body) > MAX_CSV_BYTES:
        raise CsvTooLarge(f"{len(body)} bytes, the limit is {MAX_CSV_BYTES}")
    encoding = next((encoding for mark, encoding in _MARKS if body.startswith(mark)), "utf-8")
    try:
        text = body.decode(encoding)
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = body.count(b"\n", 0, start) + 1
        if encoding != "utf-8":
            raise CsvUnreadable(f"its first bytes say {encoding}, but line {line} is not") from None
        if _mostly_utf8(body):
            raise CsvUnreadable(f"it is UTF-8, but line {line} is damaged") from None
        text = _in_fallback(body, fallback_encoding)
    if "\0" in text:
        raise CsvUnreadable("it holds NUL bytes; a spreadsheet's own file must be exported as CSV first")
    return text


def _mostly_utf8(body: bytes) -> bool:
    """Whether more characters are proper UTF-8 beyond ASCII than are damaged."""
    beyond = [char for char in body.decode("utf-8", errors="replace") if char > "\x7f"]
    return len(beyond) > 2 * beyond.count("\ufffd")


def _in_fallback(body: bytes, encoding: str) -> str:
    """The text in the tenant's encoding."""
    try:
        text = body.decode(encoding)
        text.encode()  # some encodings can write halves of characters
    except (UnicodeError, LookupError):
        raise CsvUnreadable(f"neither UTF-8 nor the tenant's fallback {encoding!r} fits") from None
    return text


def _delimiter(lines: Sequence[str], known_columns: Collection[str]) -> str:
    """The delimiter by which the first row with content has most known columns; a comma when in doubt."""
    start = next((i for i, line in enumerate(lines) if trim(line)), 0)

    def known(delimiter: str) -> int:
        try:
            cells = next(csv.reader(lines[start : start + 50], delimiter=delimiter), [])
        except csv.Error:
            return 0
        return sum(column_name(cell) in known_columns for cell in cells)

    return max(DELIMITERS, key=known)


class _Lines(Iterator[str]):
    """Lines that know how many of them the reader has taken, and whether it has asked beyond the last."""

    def __init__(self, lines: Sequence[str], start: int) -> None:
        self.lines, self.taken, self.ended = lines, start, False

    def __next__(self) -> str:
        if self.taken == len(self.lines):
            self.ended = True
            raise StopIteration
        self.taken += 1
        return self.lines[self.taken - 1]


def _records(lines: Sequence[str], skipped: int, delimiter: str) -> Iterator[Record]:
    """Every record, empty ones too; `skipped` lines at the top are not part of the table."""
    source = _Lines(lines, skipped)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    position = 0
    while True:
        position, first, fault = position + 1, source.taken, None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            if source.ended or source.taken - first != 1:
                opened = first + _opening_line(lines[first : source.taken], delimiter)
                raise CsvQuoteUnclosed(f"it opens on line {opened}") from None
            cells = lines[first].rstrip("\r\n").split(delimiter)
            fault = "the row's quotation marks cannot be read, or a cell is far too long"
        yield Record(position, tuple(cells), fault)


def _opening_line(lines: Sequence[str], delimiter: str) -> int:
    """Which of these lines, from 1, opens the quotation that is not properly closed."""
    text = "".join(lines)
    quoted = re.compile(rf'(?:\A|(?<=[{delimiter}\r\n]))"(?:[^"]|"")*+("?)')
    for match in quoted.finditer(text):
        after = text[match.end() : match.end() + 1]
        if not match[1] or after not in {"", delimiter, "\r", "\n"}:
            return len(list(io.StringIO(text[: match.start() + 1], newline="")))
    return 1
