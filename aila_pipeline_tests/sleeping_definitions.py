"""Definitions for the stack's tests: assets that sleep as long as a run's tag says, and a job over them.

Lives here: as little as Dagster takes for a code location. Does not: anything of the product's own definitions.
"""

import time

import dagster as dg

from aila_pipeline.adapters.parent_watch import die_with_parent, supervised

if supervised():
    die_with_parent()

SECONDS_TAG = "test/seconds"

naps = dg.DynamicPartitionsDefinition(name="naps")


def _sleep(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    end = time.monotonic() + float(context.run.tags.get(SECONDS_TAG, "0"))
    while time.monotonic() < end:
        time.sleep(0.1)
    return dg.MaterializeResult[None]()


@dg.asset
def nap(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Sleeps."""
    return _sleep(context)


@dg.asset(partitions_def=naps)
def nap_of(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Sleeps, one partition at a time."""
    return _sleep(context)


defs = dg.Definitions(
    assets=[nap, nap_of],
    jobs=[
        dg.define_asset_job("take_nap", [nap], executor_def=dg.in_process_executor),
        dg.define_asset_job("take_nap_of", [nap_of], executor_def=dg.in_process_executor),
    ],
)
