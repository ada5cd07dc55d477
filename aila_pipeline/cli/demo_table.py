"""The demo's tables: what became of the sample calls, and which of them failed why.

Lives here: one line a call. Does not: gathering (adapters/batch_report.py).
"""

from __future__ import annotations

from collections import Counter

from rich.table import Table

from aila_pipeline.cli.demo_home import Outcome
from aila_pipeline.cli.output import numbers, row, table
from aila_pipeline.cli.story import talk_told
from aila_pipeline.domain.report import BatchReport, ReportedCall
from aila_pipeline.domain.report.model import failures


def outcome(report: BatchReport) -> Outcome:
    """How many calls ended how."""
    return Counter(call.error.code if call.error else str(call.status) for call in report.calls)


def calls_table(report: BatchReport) -> Table:
    """Each call: what became of it, who spoke, how it begins, its score."""
    made = table("CALL", "STATUS", "WHO SPOKE", "FIRST WORDS", "SCORE", right=("SCORE",), cut=("FIRST WORDS",))
    for call in report.calls:
        name = call.name.rpartition("/")[2]
        who = talk_told(call.insights) if call.insights else None
        row(made, name, call.status, who, _first_words(call), None if call.total is None else f"{call.total:.1f}")
    return made


def failures_table(report: BatchReport, where: str) -> Table | None:
    """Why calls failed and what to do; None when none did."""
    found = failures(report.calls)
    if not found:
        return None
    made = table("FAILED", where, "WHY", "WHAT TO DO", fold=("WHY", "WHAT TO DO"))
    for failure in found:
        rows = numbers([call.position for call in failure.calls])
        row(made, failure.code, rows, failure.happened, failure.advice)
    return made


def _first_words(call: ReportedCall) -> str | None:
    """As much of the first turns as a line may need."""
    if call.transcript is None:
        return None
    return " / ".join(turn.text for turn in call.transcript.turns[:3])[:200] or "(no speech)"
