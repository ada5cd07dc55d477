"""Report: a batch as one page that a person reads, keeps and sends on.

Lives here: putting the page together. Does not: finding out what goes in (the caller fills a `BatchReport`), or where
the page is kept.

The page is one file: style, pictures and script are in it, nothing is fetched, and a content policy forbids that
anything be. It reads without the script, which only searches, sorts and opens. All that comes from outside is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from aila_pipeline.domain.models import Role
from aila_pipeline.domain.report import plots, wording
from aila_pipeline.domain.report.model import BatchReport, ReportedCall, ReportedError, failures

__all__ = ["BatchReport", "ReportedCall", "ReportedError", "render"]


def render(report: BatchReport) -> str:
    """The page as HTML text, to be written as UTF-8. The same report gives the same page."""
    pages = _pages()
    script = pages.get_template("report.js").render()
    return pages.get_template("report.html.j2").render(
        report=report,
        failures=failures(report.calls),
        bins=plots.score_bins(report.totals),
        bars=plots.talk_bars(report.calls),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


@cache
def _pages() -> Environment:
    """The templates with what they may use. Everything is escaped, whatever a template is called."""
    pages = Environment(
        loader=PackageLoader("aila_pipeline.domain.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {
        "clock": wording.clock,
        "span": wording.span,
        "number": wording.number,
        "percent": wording.percent,
        "moment": wording.moment,
        "mood": wording.mood,
        "opening": wording.opening,
        "safe_link": wording.safe_link,
        "per": lambda role, figure: figure.of(role),
    }
    pages.globals |= {
        "roles": {role: wording.ROLES[role] for role in Role},
        "warning_texts": wording.WARNINGS,
        "gap_texts": wording.GAPS,
        "talk_bar": plots.talk_bar,
        "timeline": plots.timeline,
        "told_roles": _speakers,
    }
    return pages


def _speakers(call: ReportedCall) -> set[Role]:
    """The roles that have a turn in the call."""
    return {turn.role for turn in call.transcript.turns} if call.transcript else set()
