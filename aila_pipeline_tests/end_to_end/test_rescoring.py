"""Re-scoring as people start it: a backfill over days is one run, and makes exactly what is stale again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.tables import stage_results
from aila_pipeline.adapters.ledger.views import CallView
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.rescoring import stale_makers
from aila_pipeline.demo import CHECKLISTS
from aila_pipeline.domain.models import Warn
from aila_pipeline.domain.status import CallStatus, Stage
from aila_pipeline.settings import Settings
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_tenant, rows
from aila_pipeline_tests.adapters.ledger.completed import active, an_analysis, completed, made_unreadable
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import Pipeline, zipped
from aila_pipeline_tests.end_to_end.site import Site, wait_until

pytestmark = pytest.mark.slow

DAYS = [(NOW + timedelta(days=day)).date().isoformat() for day in range(3)]
FILES = [path.read_text("utf-8") for path in CHECKLISTS.glob("*.yaml")]
LAUNCH = """mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  } }"""
LOOK = """query Look($id: String!, $filter: RunsFilter!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } }
  runsOrError(filter: $filter) { ... on Runs { results { runId status tags { key value } } } } }"""


def two_tenants(ledger: Ledger, store: ObjectStore) -> dict[tuple[str, str], list[str]]:
    """Calls on three days of two firms, each with two checklists of the same ids; their ids by firm and segment."""
    made: dict[tuple[str, str], list[str]] = {}
    for tenant in (a_tenant(ledger, "acme"), a_tenant(ledger, "bolt")):
        for name in ("sales", "support"):
            active(ledger, tenant, name)
            made[tenant.firm, name] = [
                call
                for day in range(3)
                for call in completed(ledger, store, tenant, [name, name], now=NOW + timedelta(days=day))
            ]
    return made


def scored_in(ledger: Ledger, run_id: str) -> set[str]:
    """The calls that this run scored."""
    mine = (stage_results.c.run_id == run_id, stage_results.c.stage == Stage.SCORES)
    return {row.call_id for row in rows(ledger, stage_results, *mine)}


def test_the_job_over_days_scores_what_is_stale_of_one_tenant_and_one_checklist(pipeline: Pipeline) -> None:
    made = two_tenants(pipeline.ledger, pipeline.store)
    days = {"dagster__asset_partition_range_start": DAYS[0], "dagster__asset_partition_range_end": DAYS[-1]}
    first = pipeline.execute("rescore", **days)
    assert rescored(first) == 24
    active(pipeline.ledger, a_tenant(pipeline.ledger, "acme"), "sales", 2, phrase="good evening")
    again = pipeline.execute("rescore", **days)
    assert rescored(again) == 6
    assert scored_in(pipeline.ledger, again.run_id) == set(made["acme", "sales"])
    assert rescored(pipeline.execute("rescore", **days)) == 0


def test_a_checklist_of_another_release_leaves_its_own_calls_unscored_until_it_is_imported_again(
    pipeline: Pipeline, speech: bytes
) -> None:
    """Both calls are in one shard: that one cannot be scored must not keep the other from its end."""
    ledger, firm = pipeline.ledger, a_tenant(pipeline.ledger, "acme")
    for name in ("sales", "support"):
        active(ledger, firm, name)
    made_unreadable(ledger, firm, "sales")
    csv = a_csv(a_row("sales.flac", segment_type="sales"), a_row("support.flac", segment_type="support"))
    pipeline.drop_pair(csv, zipped({"sales.flac": speech, "support.flac": speech}))
    pipeline.run()
    assert [shown(pipeline, call) for call in pipeline.calls()] == [
        (CallStatus.COMPLETED, True, None),
        (CallStatus.COMPLETED, False, "support"),
    ]
    active(ledger, firm, "sales", 2)
    assert pipeline.execute("rescore", pipeline.the_batch().received_at.date().isoformat()).success
    both_scored = [(CallStatus.COMPLETED, False, "sales"), (CallStatus.COMPLETED, False, "support")]
    assert [shown(pipeline, call) for call in pipeline.calls()] == both_scored
    made_unreadable(ledger, firm, "sales")
    (shard,) = pipeline.instance.get_dynamic_partitions("shards")
    assert pipeline.execute("process", shard).success
    assert [shown(pipeline, call) for call in pipeline.calls()] == both_scored, "a backfill takes no score away"


def shown(pipeline: Pipeline, call: CallView) -> tuple[str, bool, str | None]:
    """A call's status, whether it is said that its checklist cannot be used, and which one scored it."""
    score = pipeline.ledger.views.results([call.id], Stage.SCORES)[call.id][Stage.SCORES].document
    return call.status, Warn.CHECKLIST_UNUSABLE in call.warnings, score["checklist"]


def rescored(run: dg.ExecuteInProcessResult) -> object:
    """How many calls the run scored again; each of its days tells the number of the whole run."""
    assert run.success
    told = run.asset_materializations_for_node("rescored")
    assert len(told) == len(DAYS)
    (number,) = {each.metadata["calls/rescored"].value for each in told}
    return number


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(Settings(home=tmp_path / "home", whisper_model="demo", demo=True))
    yield made
    made.ledger.close()


def test_a_backfill_launched_in_dagster_is_one_run_over_all_days(site: Site) -> None:
    """As its pages do it: GraphQL, the daemon, a process of its own."""
    made = two_tenants(site.ledger, site.store)
    with site.up() as stack:
        backfill, first = backfilled(stack.dagster_url)
        assert scored_in(site.ledger, first) == {call for calls in made.values() for call in calls}
        active(site.ledger, a_tenant(site.ledger, "bolt"), "support", 2, phrase="good evening")
        backfill_again, second = backfilled(stack.dagster_url)
        # Dagster looks for backfills whose runs have ended every half minute: once for both.
        for each in (backfill, backfill_again):
            wait_until(partial(ended, stack.dagster_url, each), "the backfill has ended")
    assert scored_in(site.ledger, second) == set(made["bolt", "support"])
    analysis = an_analysis(site.ledger, site.store, *FILES)
    assert site.ledger.results.stale(stale_makers(site.ledger, analysis)) == {Stage.INSIGHTS: 0, Stage.SCORES: 0}


def backfilled(url: str) -> tuple[str, str]:
    """Launch a backfill of `rescored` over the three days, wait for its one run's end; the ids of both."""
    params = {"assetSelection": [{"path": ["rescored"]}], "partitionNames": DAYS}
    launched = asked(url, LAUNCH, {"params": params})["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    backfill = str(launched["backfillId"])

    def statuses() -> list[str]:
        return [run["status"] for run in looked(url, backfill)["runsOrError"]["results"]]

    wait_until(lambda: bool(statuses()) and set(statuses()) <= {"SUCCESS", "FAILURE"}, "the run has ended")
    (run,) = looked(url, backfill)["runsOrError"]["results"]
    assert run["status"] == "SUCCESS"
    return backfill, str(run["runId"])


def ended(url: str, backfill: str) -> bool:
    """Whether the backfill ended, and well, with still one run."""
    found = looked(url, backfill)
    status = found["partitionBackfillOrError"]["status"]
    assert not status.startswith("FAILED"), status
    assert len(found["runsOrError"]["results"]) == 1
    return bool(status == "COMPLETED_SUCCESS")


def looked(url: str, backfill: str) -> dict[str, Any]:
    """The backfill and its runs."""
    return asked(url, LOOK, {"id": backfill, "filter": {"tags": [{"key": "dagster/backfill", "value": backfill}]}})


def asked(url: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    """What Dagster's GraphQL answers."""
    answer = httpx.post(f"{url}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
    assert "errors" not in answer, answer
    data: dict[str, Any] = answer["data"]
    return data
