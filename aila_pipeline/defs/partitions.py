"""Partitions: what a person picks in the UI. Shards and batches are dynamic; days are for what is older than them.

Lives here: the three definitions and the run tags. Does not: adding or pruning keys (sensors.py, jobs.py).
Never a partition per call: 10,000 calls an hour would pass what Dagster advises for an asset within ten hours.
"""

import dagster as dg

batches = dg.DynamicPartitionsDefinition(name="batches")
"""One key a submission: `batch_…`."""

shards = dg.DynamicPartitionsDefinition(name="shards")
"""One key for at most 100 calls: `<day>.<country>-<firm>.<batch>.<number>`."""

days = dg.DailyPartitionsDefinition(start_date="2025-01-01", timezone="UTC", end_offset=1)
"""The UTC day on which a call was accepted."""

FORCE_TAG = "aila/force"
"""A run or backfill with `aila/force=yes` does again what is current."""

LAUNCH_TAG = "aila/launch"
"""Which launch of its shard or batch a run is."""

PRIORITY_TAG = "dagster/priority"


def forced(context: dg.AssetExecutionContext) -> bool:
    """Whether the run was asked to do again what is current."""
    return context.run.tags.get(FORCE_TAG, "").lower() in {"yes", "true", "1"}
