"""`aila check`: the dry run of a submission, by the very rules that the pipeline goes by.

Lives here: what would fail, gathered and shown; the rejected rows' file. Does not: the rules (domain/intake,
adapters/audio.py) or how long it would take (estimate.py). Neither ledger nor store is needed, and none is changed.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.progress import track
from rich.table import Table

from aila_pipeline.adapters.archive import FileRange, open_entry, read_directory
from aila_pipeline.adapters.audio import inspect
from aila_pipeline.adapters.checking import MAX_ENTRIES, MAX_UNPACKED_BYTES
from aila_pipeline.cli.estimate import Estimate, estimate
from aila_pipeline.cli.files import Given, sort_out
from aila_pipeline.cli.opening import Opened, ledger_exists, opened
from aila_pipeline.cli.output import Code, console, error_line, length, numbers, plural, row, show, show_json, table
from aila_pipeline.domain.intake.csv_text import MAX_CSV_BYTES
from aila_pipeline.domain.intake.join import ArchiveEntry, Files
from aila_pipeline.domain.intake.manifest import MAX_MANIFEST_BYTES, read_manifest
from aila_pipeline.domain.intake.pair import read_pair, rejects_csv
from aila_pipeline.domain.models import ArchiveSource, AudioFacts, Problem, Submission, SubmittedCall, TenantSettings
from aila_pipeline.errors import CallError, CsvTooLarge, ManifestInvalid, SubmissionRefused, advice_of
from aila_pipeline.settings import Settings


@dataclass
class Findings:
    """What a dry run found. `audio` is by position, as far as it was decoded."""

    submission: Submission | None = None
    refusal: SubmissionRefused | None = None
    audio: dict[int, AudioFacts] = field(default_factory=dict)
    estimate: Estimate | None = None
    rejects: Path | None = None

    @property
    def calls(self) -> tuple[SubmittedCall, ...]:
        """All rows or items."""
        return self.submission.calls if self.submission else ()

    @property
    def failing(self) -> int:
        """How many calls would fail."""
        return sum(not call.accepted for call in self.calls)

    @property
    def problems(self) -> list[Problem]:
        """Everything that is wrong, of the rows or of the whole."""
        if self.refusal is not None:
            return [problem for problem in self.refusal.problems if isinstance(problem, Problem)]
        return [problem for call in self.calls for problem in call.problems]

    @property
    def seconds(self) -> float:
        """Audio that was decoded, or else declared."""
        declared = (call.details.declared_seconds or 0.0 for call in self.calls if call.details)
        return sum(facts.seconds for facts in self.audio.values()) if self.audio else sum(declared)

    @property
    def code(self) -> Code:
        """0 when nothing would fail, 3 when some calls would, 4 when all would or the whole is refused."""
        if self.refusal is not None or self.failing == len(self.calls):
            return Code.FAILED
        return Code.PARTIAL if self.failing else Code.WELL


def check_files(
    files: Sequence[Path],
    *,
    home: Path | None,
    country: str | None,
    firm: str | None,
    rejects: Path,
    quick: bool,
    as_json: bool,
) -> int:
    """Check, show, write the rejected rows; the exit code is that of `Findings.code`."""
    given = sort_out(files)
    with opened(home) as here:
        tenant = _tenant(here, country, firm)
        findings = Findings()
        try:
            if given.manifest is not None:
                findings.submission = read_manifest(
                    _small(given.manifest, MAX_MANIFEST_BYTES), tenant, datetime.now(UTC)
                )
            else:
                _check_pair(given, tenant, here.settings, findings, quick=quick, rejects=rejects)
        except SubmissionRefused as refusal:
            findings.refusal = refusal
    if as_json:
        show_json(_document(findings))
    else:
        _show(findings, given)
    if findings.refusal is not None:
        error_line(f"would be refused: {findings.refusal.message}")
    return findings.code


def _tenant(here: Opened, country: str | None, firm: str | None) -> TenantSettings:
    """The tenant's own settings where there is a ledger that knows it, else those that a new tenant gets."""
    if country and firm and ledger_exists(here.settings):
        tenant = here.ledger.tenants.find(country, firm)
        if tenant is not None:
            return tenant.settings
    return TenantSettings()


def _check_pair(
    given: Given, tenant: TenantSettings, settings: Settings, findings: Findings, *, quick: bool, rejects: Path
) -> None:
    assert given.csv is not None
    assert given.zip is not None
    csv = _small(given.csv, MAX_CSV_BYTES)
    with FileRange(given.zip) as archive:
        entries = read_directory(archive, max_entries=MAX_ENTRIES, max_total_bytes=MAX_UNPACKED_BYTES)
        findings.submission = read_pair(
            csv,
            entries,
            tenant,
            datetime.now(UTC),
            max_rows=settings.max_rows,
            max_audio_bytes=settings.max_audio_bytes,
        )
        if not quick:
            _listen(archive, entries, tenant, settings, findings)
    if findings.failing:
        if rejects.resolve() == given.csv.resolve():
            # Mended rows, checked again, must not be lost to what is still wrong in them.
            rejects = rejects.with_stem(rejects.stem + ".again")
        rejects.write_bytes(rejects_csv(csv, findings.submission, tenant))
        findings.rejects = rejects


def _listen(
    archive: FileRange,
    entries: Sequence[ArchiveEntry],
    tenant: TenantSettings,
    settings: Settings,
    findings: Findings,
) -> None:
    """Decode every recording, one at a time; those that cannot be join the rejected rows."""
    assert findings.submission is not None
    files = Files(entries, fallback_encoding=tenant.fallback_encoding)
    judged: list[SubmittedCall] = []
    shown = console(stderr=True)
    calls = findings.calls
    for call in track(calls, "decoding", console=shown, transient=True, disable=not shown.is_terminal):
        if not call.accepted or call.details is None or not isinstance(call.details.source, ArchiveSource):
            judged.append(call)
            continue
        try:
            entry = files.find(call.details.source.name, max_audio_bytes=settings.max_audio_bytes)
            with _unpacked(archive, entry, settings) as path:
                findings.audio[call.position] = facts = inspect(
                    path, max_seconds=settings.max_audio_hours * 3600, max_bytes=settings.max_audio_bytes
                )
                if findings.estimate is None and len(facts.silent_channels) < facts.channels:
                    findings.estimate = estimate(settings, path, facts, language=tenant.language)
            judged.append(call)
        except CallError as error:
            problem = Problem(position=call.position, field="audio_file_name", code=error.code, message=error.message)
            judged.append(call.model_copy(update={"details": None, "problems": (problem,)}))
    findings.submission = findings.submission.model_copy(update={"calls": tuple(judged)})


@contextmanager
def _unpacked(archive: FileRange, entry: ArchiveEntry, settings: Settings) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(prefix="aila-check-") as file:
        for block in open_entry(archive, entry, budget_bytes=settings.max_audio_bytes):
            file.write(block)
        file.flush()
        yield Path(file.name)


def _small(path: Path, limit: int) -> bytes:
    size = path.stat().st_size
    if size > limit:
        refusal = ManifestInvalid if path.suffix.lower() == ".json" else CsvTooLarge
        raise refusal(f"{size} bytes, the limit is {limit}")
    return path.read_bytes()


def _show(findings: Findings, given: Given) -> None:
    problems = findings.problems
    if problems:
        show(_by_reason(problems, "ROWS" if given.csv else "ITEMS"), "")
    if findings.submission is None:
        return
    for line in findings.submission.warnings:
        show(line)
    warned = Counter(warning for call in findings.calls for warning in call.warnings)
    for warning, count in sorted(warned.items()):
        show(f"{warning}: {plural(count, 'call')}")
    good = len(findings.calls) - findings.failing
    show(f"{plural(len(findings.calls), 'call')}: {good:,} good, {findings.failing:,} would fail")
    if findings.audio:
        show(f"audio: {length(findings.seconds)} in {plural(len(findings.audio), 'recording')}")
    elif findings.seconds:
        show(f"audio: {length(findings.seconds)}, as declared")
    if findings.estimate is not None:
        show(f"time:  {findings.estimate.told(findings.seconds)}")
    if findings.rejects is not None:
        show(f"rejected rows with their reasons, ready to mend and submit: {findings.rejects}")


def _by_reason(problems: Sequence[Problem], where: str) -> Table:
    """What is wrong, the most frequent first, each with what to do about it."""
    found: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for problem in problems:
        found[problem.code, problem.message.removesuffix(advice_of(problem.code)).rstrip("; ")].append(problem.position)
    made = table(*("FAIL", "CODE", where, "WHY", "WHAT TO DO"), right=("FAIL",), fold=(where, "WHY", "WHAT TO DO"))
    for (code, why), positions in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        row(made, f"{len(set(positions)):,}", code, numbers(positions), why, advice_of(code))
    return made


def _document(findings: Findings) -> dict[str, Any]:
    refusal = findings.refusal
    return {
        "total_calls": len(findings.calls),
        "would_fail": findings.failing,
        "refused": {"code": refusal.code, "message": refusal.message} if refusal else None,
        "problems": [problem.model_dump() for problem in findings.problems],
        "warnings": list(findings.submission.warnings) if findings.submission else [],
        "audio_seconds": round(findings.seconds, 3),
        "estimated_seconds": findings.estimate.seconds(findings.seconds) if findings.estimate else None,
        "rejects": str(findings.rejects) if findings.rejects else None,
    }
