"""Re-scoring: insights and scores of completed calls made again, without recognition and without an attempt.

Lives here: finding what is stale, going through the completed calls of some days, keeping what was made. Does not:
making it (rescoring_work.py), calls that are under way (their shard's run does them), the rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

from aila_pipeline.adapters.analysis import Analysis, scored_for
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.rereading import Rereading
from aila_pipeline.adapters.rescoring_work import stale_call, workers
from aila_pipeline.domain.status import Stage

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
    processes: int = 1,
    page_size: int = 500,
    tell: Callable[[str], None],
) -> Counter[str]:
    """Make stale insights and scores of completed calls again; counts `calls/…` of what was done.

    `rereading` asks a language model where a checklist has questions that it has not answered; None: nobody is asked.
    Many calls are spread over so many processes. A call whose recognition is gone from the store keeps its results and
    is counted as `calls/without_transcript`; so does one whose checklist cannot be used, `calls/unusable_checklist`.
    """
    counts: Counter[str] = Counter({"calls/seen": 0, "calls/rescored": 0})
    with workers(analysis.store, run_id, processes=processes) as work:
        found = ledger.results.completed_on(first, last, *_READ, versions_of=[Stage.SCORES], page=page_size)
        for page in found:
            rows: list[Row] = []
            calls = [call for call in page if analysis.can_score(call)]
            if len(calls) < len(page):
                counts["calls/unusable_checklist"] += len(page) - len(calls)
            if rereading is not None:
                calls, rows = rereading.read(calls, tell)
                counts["calls/reread"] += len(rows)
            heard = [call for call in calls if Stage.TRANSCRIPTS in call.results]
            stale = [each for call in heard if (each := stale_call(call, analysis, force=force))]
            warned = []
            for each, made in zip(stale, work.made(stale), strict=True):
                rows += [(each.call, row) for row in made or ()]
                counts["calls/without_transcript" if made is None else "calls/rescored"] += 1
                told, withdrawn = analysis.score_warnings(each.call)
                if made and (withdrawn or not set(told) <= set(each.call.warnings)):
                    warned.append((each.call, told, withdrawn))
            ledger.results.replace(rows, warned)
            counts["calls/seen"] += len(page)
            tell(f"{counts['calls/seen']} calls seen, {counts['calls/rescored']} scored again")
    return counts
