"""`summaries`: what a language model makes of each call of a shard, where one is configured.

Lives here: the asset, and asking about several calls at one time. Does not: what is asked, when it is asked again, what
it may cost (adapters/summarising.py), what holds of an answer (domain/summary).

No call fails here for want of a summary: what is missing is a gap in it and a warning of the call. Where the server was
down or the budget spent, the result is never current, so that the next run of the shard asks again.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from aila_pipeline.adapters.analysis import Analysis
from aila_pipeline.adapters.checklists import ChecklistsInForce
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.model_requests import Usage
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.summarising import Summarised, Summariser, incomplete
from aila_pipeline.defs import checks
from aila_pipeline.defs.assets.shard_stage import Found, ShardRun, StageWork, Tally, held_shard, shard_asset
from aila_pipeline.domain.models import Warn
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.summary import Gap, Question, Summary
from aila_pipeline.domain.summary.prompt import VERSION
from aila_pipeline.errors import Unexpected
from aila_pipeline.settings import Settings


@shard_asset(
    Stage.SUMMARIES,
    deps=["insights"],
    group_name="analysis",
    kinds={"openai"},
    code_version=VERSION,
    description="Summary, intent, promises, resolution, answers to the checklist, with quotes. Redacted as it leaves.",
)
def summaries(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
) -> Iterator[dg.MaterializeResult]:
    """Have a language model read every call of the shard whose summary is not current."""

    def body(shard: ShardRun) -> dg.MaterializeResult:
        analysis = Analysis(store, ChecklistsInForce.now(settings.checklists, ledger))
        with closing(Summariser.from_settings(settings, ledger)) as summariser:
            return _summarised(shard, summariser, analysis, ledger)

    yield from held_shard(context, settings, ledger, body)


def _summarised(shard: ShardRun, summariser: Summariser, analysis: Analysis, ledger: Ledger) -> dg.MaterializeResult:
    ledger.model_requests.mark_lost(datetime.now(UTC))
    stage = StageWork(
        stage=Stage.SUMMARIES,
        reads=(Stage.TRANSCRIPTS,),
        version=lambda call: summariser.version(call, _questions(call, analysis)),
        perform=lambda call, _force: _found(call, Summarised(Summary(), Usage())),
    )
    tally = shard.go_through(stage) if summariser.model is None else _ask_all(shard, stage, summariser, analysis)
    check = checks.incomplete_summaries(shard.work.shard_id, shard.work.calls(Stage.SUMMARIES))
    return dg.MaterializeResult(metadata=_shown(tally, summariser), check_results=[check])


def _questions(call: WorkCall, analysis: Analysis) -> tuple[Question, ...]:
    """What the call's checklist wants answered."""
    checklist = analysis.checklist(call)
    return checklist.questions if checklist is not None else ()


def _ask_all(shard: ShardRun, stage: StageWork, summariser: Summariser, analysis: Analysis) -> Tally:
    """Ask about AILA_LLM_CONCURRENCY calls at one time; each result is kept at once, since it was paid for."""
    tally = Tally()
    needing = shard.needing(stage, tally)
    with ThreadPoolExecutor(shard.settings.llm_concurrency, thread_name_prefix="language model") as pool:
        waiting = {pool.submit(_asked, summariser, analysis, call, shard): (call, version) for call, version in needing}
        try:
            for done in as_completed(waiting):
                call, version = waiting[done]
                with shard.failing(stage, call, tally):
                    try:
                        made, seconds = shard.guarded(stage, call, done.result)
                    except Unexpected:  # `guarded` has told the log where
                        made, seconds = _unexpected(summariser), 0.0
                    passing = any(gap.passing for gap in made.summary.gaps)
                    shard.keep(call, incomplete(version) if passing else version, _found(call, made), seconds, tally)
                    shard.work.flush()
        finally:
            summariser.stop()
            for future in waiting:
                future.cancel()
    shard.work.flush()
    return tally


def _asked(summariser: Summariser, analysis: Analysis, call: WorkCall, shard: ShardRun) -> tuple[Summarised, float]:
    """In a thread of its own: the summary, and the seconds it took."""
    began = time.perf_counter()
    said = analysis.transcript(call)
    made = summariser.summarise(call, said, _questions(call, analysis), on_progress=shard.work.progress)
    return made, time.perf_counter() - began


def _unexpected(summariser: Summariser) -> Summarised:
    name = summariser.model.name if summariser.model else None
    return Summarised(Summary(language_model=name, gaps=(Gap.UNEXPECTED,)), Usage())


def _found(call: WorkCall, made: Summarised) -> Found:
    gaps, usage = made.summary.gaps, made.usage
    if made.summary.language_model is None:
        return Found(made.summary.model_dump(mode="json"), sums={"calls/without_model": 1})
    return Found(
        document=made.summary.model_dump(mode="json"),
        warnings=(Warn.INSIGHTS_INCOMPLETE,) if gaps else (),
        withdrawn=(Warn.INSIGHTS_INCOMPLETE,) if not gaps and Warn.INSIGHTS_INCOMPLETE in call.warnings else (),
        sums={
            "calls/incomplete": bool(gaps),
            "calls/repaired": made.repaired,
            "model/requests": usage.requests,
            "model/prompt_tokens": usage.prompt_tokens,
            "model/completion_tokens": usage.completion_tokens,
            "model/cost_micros": usage.cost_micros,
        }
        | {f"incomplete/{gap}": 1 for gap in gaps},
    )


def _shown(tally: Tally, summariser: Summariser) -> dict[str, Any]:
    """The metadata: costs in the currency of the prices, what is not known of no model."""
    shown = tally.metadata() | {"model": summariser.model.name if summariser.model else "none"}
    if "model/cost_micros" in shown:
        shown["model/cost"] = shown.pop("model/cost_micros") / 10**6
    return shown
