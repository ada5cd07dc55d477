"""Sensors: what starts runs, and what brings back those that got lost. Each tick is bounded in number and time.

Lives here: the ticks. Does not: the decisions, which the ledger makes in transactions; a tick that dies half-way is
made up for by the next one. There is one relauncher, `shard_recovery`; Dagster's own run retries are off.

    drop_zone        files -> received batches -> `take_in` runs
    shard_admission  waiting shards -> `process` runs, live before backfill, fair between tenants
    shard_recovery   shards whose lease expired or whose run ended too early -> waiting again
    event_repair     endings that no run told Dagster
    outbox_delivery  messages that are due -> one `deliver` run
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from aila_pipeline.adapters.dagster_names import LAUNCH_TAG, PRIORITY_TAG, shard_tags, submission_tags
from aila_pipeline.adapters.drop_zone import DropZone
from aila_pipeline.adapters.intake import Intake
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import AdmittedShard
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.defs import partitions
from aila_pipeline.defs.emission import tell_waiting
from aila_pipeline.defs.jobs import deliver, process, take_in
from aila_pipeline.settings import Settings

EVERY_SECONDS = 5
"""Dagster's sensor loop has a floor of 5 s."""
MOST_ARRIVALS = 200
"""Batches one tick receives; each costs a transaction of 5 to 10 ms. The rest waits for the next tick, oldest first."""
REPAIR_EVERY_SECONDS = 30
"""Endings are told by their own run; what this sensor finds has waited for a minute already."""
MOST_SUBMISSIONS = 25
START_GRACE = timedelta(seconds=60)
"""An admitted shard that no run of its launch is known for is left alone so long: its run is being made."""
DELIVERY_GRACE = timedelta(minutes=15)
"""So long a delivery run may wait for its turn in the queue."""

LIVE = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def _live_runs(instance: dg.DagsterInstance, key: str) -> bool:
    filters = dg.RunsFilter(tags={"dagster/partition": key}, statuses=LIVE)
    return bool(instance.get_run_records(filters, limit=1))


@dg.sensor(
    job=take_in,
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Receives what lies in the drop zone, and starts a run for each submission",
)
def drop_zone(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
) -> dg.SensorResult | dg.SkipReason:
    """Look, note arrivals in the ledger, request a run for each batch that waits for one."""
    now = datetime.now(UTC)
    zone, intake = DropZone(store, settings), Intake(ledger, store, settings)
    patience = timedelta(minutes=settings.pair_alarm_minutes)
    late: dict[str, tuple[str, datetime]] = {}
    waiting = received = 0
    for arrival in zone.arrivals(ledger, now):
        if arrival.batch is not None:
            intake.finish(arrival.batch, arrival.objects)
        elif arrival.drop.kind == "waiting":
            waiting += 1
            if now - arrival.drop.since > patience:
                late[arrival.name] = (
                    "a file is still being written, or its other half has not come",
                    arrival.drop.since,
                )
        elif received < MOST_ARRIVALS:
            if zone.receive(ledger, arrival.drop, arrival.objects, now) is not None:
                received += 1
            else:
                late[arrival.name] = ("its tenant is not known, and AILA_CREATE_TENANTS is off", arrival.drop.since)
    cursor = _alarm(context, late, now)
    due = [
        launch
        for launch in ledger.batches.received(now=now, most=MOST_SUBMISSIONS)
        if not _live_runs(context.instance, launch.key)
    ]
    ledger.batches.launched([launch.key for launch in due], now=now)
    if not due:
        context.update_cursor(cursor)
        return dg.SkipReason(f"nothing new; {waiting} waiting for their other half or to stand still")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=launch.run_key, partition_key=launch.key, tags=submission_tags(launch))
            for launch in due
        ],
        dynamic_partitions_requests=[partitions.batches.build_add_request([launch.key for launch in due])],
        cursor=cursor,
    )


def _alarm(context: dg.SensorEvaluationContext, late: Mapping[str, tuple[str, datetime]], now: datetime) -> str:
    """Tell once about each drop that stays where it is; the cursor remembers which have been told."""
    told = set(json.loads(context.cursor or "[]"))
    for name in sorted(late.keys() - told):
        reason, since = late[name]
        minutes = (now - since).total_seconds() / 60
        context.log.warning(f"{name} has waited for {minutes:.0f} min: {reason}")
        context.instance.report_runless_asset_event(
            dg.AssetObservation("submission", description=f"{name} waits: {reason}", metadata={"minutes": minutes})
        )
    return json.dumps(sorted(late))


@dg.sensor(
    job=process,
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a run for each shard that is admitted",
)
def shard_admission(
    _context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], ledger: dg.ResourceParam[Ledger]
) -> dg.SensorResult | dg.SkipReason:
    """Admit as many shards as may be in flight."""
    admitted = ledger.shards.admit(most_in_flight=settings.max_shards_in_flight, now=datetime.now(UTC))
    if not admitted:
        return dg.SkipReason("no shard is waiting, or as many as may be are in flight")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=launch.run_key, partition_key=launch.key, tags=shard_tags(launch))
            for launch in admitted
        ],
        dynamic_partitions_requests=[partitions.shards.build_add_request([launch.key for launch in admitted])],
    )


@dg.sensor(
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Brings back shards whose worker died",
)
def shard_recovery(context: dg.SensorEvaluationContext, ledger: dg.ResourceParam[Ledger]) -> dg.SkipReason:
    """Fence and requeue what is admitted but worked on by nobody."""
    now = datetime.now(UTC)
    recovered = []
    for shard in ledger.shards.admitted(now=now):
        reason = _lost(context.instance, shard, now)
        if reason is not None and ledger.shards.recover(shard, now=now):
            context.log.warning(f"{shard.id} is launched again: {reason}")
            recovered.append(shard.id)
    return dg.SkipReason(f"brought back {len(recovered)}: {', '.join(recovered)}" if recovered else "nothing is lost")


def _lost(instance: dg.DagsterInstance, shard: AdmittedShard, now: datetime) -> str | None:
    """Why the shard is worked on by nobody, or None."""
    if shard.held_by is not None:
        if shard.expired:
            return "its lease expired"
        run = instance.get_run_by_id(shard.held_by)
        return "its run ended before it" if run is not None and run.is_finished else None
    launch = dg.RunsFilter(tags={"dagster/partition": shard.id, LAUNCH_TAG: str(shard.launch)})
    # Before the look for live runs: a run that is made between the two looks would else pass for one that has ended.
    made = bool(instance.get_run_records(launch, limit=1))
    if _live_runs(instance, shard.id):
        return None
    if made:
        return "its run ended without it"
    return "no run was made for it" if now - shard.admitted_at > START_GRACE else None


@dg.sensor(
    minimum_interval_seconds=REPAIR_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells Dagster of endings that no run has told",
)
def event_repair(
    context: dg.SensorEvaluationContext, ledger: dg.ResourceParam[Ledger], store: dg.ResourceParam[ObjectStore]
) -> dg.SkipReason:
    """Tell what has waited for a while; its run has died, or Dagster did not answer it."""
    told = tell_waiting(
        context.instance,
        ledger,
        store,
        context.instance.report_runless_asset_event,
        older_than=timedelta(seconds=60),
        most=200,
    )
    return dg.SkipReason(f"told {told} endings" if told else "all endings are told")


@dg.sensor(
    job=deliver,
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a run that delivers what is due in the outbox, unless one is under way",
)
def outbox_delivery(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], ledger: dg.ResourceParam[Ledger]
) -> dg.RunRequest | dg.SkipReason:
    """One run at a time is enough: it goes on until nothing has been due for a while. Two would do no harm."""
    now = datetime.now(UTC)
    due = ledger.outbox.due(now=now)
    if not due:
        return dg.SkipReason("no message is due")
    # One that is older has died without a word: it ends by itself after AILA_DELIVERY_MINUTES.
    since = now - timedelta(minutes=settings.delivery_minutes) - DELIVERY_GRACE
    under_way = dg.RunsFilter(job_name=deliver.name, statuses=LIVE, created_after=since)
    if context.instance.get_run_records(under_way, limit=1):
        return dg.SkipReason("a delivery is under way")
    # Before shards: it takes little, and somebody waits to be told.
    bucket = int(now.timestamp() // EVERY_SECONDS)
    return dg.RunRequest(run_key=f"deliver:{bucket}", tags={PRIORITY_TAG: "1", "aila/destinations": str(len(due))})
