"""`outcomes`: the end of each attempt of a shard, in one transaction, and the events that tell it.

Lives here: the asset. Does not: the transaction (adapters/ledger/work.py), telling (emission.py).
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.defs import checks
from aila_pipeline.defs.assets.shard_stage import ShardRun, held_shard, shard_asset
from aila_pipeline.defs.emission import tell_waiting
from aila_pipeline.domain.status import Stage
from aila_pipeline.settings import Settings


@shard_asset(
    Stage.OUTCOMES,
    deps=["people"],
    group_name="status",
    kinds={"sqlalchemy"},
    code_version="1",
    description="Every attempt of the shard gets its one terminal status; a batch whose last shard this is closes.",
)
def outcomes(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
) -> Iterator[dg.MaterializeResult]:
    """End what has come through, and tell Dagster of all that ended."""

    def body(shard: ShardRun) -> dg.MaterializeResult:
        shard.work.enter(Stage.OUTCOMES)
        before = shard.work.calls(*Stage)
        through = [call for call in before if call.open and Stage.PEOPLE in call.results]
        closed = shard.work.end([(call, _payload(call)) for call in through])
        told = tell_waiting(context.instance, ledger, store, context.log_event, shard_id=shard.work.shard_id)
        if closed:
            told += tell_waiting(context.instance, ledger, store, context.log_event, subjects=closed)
        calls = shard.work.calls(Stage.CALL_AUDIO, Stage.SCORES)
        statuses = Counter(call.status for call in calls)
        shown: dict[str, Any] = {f"status/{status}": count for status, count in sorted(statuses.items())}
        codes = Counter(call.error_code for call in calls if call.error_code)
        shown |= {f"failed/{code}": count for code, count in sorted(codes.items())}
        shown |= {"ended_now": len(through), "events_told": told, "batches_closed": ", ".join(closed) or "none"}
        shown["audio_seconds"] = round(sum(_audio_seconds(call) for call in calls), 1)
        return dg.MaterializeResult(metadata=shown, check_results=checks.outcomes(shard.work.shard_id, calls, settings))

    yield from held_shard(context, settings, ledger, body)


def _audio_seconds(call: WorkCall) -> float:
    result = call.results.get(Stage.CALL_AUDIO)
    return float(result.document["seconds"]) if result else 0.0


def _payload(call: WorkCall) -> dict[str, Any]:
    """What the `call` event tells besides its status: numbers, never names or text."""
    spent = sum(result.seconds for result in call.results.values())
    score = call.results[Stage.SCORES].document
    told: dict[str, Any] = {
        "audio_seconds": round(_audio_seconds(call), 2),
        "processing_seconds": round(spent, 2),
        "words": call.results[Stage.TRANSCRIPTS].document["words"],
        "model": call.results[Stage.TRANSCRIPTS].document["model"],
        "checklist": score["checklist"],
        "score": score["total"],
    }
    return told | ({"warnings": ", ".join(call.warnings)} if call.warnings else {})
