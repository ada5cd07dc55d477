"""Lost runs: Dagster runs that are marked as under way although their process is gone.

Lives here: marking them as failed; run as `python -m aila_pipeline.adapters.lost_runs SOCKET` while no code server
runs. Does not: launching the work again, which the ledger decides.

Why: a run's process is a child of the code server, which reports its death within a second. When the code server died
with it, nobody does: Dagster's default launcher cannot look after a run's health, so run monitoring leaves the run at
STARTED for ever, and with it a place in the queue and in its pool.
"""

from __future__ import annotations

import json
import sys

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

_LAUNCHED_BY_TAG = ".dagster/grpc_info"
"""Where Dagster's default launcher keeps the address of the code server that works on the run."""

_UNDER_WAY = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def end_lost_runs(instance: DagsterInstance, socket: str) -> int:
    """Marks the runs of the code server at this socket as ended, and says how many there were.

    To be called only while that code server and its children are gone. Runs of other code servers on the same storage,
    and runs that had not reached one (these Dagster's start timeout ends), stay as they are.
    """
    lost = [run for run in instance.get_runs(RunsFilter(statuses=_UNDER_WAY)) if _code_server(run) == socket]
    for run in lost:
        if run.status == DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message="The run's process has ended.")
        else:
            instance.report_run_failed(run, message="The run's process ended together with its code server.")
    return len(lost)


def _code_server(run: DagsterRun) -> str | None:
    address = run.tags.get(_LAUNCHED_BY_TAG)
    socket = json.loads(address).get("socket") if address else None
    return str(socket) if socket else None


def main() -> None:
    """Ends the lost runs of the instance that `DAGSTER_HOME` names; prints their number."""
    with DagsterInstance.get() as instance:
        sys.stdout.write(f"{end_lost_runs(instance, sys.argv[1])}\n")


if __name__ == "__main__":
    main()
