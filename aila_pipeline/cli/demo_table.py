"""The demo's tables: what became of the sample calls, and which of them failed why.

Lives here: one line a call. Does not: gathering (adapters/batch_report.py).
"""

from __future__ import annotations

from collections import Counter

from rich.table import Table

from aila_pipeline.cli.demo_home import COUNTRY, FIRM, Outcome
from aila_pipeline.cli.opening import Opened
from aila_pipeline.cli.output import numbers, plural, row, table
from aila_pipeline.cli.story import talk_told
from aila_pipeline.domain.report import BatchReport, ReportedCall
from aila_pipeline.domain.report.model import failures
from aila_pipeline.domain.scoring import Verdict
from aila_pipeline.domain.scoring.verdicts import UNCOUNTED
from aila_pipeline.domain.words import tokens

_MOST_PEOPLE = 1000


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


def evidence_table(report: BatchReport) -> Table:
    """What each score rests on: the items that passed, and where the first of them was said."""
    made = table("CALL", "CHECKLIST", "PASSED", "SCORE", "EVIDENCE", right=("PASSED", "SCORE"), cut=("EVIDENCE",))
    for call in report.calls:
        if call.score is None:
            continue
        counted = [item for item in call.score.items if item.verdict not in UNCOUNTED]
        passed = sum(item.verdict is Verdict.PASS for item in counted)
        said = [f"{each.start:.1f} s “{each.quote}”" for item in call.score.items for each in item.evidence]
        total = None if call.total is None else f"{call.total:.1f}"
        name = call.name.rpartition("/")[2]
        row(made, name, call.score.checklist, f"{passed} of {len(counted)}", total, ", ".join(said[:3]) or None)
    return made


def invented(report: BatchReport) -> list[str]:
    """The calls whose score quotes what is not in their transcript."""
    return [call.call_id for call in report.calls if not all(_was_said(quote, call) for quote in _quotes(call))]


def _quotes(call: ReportedCall) -> list[str]:
    return [each.quote for item in call.score.items for each in item.evidence] if call.score else []


def _was_said(quote: str, call: ReportedCall) -> bool:
    """Whether the words stand in one of the call's turns, one after the other."""
    turns = call.transcript.turns if call.transcript else ()
    return any(f" {' '.join(tokens(quote))} " in f" {' '.join(tokens(turn.text))} " for turn in turns)


def people_told(here: Opened) -> str:
    """How many people the calls have made known."""
    tenant = here.ledger.tenants.ensure(COUNTRY, FIRM)
    users = here.ledger.people_pages.users(tenant.id, email=None, after=None, limit=_MOST_PEOPLE)
    contacts = here.ledger.people_pages.contacts(tenant.id, phone=None, email=None, after=None, limit=_MOST_PEOPLE)
    met = [user for user in users if user.name is not None]
    return f"people: {plural(len(met), 'user')} and {plural(len(contacts), 'contact')} were met in the calls"


def notices_told(counts: Counter[str], refused: int) -> str:
    """What the firm's receiver took, after it had checked each signature."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    wrong = f"; {refused} with a bad signature" if refused else ""
    return f"webhooks: {plural(counts.total(), 'message')} with a good signature ({kinds}){wrong}"


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
