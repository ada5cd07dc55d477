"""Re-scoring: insights and scores of completed calls made again, without recognition and without an attempt.

Lives here: finding what is stale, and going through the completed calls of some days. Does not: calls that are under
way (their shard's run does them), the rules.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from aila_pipeline.adapters.analysis import Analysis, scored_for
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import StageResult, WorkCall
from aila_pipeline.adapters.ledger.results import result_row
from aila_pipeline.adapters.rereading import Rereading
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.versions import Version
from aila_pipeline.errors import ObjectMissing

RESCORED = (Stage.INSIGHTS, Stage.SCORES)
_READ = (Stage.TRANSCRIPTS, Stage.INSIGHTS, Stage.SUMMARIES)
Row = tuple[WorkCall, dict[str, Any]]


def stale_makers(ledger: Ledger, analysis: Analysis) -> dict[Stage, list[str]]:
    """Who made results that today's rules or checklists would not make so."""
    return {
        stage: [made_by for made_by in ledger.results.makers(stage) if not analysis.is_current(stage, made_by)]
        for stage in RESCORED
    }


def stale_scores(ledger: Ledger, analysis: Analysis, tenant_id: str) -> dict[Stage, list[str]]:
    """Who made scores of this tenant that would be made by another checklist today."""
    stale = stale_makers(ledger, analysis)[Stage.SCORES]
    return {Stage.SCORES: [made_by for made_by in stale if scored_for(made_by)[0] == tenant_id]}


def rescore(
    ledger: Ledger,
    analysis: Analysis,
    *,
    first: date,
    last: date,
    run_id: str,
    force: bool = False,
    rereading: Rereading | None = None,
    tell: Callable[[str], None],
) -> Counter[str]:
    """Make stale insights and scores of completed calls again; counts `calls/…` of what was done.

    `rereading` asks a language model where a checklist has questions that it has not answered; None: nobody is asked.
    A call whose recognition is gone from the store keeps its results and is counted as `calls/without_transcript`.
    """
    counts: Counter[str] = Counter({"calls/seen": 0, "calls/rescored": 0})
    for page in ledger.results.completed_on(first, last, *_READ, versions_of=[Stage.SCORES]):
        rows: list[Row] = []
        calls = page
        if rereading is not None:
            calls, rows = rereading.read(page, tell)
            counts["calls/reread"] += len(rows)
        for call in calls:
            if Stage.TRANSCRIPTS not in call.results:
                continue
            try:
                made = _made_again(call, analysis, run_id, force=force)
            except ObjectMissing:
                counts["calls/without_transcript"] += 1
                continue
            rows += made
            counts["calls/rescored"] += bool(made)
        ledger.results.replace(rows)
        counts["calls/seen"] += len(page)
        tell(f"{counts['calls/seen']} calls seen, {counts['calls/rescored']} scored again")
    return counts


def _made_again(call: WorkCall, analysis: Analysis, run_id: str, *, force: bool) -> list[Row]:
    """The results of one call that are not current, made anew."""
    rows: list[Row] = []

    def keep(version: Version, document: dict[str, Any], began: float) -> WorkCall:
        seconds = time.perf_counter() - began
        rows.append((call, result_row(call.id, version, document, seconds=seconds, run_id=run_id)))
        return replace(call, results=call.results | {version.stage: StageResult(version.id, document, seconds)})

    version, began = analysis.insights_version(call), time.perf_counter()
    if force or _stale(call, version):
        call = keep(version, analysis.insights(call), began)
    version, began = analysis.score_version(call), time.perf_counter()
    if force or _stale(call, version):
        document, _warnings = analysis.score(call, call.results[Stage.INSIGHTS].document)
        keep(version, document, began)
    return rows


def _stale(call: WorkCall, version: Version) -> bool:
    known = call.results.get(version.stage)
    return known is None or known.version != version.id
