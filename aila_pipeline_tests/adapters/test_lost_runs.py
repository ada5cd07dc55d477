"""Lost runs end; those of others do not.

Lives here: which runs are ended, on a real Dagster instance. Does not: when that is done (test_stack.py).
"""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from aila_pipeline.adapters.lost_runs import end_lost_runs

OURS, OTHERS = "/home/a/code.sock", "/home/b/code.sock"


@dg.job
def idle() -> None:
    """A job without steps, for runs to be of."""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def a_run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, socket: str | None) -> str:
    """A run in this state, launched by the code server at this socket."""
    address = {".dagster/grpc_info": json.dumps({"host": "localhost", "socket": socket})} if socket else {}
    return instance.create_run_for_job(idle, status=status, tags=address).run_id


def status_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


@pytest.mark.parametrize(
    ("before", "after"), [("STARTED", "FAILURE"), ("STARTING", "FAILURE"), ("CANCELING", "CANCELED")]
)
def test_a_run_of_the_dead_code_server_ends(instance: dg.DagsterInstance, before: str, after: str) -> None:
    run = a_run(instance, dg.DagsterRunStatus[before], OURS)
    assert end_lost_runs(instance, OURS) == 1
    assert status_of(instance, run).value == after


@pytest.mark.parametrize(
    ("status", "socket"),
    [("STARTED", OTHERS), ("STARTED", None), ("NOT_STARTED", OURS), ("SUCCESS", OURS), ("FAILURE", OURS)],
)
def test_any_other_run_stays_as_it_is(instance: dg.DagsterInstance, status: str, socket: str | None) -> None:
    """On a storage that several code servers share, not launched yet, or already over."""
    run = a_run(instance, dg.DagsterRunStatus[status], socket)
    assert end_lost_runs(instance, OURS) == 0
    assert status_of(instance, run).value == status
