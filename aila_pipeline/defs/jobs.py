"""Jobs: what can be run by name, from the UI, a sensor or a schedule.

Lives here: the jobs, and the two that work on no asset (retry, prune). Does not: when they run (sensors.py,
schedules.py).
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from aila_pipeline.adapters import dagster_names
from aila_pipeline.adapters.expired_uploads import remove_expired, remove_stray_copies
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.defs import partitions
from aila_pipeline.defs.assets.call_audio import call_audio
from aila_pipeline.defs.assets.deliveries import deliveries
from aila_pipeline.defs.assets.insights import insights
from aila_pipeline.defs.assets.outcomes import outcomes
from aila_pipeline.defs.assets.people import people
from aila_pipeline.defs.assets.scores import rescored, scores
from aila_pipeline.defs.assets.submission import submission
from aila_pipeline.defs.assets.summaries import summaries
from aila_pipeline.defs.assets.transcripts import transcripts
from aila_pipeline.settings import Settings

SHARD_ASSETS = (call_audio, transcripts, insights, summaries, scores, people, outcomes)
MOST_RETRIES = 5_000
MOST_PRUNED = 2_000
"""Keys one run removes at most; each costs Dagster about 34 ms."""

take_in = dg.define_asset_job(
    dagster_names.TAKE_IN,
    selection=dg.AssetSelection.assets(submission),
    description="Takes one submission in: partition = batch",
)
process = dg.define_asset_job(
    dagster_names.PROCESS,
    selection=dg.AssetSelection.assets(*SHARD_ASSETS),
    description="All stages for one shard; skips what is current unless tagged aila/force=yes",
)
deliver = dg.define_asset_job(
    dagster_names.DELIVER,
    selection=dg.AssetSelection.assets(deliveries),
    description="Sends what waits in the outbox to webhooks and CRMs, until nothing has been due for a while",
)
rescore = dg.define_asset_job(
    "rescore",
    selection=dg.AssetSelection.assets(rescored),
    description="Insights and scores of some days again, without recognition; skips what is current",
)


class RetryConfig(dg.Config):
    """`batch_id`: only this batch, all of its failed calls; empty: all batches, what failed for a passing reason."""

    batch_id: str = ""


@dg.op(description="Opens a new attempt for failed calls, in new shards")
def open_retries(
    context: dg.OpExecutionContext,
    config: RetryConfig,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
) -> None:
    """The new shards wait to be admitted like any other."""
    now = datetime.now(UTC)
    if config.batch_id:
        keys = ledger.batches.retry(config.batch_id, shard_size=settings.shard_size, now=now)
    else:
        keys = ledger.batches.retry_passing(
            limit=settings.retry_limit,
            pause=timedelta(minutes=settings.retry_minutes),
            shard_size=settings.shard_size,
            now=now,
            most=MOST_RETRIES,
        )
    if keys:
        context.instance.add_dynamic_partitions(str(partitions.shards.name), keys)
    context.log.info(f"{len(keys)} new shards: {', '.join(keys) or 'nothing to retry'}")


@dg.job(description="New attempts for failed calls: of one batch, or all that failed for a passing reason")
def retry_failed() -> None:
    """See RetryConfig."""
    open_retries()


@dg.op(description="Removes old partition keys; ledger, objects and events stay")
def remove_old_partitions(
    context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings], ledger: dg.ResourceParam[Ledger]
) -> None:
    """Keys of ended shards and batches that are older than AILA_KEEP_PARTITIONS_DAYS."""
    before = datetime.now(UTC) - timedelta(days=settings.keep_partitions_days)
    for definition, ended in (
        (partitions.shards, ledger.shards.ended_before(before, most=MOST_PRUNED * 5)),
        (partitions.batches, ledger.batches.ended_before(before, most=MOST_PRUNED * 5)),
    ):
        name = str(definition.name)
        known = set(context.instance.get_dynamic_partitions(name))
        old = [key for key in ended if key in known][:MOST_PRUNED]
        for number, key in enumerate(old, 1):
            context.instance.delete_dynamic_partition(name, key)
            if number % 100 == 0:
                context.log.info(f"{name}: {number} of {len(old)} removed")
        context.log.info(f"{name}: {len(old)} removed, {len(known) - len(old)} left")


@dg.op(description="Removes uploads that nobody submitted, and answers that no client asks for again")
def forget_old_requests(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
) -> None:
    """What the API keeps for a while: files of expired uploads, and answers older than AILA_IDEMPOTENCY_HOURS."""
    now = datetime.now(UTC)
    removed = remove_expired(ledger, store, now)
    remove_stray_copies(ledger, store, now)
    forgotten = ledger.idempotency.forget(now - timedelta(hours=settings.idempotency_hours))
    context.log.info(f"{removed} uploads removed, {forgotten} answers forgotten")


@dg.op(description="Removes messages that were delivered long ago")
def forget_delivered(
    context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings], ledger: dg.ResourceParam[Ledger]
) -> None:
    """Messages that were delivered more than AILA_KEEP_DELIVERED_DAYS ago; dead ones stay until they are replayed."""
    forgotten = ledger.outbox.forget(datetime.now(UTC) - timedelta(days=settings.keep_delivered_days))
    context.log.info(f"{forgotten} messages removed")


@dg.job(description="Removes partition keys of old shards and batches (re-scored by day), and what the API kept long")
def prune() -> None:
    """See remove_old_partitions, forget_old_requests and forget_delivered."""
    remove_old_partitions()
    forget_old_requests()
    forget_delivered()
