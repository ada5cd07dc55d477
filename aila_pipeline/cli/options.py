"""Options: those that several commands have in common.

Lives here: their names, help and where else they are read from. Does not: any command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[
    Path | None, typer.Option("--home", metavar="DIR", envvar="AILA_HOME", help="Where everything is kept. [./.aila]")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]
Country = Annotated[str, typer.Option(envvar="AILA_COUNTRY", metavar="XX", help="The tenant's country, like kz.")]
Firm = Annotated[str, typer.Option(envvar="AILA_FIRM", metavar="NAME", help="The tenant's firm, like acme.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="METADATA.csv and AUDIOS.zip, or one BATCH.json.")]
BatchId = Annotated[str, typer.Argument(metavar="BATCH_ID", show_default=False)]
Wait = Annotated[bool, typer.Option("--wait", help="Show progress until the batch has ended.")]
Timeout = Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Wait no longer than this.")]


def group(about: str) -> typer.Typer:
    """An empty group of commands that looks and fails as `aila` itself does."""
    return typer.Typer(
        help=about,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
