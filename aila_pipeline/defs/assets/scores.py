"""`scores`: each call of a shard held against the checklist of its segment; `rescored`: the same for a day, again.

Lives here: the two assets. Does not: what an item asks and when it passes (domain/scoring).
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date

import dagster as dg

from aila_pipeline.adapters.analysis import Analysis
from aila_pipeline.adapters.checklists import ChecklistsInForce
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.rereading import Rereading
from aila_pipeline.adapters.rescoring import rescore
from aila_pipeline.adapters.rescoring_work import usable_processes
from aila_pipeline.adapters.summarising import Summariser
from aila_pipeline.defs import checks, partitions
from aila_pipeline.defs.assets.shard_stage import Found, ShardRun, StageWork, held_shard, shard_asset
from aila_pipeline.domain import scoring as rules
from aila_pipeline.domain.status import Stage
from aila_pipeline.settings import Settings


@shard_asset(
    Stage.SCORES,
    deps=["summaries"],
    group_name="analysis",
    kinds={"python", "yaml"},
    code_version=rules.VERSION,
    description="Verdicts with evidence, from the tenant's checklist for the call's segment_type.",
)
def scores(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
) -> Iterator[dg.MaterializeResult]:
    """Score every call of the shard whose score is not current."""

    def body(shard: ShardRun) -> dg.MaterializeResult:
        analysis = Analysis(store, ChecklistsInForce.now(settings.checklists, ledger))
        totals: list[float] = []

        def perform(call: WorkCall, _force: bool) -> Found:
            document = analysis.score(call, call.results[Stage.INSIGHTS].document)
            if document["total"] is not None:
                totals.append(document["total"])
            return Found(document, *analysis.score_warnings(call))

        tally = shard.go_through(
            StageWork(
                stage=Stage.SCORES,
                reads=(Stage.TRANSCRIPTS, Stage.INSIGHTS),
                also=(Stage.SUMMARIES,),
                version=analysis.score_version,
                perform=perform,
            )
        )
        shown = tally.metadata() | {f"score/{name}": value for name, value in _spread(totals).items()}
        return dg.MaterializeResult(metadata=shown, check_results=[checks.stale_results(ledger, analysis)])

    yield from held_shard(context, settings, ledger, body)


def _spread(totals: list[float]) -> dict[str, float]:
    if not totals:
        return {}
    return {"lowest": min(totals), "mean": round(sum(totals) / len(totals), 1), "highest": max(totals)}


@dg.asset(
    partitions_def=partitions.days,
    deps=[dg.AssetDep("scores", partition_mapping=dg.AllPartitionMapping())],
    group_name="analysis",
    kinds={"python", "yaml"},
    owners=["team:calls"],
    code_version=rules.VERSION,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description="Insights and scores of a day's completed calls made again where they are stale; no recognition.",
)
def rescored(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
) -> dg.MaterializeResult:
    """Go through all completed calls of the chosen days; with `aila/force=yes` also where nothing is stale."""
    days = sorted(context.partition_keys)
    analysis, run_id = Analysis(store, ChecklistsInForce.now(settings.checklists, ledger)), context.run.run_id
    with closing(Summariser.from_settings(settings, ledger)) as summariser:
        counts = rescore(
            ledger,
            analysis,
            first=date.fromisoformat(days[0]),
            last=date.fromisoformat(days[-1]),
            run_id=run_id,
            force=partitions.forced(context),
            rereading=Rereading(ledger, analysis, summariser, concurrency=settings.llm_concurrency, run_id=run_id),
            processes=usable_processes(settings.cpu_threads),
            tell=context.log.info,
        )
    return dg.MaterializeResult(metadata={"days": len(days)} | dict(Counter(counts)))
