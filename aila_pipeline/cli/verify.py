"""`aila verify`: ledger, Dagster's events and stored objects held against each other.

Lives here: asking the audit and showing what it found. Does not: the comparison (audit.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import dagster as dg
from rich.table import Table

from aila_pipeline.audit import Audit, Difference
from aila_pipeline.cli.opening import Opened, opened
from aila_pipeline.cli.output import Code, console, plural, row, show, show_json, table, tell
from aila_pipeline.dagster_home import dagster_environment, write_dagster_home


def verify_home(home: Path | None, *, repair: bool, as_json: bool) -> int:
    """Show each difference; with `repair`, mend what can be mended and look again."""
    with opened(home) as here:
        found = differences(here, _teller())
        mended: list[Difference] = []
        if repair:
            for difference in found:
                if difference.mend is not None:
                    difference.mend()
                    mended.append(difference)
        left = differences(here, _teller()) if mended else found
    if as_json:
        show_json({"differences": [_document(each) for each in left], "mended": [_document(each) for each in mended]})
    else:
        if mended:
            show(_shown(mended, "MENDED"), "")
        if left:
            show(_shown(left, "LEFT" if mended else "DIFFERENCE"), "")
        show(_verdict(left, repair=repair))
    return Code.OTHER if left else Code.WELL


def differences(here: Opened, tell_progress: Callable[[str], None]) -> list[Difference]:
    """All that the audit finds in this home."""
    ledger, store = here.ledger, here.store
    write_dagster_home(here.settings)
    os.environ.update(dagster_environment(here.settings))
    with dg.DagsterInstance.get() as instance:
        return list(Audit(here.settings, ledger, store, instance, tell_progress).differences())


def _teller() -> Callable[[str], None]:
    """Progress, on a terminal."""
    if not console(stderr=True).is_terminal:
        return lambda _line: None
    return lambda line: tell(f"  {line}")


def _verdict(left: list[Difference], *, repair: bool) -> str:
    if not left:
        return "ledger, Dagster and objects agree"
    mendable = sum(each.mend is not None for each in left)
    told = plural(len(left), "difference")
    if mendable and not repair:
        return f"{told}; `aila verify --repair` mends {mendable}"
    return f"{told} that nothing here can mend; look at what is named, and submit those calls again"


def _shown(found: list[Difference], title: str) -> Table:
    made = table(title, "OF", "WHAT", fold=("OF", "WHAT"))
    for each in found:
        row(made, each.kind, each.subject, each.what)
    return made


def _document(each: Difference) -> dict[str, object]:
    return {"kind": each.kind, "subject": each.subject, "what": each.what, "can_be_mended": each.mend is not None}
