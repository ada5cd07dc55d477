"""How fast completed calls are scored again when a checklist has changed.

    .venv/bin/python -m tools.measurements.rescore_speed [--calls 10000] [--processes 2] [--postgres]

Lives here: filling, importing the demo checklists and a changed version of each, measuring, and where the time goes.
Does not: starting services; `--postgres` needs what tools/services/run exports.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from aila_pipeline.adapters import rescoring_work
from aila_pipeline.adapters.analysis import Analysis
from aila_pipeline.adapters.checklists import ChecklistsInForce
from aila_pipeline.adapters.directory_store import DirectoryStore
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.ledger.results import Results
from aila_pipeline.adapters.ledger.tenants import DROP_ZONE
from aila_pipeline.adapters.rescoring import rescore
from aila_pipeline.demo import CHECKLISTS
from aila_pipeline.domain import insights, scoring
from aila_pipeline.domain.scoring import parse_checklist
from aila_pipeline_tests.services import fresh_database
from tools.measurements.scored_calls import fill

DAYS = 3


class Home:
    """A ledger and a store with calls in them."""

    def __init__(self, ledger: Ledger, root: Path) -> None:
        self.ledger, self.store = ledger, DirectoryStore(root)

    def activate(self, tenant: Tenant, version: int) -> None:
        """Each demo checklist in a version of its own; from the second on, one weight is another."""
        for path in sorted(CHECKLISTS.glob("*.yaml")):
            text = path.read_text("utf-8").replace('version: "1"', f'version: "{version}"')
            checklist = parse_checklist(text.replace("weight: 3", f"weight: {2 + version}"), path.name)
            now = datetime.now(UTC)
            self.ledger.checklists.import_version(tenant, checklist, text, now=now)
            self.ledger.checklists.activate(tenant, checklist.id, checklist.version, now=now)

    def rescore(self, processes: int) -> tuple[Counter[str], float]:
        """All days, in one go; with the seconds that it took."""
        analysis = Analysis(self.store, ChecklistsInForce.now(CHECKLISTS, self.ledger))
        last = datetime.now(UTC).date() + timedelta(days=1)
        began = time.perf_counter()
        first = date(last.year - 1, 1, 1)
        counts = rescore(
            self.ledger,
            analysis,
            first=first,
            last=last,
            run_id="measured",
            processes=processes,
            tell=lambda _line: None,
        )
        return counts, time.perf_counter() - began


@contextmanager
def shares() -> Iterator[dict[str, float]]:
    """Seconds spent in loading, rules and saving while this is open. The clocks themselves cost little of it."""
    spent = dict.fromkeys(("transcripts", "insights", "verdicts", "writing"), 0.0)

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*given, **named)
            finally:
                spent[name] += time.perf_counter() - began

        return run

    places: list[tuple[Any, str, str]] = [
        (rescoring_work, "load_transcript", "transcripts"),
        (insights, "analyse", "insights"),
        (scoring, "score", "verdicts"),
        (Results, "replace", "writing"),
    ]
    before = [getattr(owner, name) for owner, name, _ in places]
    for (owner, name, told), work in zip(places, before, strict=True):
        setattr(owner, name, timed(told, work))
    try:
        yield spent
    finally:
        for (owner, name, _), work in zip(places, before, strict=True):
            setattr(owner, name, work)


# Of what other processes did, this one knows nothing: there the shares are those of the first page.
def _show(what: str, counts: Counter[str], seconds: float, spent: dict[str, float]) -> None:
    done = counts["calls/rescored"]
    print(f"{what}: {done:,} calls in {seconds:.1f} s, {done / seconds:,.0f} a second")
    told = {name: value for name, value in spent.items() if value} | {"the rest": seconds - sum(spent.values())}
    print("  " + ", ".join(f"{name} {value:.1f} s ({value / seconds:.0%})" for name, value in told.items()))


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=2, help="of the last measurement; the others take one")
    parser.add_argument("--postgres", action="store_true", help="below tools/services/run")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(fresh_database()) if chosen.postgres else f"sqlite:///{root / 'ledger.db'}"
        home = Home(Ledger(url), root / "objects")
        home.ledger.migrate()
        tenant = home.ledger.tenants.ensure("kz", "acme")
        user_id = home.ledger.tenants.ensure_user(tenant, DROP_ZONE)
        began = time.perf_counter()
        fill(home.ledger, home.store, tenant, user_id, count=chosen.calls, days=DAYS, tell=lambda _count: None)
        filled = time.perf_counter() - began
        print(f"{chosen.calls:,} calls on {home.ledger.database.engine.name}, written in {filled:.0f} s")
        for version, (what, processes) in enumerate(
            [
                ("insights and scores", 1),
                ("scores, all checklists changed", 1),
                ("scores, all checklists changed", chosen.processes),
            ],
            1,
        ):
            home.activate(tenant, version)
            with shares() as spent:
                counts, seconds = home.rescore(processes)
            _show(f"{what}, {processes} process{'es' * (processes > 1)}", counts, seconds, spent)
        home.ledger.close()
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
