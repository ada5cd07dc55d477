"""`submission`: one per batch. Checks what came, moves it to a place of our own, makes calls and cuts shards.

Lives here: the asset. Does not: the checks (domain/intake) or the way of the files (adapters/intake.py).
"""

from collections import Counter
from typing import Any

import dagster as dg

from aila_pipeline.adapters.intake import Intake, Refused, Withdrawn, rejects_key
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.defs import partitions
from aila_pipeline.defs.emission import tell_waiting
from aila_pipeline.errors import AilaError
from aila_pipeline.settings import Settings


@dg.asset(
    partitions_def=partitions.batches,
    group_name="intake",
    kinds={"pandera", "s3"},
    owners=["team:calls"],
    code_version="1",
    description="A pair (CSV and ZIP) or manifest (JSON), checked, pinned and cut into shards of at most 100 calls.",
)
def submission(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
) -> dg.MaterializeResult:
    """Take the batch in; harmless when that has been done before."""
    batch = ledger.batches.get(context.partition_key)
    if batch is None:
        raise dg.Failure(f"the ledger knows no batch {context.partition_key}", allow_retries=False)
    try:
        outcome = Intake(ledger, store, settings).take(batch)
    except AilaError as error:
        told = {"code": error.code, "what now": "it is tried again by itself; nothing was lost"}
        raise dg.Failure(error.message, metadata=told) from error
    if isinstance(outcome, Withdrawn):
        return dg.MaterializeResult(metadata={"state": "withdrawn", "reason": "the files changed; received anew"})
    if isinstance(outcome, Refused):
        tell_waiting(context.instance, ledger, store, context.log_event, subjects=[batch.id])
        return dg.MaterializeResult(
            metadata={"state": "refused", "code": outcome.code, "reason": outcome.message}
            | _place("files", store, outcome.folder)
        )
    if outcome.shards:
        context.instance.add_dynamic_partitions(str(partitions.shards.name), list(outcome.shards))
    calls = ledger.views.calls_of(outcome.batch_id)
    failed = [call.id for call in calls if call.error_code]
    tell_waiting(context.instance, ledger, store, context.log_event, subjects=[outcome.batch_id, *failed[:500]])
    shown = _metadata(outcome.batch_id, outcome.state, ledger, len(outcome.shards))
    if store.exists(rejects_key(outcome.batch_id)):
        shown |= _place("rejected_rows", store, rejects_key(outcome.batch_id))
    return dg.MaterializeResult(metadata=shown)


def _place(name: str, store: ObjectStore, key: str) -> dict[str, Any]:
    """An address in the store that a person can copy."""
    return {name: dg.MetadataValue.path(f"{store.url.rstrip('/')}/{key}")}


def _metadata(batch_id: str, state: str, ledger: Ledger, shards: int) -> dict[str, Any]:
    """Counts per status and error code, and what a person may want to look at."""
    view = ledger.views.batch(batch_id)
    calls = ledger.views.calls_of(batch_id)
    codes = Counter(call.error_code for call in calls if call.error_code)
    shown: dict[str, Any] = {
        "state": state,
        "batch_id": batch_id,
        "calls": len(calls),
        "new_shards": shards,
        "warnings": list(view.warnings) if view else [],
    }
    return shown | {f"failed/{code}": count for code, count in sorted(codes.items())}
