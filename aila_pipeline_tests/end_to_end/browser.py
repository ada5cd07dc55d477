"""Browser: a real Chromium before Dagster's pages, and the few things a person does there.

Lives here: starting it, opening a page, unfolding the graph, the dialog that launches a backfill. Does not: what the
pages must show (test_ui.py), or which of them make pictures for the docs (tools/screenshots).

Elements are found as a person finds them: by role and by the words on them (Dagster 1.13).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright

LOCATION = "__repository__@aila_pipeline"
"""Dagster's name for all that `definitions.py` defines."""

PATIENCE_MS = 90_000
"""For anything on a page: the webserver shares its machine with the runs that it shows."""

# No sandbox: it needs a user namespace, which root and most containers do not get, and the pages are all our own.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class DagsterPage:
    """One browser tab on one Dagster."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self._url = page, url

    def open(self, path: str, *, until: str) -> None:
        """The page at this path, loaded so far that it shows `until`."""
        self.page.goto(self._url + path)
        self.sees(until)

    def sees(self, text: str | re.Pattern[str]) -> Locator:
        """The first place where the whole text stands, once it is there (TimeoutError if it does not come)."""
        found = self.page.get_by_text(text, exact=True).locator("visible=true").first
        found.wait_for()
        return found

    def text(self) -> str:
        """All that can be read on the page."""
        return self.page.locator("body").inner_text()

    def metadata(self) -> dict[str, str]:
        """The rows of the table of metadata on this page."""
        self.page.get_by_role("row").or_(self.page.locator("tr")).first.wait_for()
        rows = [row.locator("td").all_inner_texts() for row in self.page.locator("tr").all()]
        return {cells[0].strip(): cells[1].strip() for cells in rows if len(cells) > 1}

    def open_graph(self, *, asset_list: bool = True) -> None:
        """The graph of all assets, every group unfolded, fitted into the page; with or without the list beside it."""
        self.open("/asset-groups", until="intake")
        folded = self.page.get_by_label("unfold_more")
        folded.first.wait_for()
        if not asset_list:
            self.page.get_by_role("button").filter(has=self.page.get_by_label("panel_show_right")).last.click()
        self._fit_graph()
        while folded.count():
            folded.first.click()
            # The graph glides into its new layout; what moves can't be clicked on, what is outside does not exist.
            self.page.wait_for_timeout(1000)
            self._fit_graph()

    def _fit_graph(self) -> None:
        """A double click on the empty canvas, in its lower left corner."""
        search = self.page.get_by_label("Search and filter assets").first.bounding_box()
        size = self.page.viewport_size
        assert search is not None
        assert size is not None
        self.page.mouse.dblclick(search["x"] + 10, size["height"] - 10)
        self.page.wait_for_timeout(1000)

    def hide_navigation(self) -> None:
        """More room for the page; the browser remembers it."""
        self.open("/runs", until="Hide navigation")
        self.page.get_by_text("Hide navigation").click()

    def choose_backfill(self, button: str, *, tags: Mapping[str, str] | None = None) -> Locator:
        """Opens the dialog of this page's button, chooses all partitions and enters the tags; returns the dialog."""
        self.page.get_by_role("button", name=button).first.click()
        dialog = self.page.get_by_role("dialog").filter(has_text="Launch runs to materialize")
        dialog.get_by_role("button", name="All", exact=True).click()
        for name, value in (tags or {}).items():
            dialog.get_by_text("Tags", exact=True).click()
            dialog.get_by_role("button", name="Add tags").click()
            entry = self.page.get_by_role("dialog").filter(has_text="Add tags to run")
            entry.get_by_placeholder("Tag Key").fill(name)
            entry.get_by_placeholder("Tag Value").fill(value)
            entry.get_by_role("button", name="Apply").click()
            entry.wait_for(state="hidden")
        return dialog

    def launch(self, dialog: Locator) -> str:
        """Clicks on the dialog's last button, and returns the id of the backfill that Dagster says it has created."""
        dialog.get_by_role("button", name=re.compile("^Launch ")).click()
        told = self.page.get_by_text(re.compile(r"Created backfill\s+\w+"))
        told.first.wait_for()
        match = re.search(r"Created backfill\s+(\w+)", told.first.inner_text())
        assert match is not None
        return match[1]

    def wait_for_backfill(self, backfill: str, *, seconds: float) -> str:
        """Looks at the backfill's page, which renews itself, until it has ended; returns what it says then."""
        self.open(f"/runs/b/{backfill}", until="Status")
        # Below the label, since the words stand as headings of the table, too.
        ended = re.compile(r"\bStatus\s+(Succeeded|Completed|Failed|Canceled)\b")
        deadline = time.monotonic() + seconds
        while (match := ended.search(self.text())) is None:
            assert time.monotonic() < deadline, f"backfill {backfill} has not ended within {seconds:.0f} s"
            self.page.wait_for_timeout(1000)
        return match[1]


@contextmanager
def a_browser(
    executable: Path, profile: Path, url: str, *, width: int = 1400, height: int = 900
) -> Iterator[DagsterPage]:
    """A tab before the Dagster at `url`, in a browser of its own that keeps its files in `profile`."""
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch_persistent_context(
            profile,
            executable_path=executable,
            args=_FLAGS,
            viewport={"width": width, "height": height},
            color_scheme="light",
            timezone_id="UTC",
            locale="en-US",
        ) as context,
    ):
        context.set_default_timeout(PATIENCE_MS)
        yield DagsterPage(context.pages[0], url)
