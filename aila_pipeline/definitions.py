"""Definitions: the table of contents of the Dagster side.

Lives here: what there is, by name. Does not: what any of it does (defs/). Building it does no I/O.
"""

import dagster as dg

from aila_pipeline.defs import jobs, schedules, sensors
from aila_pipeline.defs.assets.call_audio import call_audio
from aila_pipeline.defs.assets.deliveries import deliveries
from aila_pipeline.defs.assets.insights import insights
from aila_pipeline.defs.assets.outcomes import outcomes
from aila_pipeline.defs.assets.people import people
from aila_pipeline.defs.assets.scores import rescored, scores
from aila_pipeline.defs.assets.submission import submission
from aila_pipeline.defs.assets.summaries import summaries
from aila_pipeline.defs.assets.transcripts import transcripts
from aila_pipeline.defs.emission import batch_spec, call_spec
from aila_pipeline.defs.resources import resources_for
from aila_pipeline.settings import Settings


def build_defs(settings: Settings, **overrides: object) -> dg.Definitions:
    """The definitions for these settings; `overrides` replace resources by name, for tests."""
    return dg.Definitions(
        assets=[
            submission,
            call_audio,
            transcripts,
            insights,
            summaries,
            scores,
            rescored,
            people,
            outcomes,
            call_spec,
            batch_spec,
            deliveries,
        ],
        jobs=[jobs.take_in, jobs.process, jobs.deliver, jobs.rescore, jobs.retry_failed, jobs.prune],
        sensors=[
            sensors.drop_zone,
            sensors.shard_admission,
            sensors.shard_recovery,
            sensors.event_repair,
            sensors.outbox_delivery,
        ],
        schedules=[
            schedules.retry_of_passing_failures,
            schedules.rescore_of_stale,
            schedules.delivery_of_what_waits,
            schedules.pruning_of_partitions,
        ],
        resources=resources_for(settings) | overrides,
        # A run is one shard in one process: fan out by runs, not by steps.
        executor=dg.in_process_executor,
    )


defs = build_defs(Settings())
