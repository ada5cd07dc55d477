"""`aila up` and `aila db`: starting everything, and the ledger's schema.

Lives here: the two commands. Does not: processes (stack.py), migrations (adapters/ledger/migrations).
"""

from __future__ import annotations

from pathlib import Path

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.migrations import versions
from aila_pipeline.cli.opening import ledger_exists, note_api_url, note_dagster_url, place, read_settings
from aila_pipeline.cli.output import Code, show, tell
from aila_pipeline.settings import Settings
from aila_pipeline.stack import Stack


def run_up(home: Path | None, *, api_port: int, dagster_port: int) -> int:
    """Work in the foreground until told to stop; the exit code is the stack's."""
    settings = read_settings(home)

    def prepare() -> None:
        bring_up_to_date(settings)
        note_dagster_url(settings, stack.dagster_url)
        assert stack.api_url is not None, "it has a port"
        note_api_url(settings, stack.api_url)

    stack = Stack(settings, api_port=api_port, dagster_port=dagster_port, prepare=prepare)
    return stack.run_forever()


def bring_up_to_date(settings: Settings) -> tuple[str | None, str | None]:
    """Migrate the ledger; returns the versions before and after."""
    ledger = Ledger(settings.ledger_url)
    try:
        before, _ = versions(ledger.database)
        ledger.migrate()
        after, _ = versions(ledger.database)
    finally:
        ledger.close()
    return before, after


def make_if_missing(home: Path | None) -> None:
    """Make the ledger where there is none yet; one with another schema is left for `aila db` and whoever runs it."""
    settings = read_settings(home)
    if ledger_exists(settings):
        ledger = Ledger(settings.ledger_url)
        try:
            fresh = versions(ledger.database)[0] is None
        finally:
            ledger.close()
        if not fresh:
            return
    bring_up_to_date(settings)


def migrate(home: Path | None, *, check: bool) -> int:
    """Migrate and tell from which version to which; with `check`, only tell."""
    settings = read_settings(home)
    if not check:
        before, after = bring_up_to_date(settings)
        told = f"is at {after}" if before == after else f"{before or 'empty'} -> {after}"
        show(f"ledger {place(settings)}: schema {told}")
        return Code.WELL
    if not ledger_exists(settings):
        tell(f"ledger {place(settings)}: does not exist; `aila db` or `aila up` makes it")
        return Code.OTHER
    ledger = Ledger(settings.ledger_url)
    try:
        found, newest = versions(ledger.database)
    finally:
        ledger.close()
    if found == newest:
        show(f"ledger {place(settings)}: schema is at {newest}")
        return Code.WELL
    tell(f"ledger {place(settings)}: schema {found or 'empty'}, this program needs {newest}; run `aila db`")
    return Code.OTHER
