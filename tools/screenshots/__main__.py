"""Makes docs/images again: a throw-away home, the demo's calls through a real stack, a browser before its pages.

    .venv/bin/python -m tools.screenshots [--to docs/images] [--chromium /usr/bin/chromium]

Lives here: the home and the order of things. Does not: what each picture shows (pictures.py), or how pages are driven
(aila_pipeline_tests/end_to_end/browser.py). Takes about five minutes on two cores.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.views import BatchView
from aila_pipeline.cli.demo_home import demo_settings, drop_samples, environment, tell_receiver
from aila_pipeline.cli.opening import Opened
from aila_pipeline.demo.notice_receiver import NoticeReceiver, notice_receiver
from aila_pipeline.stack import Stack
from aila_pipeline_tests.end_to_end.browser import a_browser
from tools.screenshots.pictures import Pictures

SHARD_SIZE = 4
"""Calls; small, so that the demo's pair has several shards to show."""
PATIENCE_SECONDS = 900.0


def main() -> None:
    """One picture after the other; each name is printed with its size."""
    arguments = argparse.ArgumentParser(description="makes the docs' pictures again")
    arguments.add_argument("--to", type=Path, default=Path(__file__).parents[2] / "docs" / "images")
    arguments.add_argument("--chromium", type=Path, default=shutil.which("chromium"))
    chosen = arguments.parse_args()
    if chosen.chromium is None:
        arguments.error("there is no chromium on the PATH; name one with --chromium")
    chosen.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="aila-demo-") as folder:
        take_all(Path(folder), chosen.chromium, chosen.to)


def take_all(folder: Path, chromium: Path, target: Path) -> None:
    """Everything, in `folder`, which is empty."""
    with notice_receiver() as receiver:
        _take_all(folder, chromium, target, receiver)


def _take_all(folder: Path, chromium: Path, target: Path, receiver: NoticeReceiver) -> None:
    settings = demo_settings(folder / "home", near=(receiver.place,)).model_copy(update={"shard_size": SHARD_SIZE})
    ledger, here = Ledger(settings.ledger_url), Opened(settings)
    with Stack(settings, dagster_port=0, env=environment(settings), prepare=ledger.migrate) as stack:
        tell_receiver(here, receiver)
        drops = drop_samples(here, folder / "drops")
        batches = _ended(ledger, len(drops))
        pair = next(batch for batch in batches if batch.kind == "pair")
        report = settings.home / "objects" / "_aila" / "batches" / pair.id / "report.html"
        with a_browser(chromium, folder / "profile", stack.dagster_url) as dagster:
            for path in Pictures(dagster, target).take(_shards(ledger, pair.id), report):
                print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    here.close()
    ledger.close()


def _ended(ledger: Ledger, count: int) -> list[BatchView]:
    """The batches, once all have ended and Dagster and the receiver have been told of it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        batches = ledger.views.recent()
        if len(batches) == count and all(batch.status.terminal for batch in batches) and not _waiting(ledger):
            return batches
        if time.monotonic() > deadline:
            raise SystemExit("the demo's calls have not been processed in time")
        time.sleep(1.0)


def _waiting(ledger: Ledger) -> bool:
    """Whether Dagster or the receiver is still to be told of something."""
    standing = ledger.outbox_views.standing(webhooks=True, now=datetime.now(UTC))
    return bool(ledger.events.waiting() or standing.waiting)


def _shards(ledger: Ledger, batch: str) -> list[str]:
    """The batch's shards in order of their numbers."""
    return sorted(key for key in ledger.shards.ended_before(datetime.now(UTC), most=100) if batch in key)


if __name__ == "__main__":
    main()
