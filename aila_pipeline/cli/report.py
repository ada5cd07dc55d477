"""`aila report`: a batch's page, written anew.

Lives here: where it goes. Does not: gathering (adapters/batch_report.py) or the page (domain/report).
"""

from __future__ import annotations

from pathlib import Path

from aila_pipeline.adapters.batch_report import gather, write_report
from aila_pipeline.cli.opening import opened
from aila_pipeline.cli.output import Code, show
from aila_pipeline.domain.report import render
from aila_pipeline.errors import NotKnown


def write(home: Path | None, batch_id: str, output: Path | None) -> int:
    """Write it into the store, or to `output`, and print where it is."""
    with opened(home) as here:
        view = here.ledger.views.batch(batch_id)
        if view is None:
            raise NotKnown(batch_id)
        if output is None:
            show(write_report(here.ledger, here.store, view.id))
        else:
            output.write_text(render(gather(here.ledger, here.store, view.id)), encoding="utf-8")
            show(str(output))
    return Code.WELL
