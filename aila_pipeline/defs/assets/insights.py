"""`insights`: talk time, silences, interruptions, questions, keywords and sentiment of each call of a shard.

Lives here: the asset. Does not: the figures (domain/insights).
"""

from collections.abc import Iterator

import dagster as dg

from aila_pipeline.adapters.analysis import Analysis
from aila_pipeline.adapters.checklists import ChecklistsInForce
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.defs.assets.shard_stage import Found, ShardRun, StageWork, held_shard, shard_asset
from aila_pipeline.domain import insights as rules
from aila_pipeline.domain.status import Stage
from aila_pipeline.settings import Settings


@shard_asset(
    Stage.INSIGHTS,
    deps=["transcripts"],
    group_name="analysis",
    kinds={"python"},
    code_version=rules.VERSION,
    description="Figures worked out from the turns alone, the same way each time.",
)
def insights(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
) -> Iterator[dg.MaterializeResult]:
    """Analyse every call of the shard whose insights are not current."""

    def body(shard: ShardRun) -> dg.MaterializeResult:
        analysis = Analysis(store, ChecklistsInForce((), ledger))
        tally = shard.go_through(
            StageWork(
                stage=Stage.INSIGHTS,
                reads=(Stage.TRANSCRIPTS,),
                version=analysis.insights_version,
                perform=lambda call, _force: Found(analysis.insights(call)),
            )
        )
        return dg.MaterializeResult(metadata=tally.metadata())

    yield from held_shard(context, settings, ledger, body)
