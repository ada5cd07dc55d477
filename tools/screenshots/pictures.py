"""Pictures: what each picture of the docs shows. All are 1400 px wide, cut where nothing follows.

Lives here: the pages, in an order in which none spoils the next. Does not: the home behind them (__main__.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aila_pipeline_tests.end_to_end.browser import LOCATION, DagsterPage

WIDTH = 1400
BACKFILL_SECONDS = 300.0
GRAPH_HEIGHT = 800


@dataclass(frozen=True)
class Pictures:
    """Takes pictures of one Dagster's pages into `target`."""

    dagster: DagsterPage
    target: Path

    def take(self, shards: Sequence[str], report: Path) -> Iterator[Path]:
        """All of them; yields the path of each as it is made."""
        yield self._report(report)
        self.dagster.hide_navigation()
        yield self._graph()
        self.dagster.open(f"/assets/transcripts?view=partitions&partition={shards[0]}", until="calls/done")
        yield self._picture("shard-metadata", height=800)
        self.dagster.open("/assets/call?view=events", until="batch_id")
        yield self._picture("call-events", height=820)
        self.dagster.open("/assets/notices?view=events", until="oldest_waiting_seconds")
        yield self._picture("notices", height=820)
        yield from self._backfill()

    def _report(self, report: Path) -> Path:
        self.dagster.page.goto(report.as_uri())
        return self._picture("report", height=1000)

    def _graph(self) -> Path:
        # High enough that the graph leaves its lower corners free, where a double click fits it into the page.
        self.dagster.page.set_viewport_size({"width": WIDTH, "height": GRAPH_HEIGHT})
        self.dagster.open_graph(asset_list=False)
        return self._picture("asset-graph", height=GRAPH_HEIGHT)

    def _backfill(self) -> Iterator[Path]:
        self.dagster.open(f"/locations/{LOCATION}/jobs/process", until="Materialize all…")
        dialog = self.dagster.choose_backfill("Materialize all", tags={"aila/force": "yes"})
        yield self._picture("backfill-dialog", height=700)
        self.dagster.wait_for_backfill(self.dagster.launch(dialog), seconds=BACKFILL_SECONDS)
        self.dagster.page.get_by_role("tab", name="Runs").click()
        yield self._picture("backfill", height=700)

    def _picture(self, name: str, *, height: int) -> Path:
        page, path = self.dagster.page, self.target / f"{name}.png"
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.wait_for_timeout(2500)  # movements come to rest, check marks arrive
        page.screenshot(path=path, animations="disabled")
        return path
