"""What a data engineer sees and clicks in Dagster's pages, in a real browser, on calls that have been processed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.cli.demo_home import demo_settings, environment
from aila_pipeline.demo.samples import write_pair
from aila_pipeline.stack import Stack
from aila_pipeline_tests.end_to_end.browser import LOCATION, DagsterPage, a_browser
from aila_pipeline_tests.services import chromium

pytestmark = [pytest.mark.slow, pytest.mark.services]

SHARD_ASSETS = ("call_audio", "transcripts", "insights", "summaries", "scores", "people", "outcomes")
ASSETS = ("submission", *SHARD_ASSETS, "rescored", "call", "batch")
SENSORS = ("drop_zone", "shard_admission", "shard_recovery", "event_repair")
PATIENCE_SECONDS = 420.0


@dataclass(frozen=True)
class Shown:
    """A pair of two good and two bad calls, in two shards, that has been processed."""

    url: str
    ledger: Ledger
    store: ObjectStore
    batch: str

    @property
    def shard(self) -> str:
        """The shard in which both good calls are."""
        return sorted(self.ledger.shards.ended_before(datetime.now(UTC), most=10))[0]

    @property
    def calls(self) -> set[str]:
        """The ids of all four."""
        return {view.id for view in self.ledger.views.calls_of(self.batch)}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """One stack for all tests of this module."""
    home = tmp_path_factory.mktemp("ui")
    settings = demo_settings(home / "home").model_copy(update={"shard_size": 2})
    csv, archive = write_pair(home / "pair", names=["sales_01", "support_01"], bad=True)
    store = open_store(settings.store_url)
    for path in (archive, csv):
        store.write(f"inbox/kz/acme/jan-13/{path.name}", path.read_bytes())
    ledger = Ledger(settings.ledger_url)
    with Stack(settings, dagster_port=0, env=environment(settings), prepare=ledger.migrate) as stack:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := ledger.views.recent()) or not found[0].status.terminal or ledger.events.waiting():
            assert time.monotonic() < deadline, "the pair has not been processed in time"
            time.sleep(0.5)
        yield Shown(stack.dagster_url, ledger, store, found[0].id)
    ledger.close()


@pytest.fixture
def dagster(shown: Shown, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[DagsterPage]:
    """A fresh browser; what it showed when a test failed is left as a picture in the test's folder."""
    failed_before = request.session.testsfailed
    with a_browser(chromium(), tmp_path / "profile", shown.url) as page:
        yield page
        if request.session.testsfailed > failed_before:
            page.page.screenshot(path=tmp_path / "failed.png", full_page=True)


def test_the_graph_shows_every_asset(dagster: DagsterPage) -> None:
    dagster.open_graph()
    for asset in ASSETS:
        dagster.sees(asset)


def test_a_shard_tells_what_was_done_in_it(dagster: DagsterPage, shown: Shown) -> None:
    """Counts, seconds and the model, under the shard's key."""
    dagster.open(f"/assets/transcripts?view=partitions&partition={shown.shard}", until="calls/done")
    told = dagster.metadata()
    assert int(told["calls/done"]) + int(told["calls/current"]) == 2
    assert (told["calls/failed"], told["model"]) == ("0", "demo")
    dagster.open(f"/assets/outcomes?view=partitions&partition={shown.shard}", until="status/completed")
    told = dagster.metadata()
    assert told["status/completed"] == "2"
    assert float(told["audio_seconds"]) > 30


def test_the_checks_of_a_shard_are_shown(dagster: DagsterPage, shown: Shown) -> None:
    """With what each means, and the counts of its latest evaluation."""
    dagster.open("/assets/outcomes?view=checks", until="few_failures")
    dagster.sees("nothing_lost").click()
    dagster.sees("Every call of the shard has ended")
    dagster.sees("Passed")
    told = dagster.metadata()
    assert int(told["calls"]) > 0
    assert told["open"] == "0"
    assert told["shard"].rpartition(".")[0] == shown.shard.rpartition(".")[0]


def test_each_call_is_an_event_of_its_own(dagster: DagsterPage, shown: Shown) -> None:
    dagster.open("/assets/call?view=events", until="batch_id")
    for call in shown.calls:
        dagster.sees(call)
    assert dagster.metadata()["batch_id"] == shown.batch


def test_the_end_of_a_batch_leads_to_its_report(dagster: DagsterPage, shown: Shown) -> None:
    """Counts, and a place at which the report really lies."""
    dagster.open("/assets/batch?view=events", until="report")
    told = dagster.metadata()
    assert (told["status"], told["calls"], told["completed"], told["failed"]) == ("partial", "4", "2", "2")
    report = Path(told["report"].removeprefix("file://"))
    assert shown.batch in report.read_text("utf-8")


@pytest.mark.parametrize("sensor", SENSORS)
def test_a_sensor_runs_and_has_no_failed_tick(dagster: DagsterPage, sensor: str) -> None:
    dagster.open(f"/locations/{LOCATION}/sensors/{sensor}", until="Running")
    dagster.sees(re.compile(r"^\d+ runs? requested$"))
    # The switch is a drawing; the box that tells its state is hidden behind it.
    dagster.page.get_by_role("checkbox", checked=True).wait_for(state="attached")
    assert "Failure" not in dagster.text()


def test_a_backfill_by_clicks_skips_what_is_current(dagster: DagsterPage, shown: Shown) -> None:
    """Over all shards and all stages: nothing is recognised again, and no call ends a second time."""
    recognised = {info.key: info.modified for info in shown.store.list("_aila/transcripts/")}
    dagster.open(f"/locations/{LOCATION}/jobs/process", until="Materialize all…")
    backfill = dagster.launch(dagster.choose_backfill("Materialize all"))
    assert dagster.wait_for_backfill(backfill, seconds=PATIENCE_SECONDS) in {"Succeeded", "Completed"}
    dagster.open(f"/assets/transcripts?view=partitions&partition={shown.shard}", until="calls/current")
    assert (dagster.metadata()["calls/done"], dagster.metadata()["calls/current"]) == ("0", "2")
    assert {info.key: info.modified for info in shown.store.list("_aila/transcripts/")} == recognised
    dagster.open("/assets/call?view=events", until="batch_id")
    assert sum(line in shown.calls for line in dagster.text().splitlines()) == len(shown.calls)


def test_a_backfill_with_the_force_tag_recognises_again(dagster: DagsterPage, shown: Shown) -> None:
    """The tag is typed into the dialog, and reaches the runs."""
    recognised = {info.key: info.modified for info in shown.store.list("_aila/transcripts/")}
    dagster.open("/assets/transcripts", until="Materialize…")
    backfill = dagster.launch(dagster.choose_backfill("Materialize", tags={"aila/force": "yes"}))
    assert dagster.wait_for_backfill(backfill, seconds=PATIENCE_SECONDS) in {"Succeeded", "Completed"}
    dagster.open(f"/assets/transcripts?view=partitions&partition={shown.shard}", until="calls/done")
    assert (dagster.metadata()["calls/done"], dagster.metadata()["calls/current"]) == ("2", "0")
    again = {info.key: info.modified for info in shown.store.list("_aila/transcripts/")}
    assert again.keys() == recognised.keys()
    assert all(again[key] > recognised[key] for key in again)
