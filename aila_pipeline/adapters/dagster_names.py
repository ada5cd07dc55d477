"""Names in Dagster that two sides must agree on: those who define its objects, and those who launch them.

Lives here: jobs, sets of partitions, run tags. Does not: defining (defs) or launching (sensors, api/launching.py).
"""

from __future__ import annotations

from aila_pipeline.adapters.ledger.records import Launch
from aila_pipeline.domain.models import Priority

TAKE_IN, PROCESS, DELIVER = "take_in", "process", "deliver"
"""The jobs of a submission, of a shard, and of the outbox."""

BATCHES, SHARDS = "batches", "shards"
"""The sets of dynamic partitions that those jobs run for."""

LAUNCH_TAG = "aila/launch"
"""Which launch of its shard or batch a run is."""

PRIORITY_TAG = "dagster/priority"


def submission_tags(launch: Launch) -> dict[str, str]:
    """Tags of the run that takes a submission in."""
    return {LAUNCH_TAG: str(launch.n)}


def shard_tags(launch: Launch) -> dict[str, str]:
    """Tags of the run of an admitted shard."""
    return {LAUNCH_TAG: str(launch.n), PRIORITY_TAG: "0" if launch.priority is Priority.LIVE else "-1"}
