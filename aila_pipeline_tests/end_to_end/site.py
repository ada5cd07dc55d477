"""A home whose stack is started, watched and killed by tests.

Lives here: the home, its stack, what works on it. Does not: tests, or the pipeline without processes (in_process.py).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.audit import Audit
from aila_pipeline.dagster_home import dagster_environment
from aila_pipeline.settings import Settings
from aila_pipeline.stack import Stack
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import zipped

PATIENCE_SECONDS = 600.0


class Site:
    """A home with its ledger and store, whose stack may be up or down."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.ledger_url)
        self.ledger.migrate()
        self.store: ObjectStore = open_store(settings.store_url)

    def up(self) -> Stack:
        """A stack on this home, to be entered."""
        return Stack(self.settings, dagster_port=0, env=environment(self.settings))

    def drop(self, files: dict[str, bytes], place: str = "inbox/kz/acme/one") -> None:
        """A pair with a row for each file."""
        self.store.write(f"{place}/audios.zip", zipped(files))
        self.store.write(f"{place}/metadata.csv", a_csv(*(a_row(name) for name in files)))

    def ended(self) -> bool:
        """Whether there is a batch and all have ended."""
        batches = self.ledger.views.recent()
        return bool(batches) and all(batch.status.terminal for batch in batches)

    def batches_cut(self, count: int) -> bool:
        """Whether there are so many batches, and all have been cut into shards."""
        batches = self.ledger.views.recent()
        return len(batches) == count and all(batch.counts for batch in batches)

    def differences(self) -> list[str]:
        """What the audit finds, and what is not told yet."""
        os.environ.update(dagster_environment(self.settings))
        with dg.DagsterInstance.get() as instance:
            audit = Audit(self.settings, self.ledger, self.store, instance, lambda _line: None)
            return [f"{found.kind} {found.subject}: {found.what}" for found in audit.differences()]


def environment(settings: Settings) -> dict[str, str]:
    """The settings as the stack's children read them."""
    return {
        "AILA_HOME": str(settings.home),
        "AILA_WHISPER_MODEL": "demo",
        "AILA_DEMO": "1",
        "AILA_LEASE_SECONDS": str(settings.lease_seconds),
        "AILA_CRASH_LIMIT": str(settings.crash_limit),
    }


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Poll twice a second."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"gave up waiting until {what}"
        time.sleep(0.5)


def at_work(site: Site) -> dict[int, str]:
    """Process ids and command lines of all that works on the home, this process left out."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = str(site.settings.home).encode() in (process / "environ").read_bytes()
            if ours and int(process.name) != os.getpid():
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended meanwhile
            continue
    return found
