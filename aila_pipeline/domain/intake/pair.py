"""A pair of CSV and ZIP: from the CSV's bytes and the ZIP's directory to a `Submission`, and back to the rejected rows.

Lives here: the order of the checks and what a rejected row's file looks like. Does not: the checks themselves
(csv_text.py, header.py, rows.py, join.py), or reading the ZIP (adapters/archive.py).
"""

from __future__ import annotations

import csv as csv_module
import io
from collections.abc import Sequence
from datetime import datetime

from aila_pipeline.domain.intake.csv_text import CsvText, column_name, read_csv
from aila_pipeline.domain.intake.header import COLUMNS, REASON, read_header
from aila_pipeline.domain.intake.identity import changed_pair_digest, pair_digest
from aila_pipeline.domain.intake.join import ArchiveEntry, join
from aila_pipeline.domain.intake.rows import CheckedRow, check_rows, details
from aila_pipeline.domain.models import Problem, Submission, SubmittedCall, TenantSettings, Warn
from aila_pipeline.domain.people import has_odd_phone
from aila_pipeline.errors import PermanentCallError, SourceChanged


def read_pair(
    csv: bytes,
    entries: Sequence[ArchiveEntry],
    tenant: TenantSettings,
    now: datetime,
    *,
    max_rows: int,
    max_audio_bytes: int,
) -> Submission:
    """Every row of the CSV, accepted or with all that is wrong with it and with its file.

    Raises a `SubmissionRefused` if the CSV cannot be read as a table with contract A's columns.
    """
    table = _table(csv, tenant, max_rows)
    header = read_header(table.header)
    rows = check_rows(table, header, tenant, now)
    names = {row.position: row.values["audio_file_name"] for row in rows if row.values}
    joined = join(
        {position: name for position, name in names.items() if name},
        entries,
        max_audio_bytes=max_audio_bytes,
        fallback_encoding=tenant.fallback_encoding,
    )
    return Submission(
        kind="pair",
        digest=pair_digest(csv, entries),
        calls=tuple(_call(row, _file_problems(row, joined.failures.get(row.position)), tenant) for row in rows),
        warnings=header.warnings + _left_over(joined.files_without_row),
    )


def changed_pair(csv: bytes, tenant: TenantSettings, now: datetime, *, max_rows: int, batch_id: str) -> Submission:
    """The rows of a pair whose archive is not the one that was checked any more: each fails as SOURCE_CHANGED.

    Its digest is this batch's alone, so that the pair that was meant can be sent again. Raises as `read_pair` does.
    """
    table = _table(csv, tenant, max_rows)
    header = read_header(table.header)
    changed = SourceChanged()
    calls = []
    for row in check_rows(table, header, tenant, now):
        problem = Problem(position=row.position, field=None, code=changed.code, message=changed.message)
        calls.append(_call(row, (problem, *row.problems), tenant))
    return Submission(
        kind="pair", digest=changed_pair_digest(csv, batch_id), calls=tuple(calls), warnings=header.warnings
    )


def rejects_csv(csv: bytes, submission: Submission, tenant: TenantSettings) -> bytes:
    """The rejected rows with a last column `reason`, ready to mend and send again.

    `submission` is what `read_pair` made of `csv`. UTF-8 with a byte order mark, which spreadsheets understand; the
    columns, their order, the delimiter and the cells are those of the input, formulas included. Fields beyond the
    header follow after the reason, where a person sees them and another check refuses them again.
    """
    table = _table(csv, tenant, len(submission.calls))
    reasons = {
        call.position: "; ".join(dict.fromkeys(problem.message for problem in call.problems))
        for call in submission.calls
        if not call.accepted
    }
    width = len(table.header)
    kept = [place for place, cell in enumerate(table.header) if column_name(cell) != REASON]
    target = io.StringIO(newline="")
    writer = csv_module.writer(target, delimiter=table.delimiter, lineterminator="\r\n")
    writer.writerow([*(table.header[place] for place in kept), REASON])
    for record in table.records:
        if record.position in reasons:
            cells = [*record.cells, *[""] * (width - len(record.cells))]
            writer.writerow([*(cells[place] for place in kept), reasons[record.position], *cells[width:]])
    return target.getvalue().encode("utf-8-sig")


def _table(csv: bytes, tenant: TenantSettings, max_rows: int) -> CsvText:
    """The CSV as records."""
    return read_csv(csv, fallback_encoding=tenant.fallback_encoding, known_columns=COLUMNS, max_rows=max_rows)


def _file_problems(row: CheckedRow, failure: PermanentCallError | None) -> tuple[Problem, ...]:
    """All that is wrong with a row and with its file."""
    if failure is None:
        return row.problems
    told = Problem(position=row.position, field="audio_file_name", code=failure.code, message=failure.message)
    return (*row.problems, told)


def _call(row: CheckedRow, problems: tuple[Problem, ...], tenant: TenantSettings) -> SubmittedCall:
    """A row with its problems, or the call that it describes."""
    if problems or row.values is None:
        # An id that is itself in doubt, used twice for one, must not name a call.
        doubtful = row.values is None or any(problem.field == "partner_call_id" for problem in problems)
        external_id = None if doubtful or row.values is None else row.values["partner_call_id"] or None
        return SubmittedCall(position=row.position, external_id=external_id, problems=problems)
    found = details(row.values, tenant)
    warnings = (Warn.PHONE_UNUSUAL,) if has_odd_phone(found, tenant.phone_region) else ()
    return SubmittedCall(position=row.position, external_id=found.external_id, details=found, warnings=warnings)


def _left_over(files: int) -> tuple[str, ...]:
    """A warning about files that no row names; their number alone, since names may be personal."""
    if files == 0:
        return ()
    return (f"{Warn.AUDIO_WITHOUT_ROW}: {files} file{'s' if files > 1 else ''} of the archive named by no row",)
