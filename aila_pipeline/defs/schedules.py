"""Schedules: what happens by the clock.

Lives here: when, and the look that decides whether a run is worth it. Does not: the work (jobs.py).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from aila_pipeline.adapters.analysis import Analysis
from aila_pipeline.adapters.checklists import ChecklistsInForce
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.rescoring import stale_makers
from aila_pipeline.defs.jobs import deliver, prune, rescore, retry_failed
from aila_pipeline.settings import Settings

MOST_DAYS = 31


@dg.schedule(
    job=retry_failed,
    cron_schedule="*/5 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Calls that failed for a passing reason get another attempt, after a pause that doubles",
)
def retry_of_passing_failures(
    _context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings], ledger: dg.ResourceParam[Ledger]
) -> dg.RunRequest | dg.SkipReason:
    """A run only when a call is due."""
    due = ledger.batches.count_passing(
        limit=settings.retry_limit, pause=timedelta(minutes=settings.retry_minutes), now=datetime.now(UTC)
    )
    return dg.RunRequest(tags={"aila/due": str(due)}) if due else dg.SkipReason("no call is due for a retry")


@dg.schedule(
    job=rescore,
    cron_schedule="0 2 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Days with results that today's rules or checklists did not make are scored again",
)
def rescore_of_stale(
    context: dg.ScheduleEvaluationContext,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run a day of calls, newest first, at most a month of them a night."""
    analysis = Analysis(store, ChecklistsInForce.now(settings.checklists, ledger))
    days = ledger.results.stale_days(stale_makers(ledger, analysis), most=MOST_DAYS)
    if not days:
        yield dg.SkipReason("nothing is stale")
    for day in days:
        yield dg.RunRequest(run_key=f"{day}:{context.scheduled_execution_time:%Y-%m-%d}", partition_key=day.isoformat())


@dg.schedule(
    job=prune,
    cron_schedule="0 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Partition keys of old shards and batches, expired uploads and old answers are removed",
)
def pruning_of_partitions(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Every night."""
    return dg.RunRequest()


@dg.schedule(
    job=deliver,
    cron_schedule="7 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="While messages wait or were given up: a delivery each hour, even if the sensor is off",
)
def delivery_of_what_waits(
    context: dg.ScheduleEvaluationContext, ledger: dg.ResourceParam[Ledger]
) -> dg.RunRequest | dg.SkipReason:
    """It also brings figures and checks of `notices` and `crm_sync` up to date while nothing is due."""
    now = datetime.now(UTC)
    standings = [ledger.outbox_views.standing(webhooks=webhooks, now=now) for webhooks in (True, False)]
    if not any(standing.waiting or standing.dead for standing in standings):
        return dg.SkipReason("nothing waits, and nothing was given up")
    return dg.RunRequest(run_key=f"deliver:{context.scheduled_execution_time:%Y-%m-%dT%H}")
