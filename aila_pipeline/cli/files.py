"""Files: which of a command's arguments is what.

Lives here: a pair or a manifest from the paths that a person typed. Does not: reading them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from aila_pipeline.domain.intake.drop_zone import NAME


@dataclass(frozen=True)
class Given:
    """What is submitted: `csv` and `zip`, or `manifest` alone."""

    csv: Path | None = None
    zip: Path | None = None
    manifest: Path | None = None

    @property
    def main(self) -> Path:
        """The file that lists the calls."""
        found = self.manifest or self.csv
        assert found is not None, "sort_out gives one of the two"
        return found


def sort_out(files: Sequence[Path]) -> Given:
    """Tell CSV, ZIP and JSON apart by their endings, in whichever order they were given; typer.BadParameter if not."""
    by_end = {path.suffix.lower(): path for path in files}
    missing = next((path for path in files if not path.is_file()), None)
    if missing is not None:
        raise typer.BadParameter(f"there is no file {missing}")
    if len(files) == 2 and set(by_end) == {".csv", ".zip"}:
        return Given(csv=by_end[".csv"], zip=by_end[".zip"])
    if len(files) == 1 and set(by_end) == {".json"}:
        return Given(manifest=by_end[".json"])
    raise typer.BadParameter("give a .csv and a .zip, or one .json")


def check_names(country: str, firm: str) -> None:
    """Refuse what no tenant can be called."""
    for option, value in (("--country", country), ("--firm", firm)):
        if not NAME.fullmatch(value):
            raise typer.BadParameter(f"{option}: up to 63 of a-z, 0-9, '.', '_' and '-'")
