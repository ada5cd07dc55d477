"""Partitions: what a person picks in the UI. Shards and batches are dynamic; days are for what is older than them.

Lives here: the three definitions and the tag that forces. Does not: adding or pruning keys (sensors.py, jobs.py), or
the names by which others launch (adapters/dagster_names.py).
Never a partition per call: 10,000 calls an hour would pass what Dagster advises for an asset within ten hours.
"""

import dagster as dg

from aila_pipeline.adapters import dagster_names

batches = dg.DynamicPartitionsDefinition(name=dagster_names.BATCHES)
"""One key a submission: `batch_…`."""

shards = dg.DynamicPartitionsDefinition(name=dagster_names.SHARDS)
"""One key for at most 100 calls: `<day>.<country>-<firm>.<batch>.<number>`."""

days = dg.DailyPartitionsDefinition(start_date="2025-01-01", timezone="UTC", end_offset=1)
"""The UTC day on which a call was accepted."""

FORCE_TAG = "aila/force"
"""A run or backfill with `aila/force=yes` does again what is current."""


def forced(context: dg.AssetExecutionContext) -> bool:
    """Whether the run was asked to do again what is current."""
    return context.run.tags.get(FORCE_TAG, "").lower() in {"yes", "true", "1"}
