"""`aila checklists …`: what calls are scored by.

Lives here: names, options, one paragraph of help each. Does not: what a command does (checklists.py,
checklist_activation.py).
"""

# ruff: noqa: PLC0415 - as in app.py: what a command needs is imported when it runs

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aila_pipeline.cli.options import Home, Json, group

checklists = group("Checklists by which calls are scored.")

Country = Annotated[
    str | None, typer.Option(envvar="AILA_COUNTRY", metavar="XX", help="The tenant; where there is but one,")
]
Firm = Annotated[str | None, typer.Option(envvar="AILA_FIRM", metavar="NAME", help="that one.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="One checklist as YAML; docs/checklists.md explains it.")]
Id = Annotated[str, typer.Argument(metavar="ID", show_default=False)]
Version = Annotated[
    str | None, typer.Option(metavar="VERSION", help="Which version. [the active one, else the newest]")
]
Segments = Annotated[
    list[str] | None,
    typer.Option("--segment", metavar="NAME", help="For these segments; * is all others. [those that it names]"),
]


@checklists.command("check")
def check(file: File, as_json: Json = False) -> int:
    """Tell whether a file is a checklist, and if not, why and on which line. Needs no ledger."""
    from aila_pipeline.cli.checklists import check_file

    return check_file(file, as_json=as_json)


@checklists.command("import")
def import_(
    file: File,
    *,
    country: Country = None,
    firm: Firm = None,
    activate: Annotated[bool, typer.Option("--activate", help="Let it score calls from now on.")] = False,
    segments: Segments = None,
    home: Home = None,
    as_json: Json = False,
) -> int:
    """Keep a version of a checklist for a tenant.

    A broken one is refused with line and reason; whatever is active stays active. A version, once imported, cannot
    change: a changed checklist needs a new `version`.
    """
    from aila_pipeline.cli.checklists import import_file

    if segments and not activate:
        raise typer.BadParameter("--segment says for what to --activate it")
    return import_file(
        file, home=home, country=country, firm=firm, activate=activate, segments=segments, as_json=as_json
    )


@checklists.command("list")
def list_(*, country: Country = None, firm: Firm = None, home: Home = None, as_json: Json = False) -> int:
    """All versions, and what each scores now."""
    from aila_pipeline.cli.checklists import show_versions

    return show_versions(home, country=country, firm=firm, as_json=as_json)


@checklists.command("show")
def show(
    checklist_id: Id,
    *,
    version: Version = None,
    country: Country = None,
    firm: Firm = None,
    home: Home = None,
    as_json: Json = False,
) -> int:
    """Print a checklist as it was imported."""
    from aila_pipeline.cli.checklists import show_checklist

    return show_checklist(home, checklist_id, version, country=country, firm=firm, as_json=as_json)


@checklists.command("activate")
def activate(
    checklist_id: Id,
    *,
    version: Annotated[str | None, typer.Option(metavar="VERSION", help="Which one. [the one imported last]")] = None,
    segments: Segments = None,
    country: Country = None,
    firm: Firm = None,
    home: Home = None,
    as_json: Json = False,
) -> int:
    """Let a version score calls from now on.

    It takes the place of whatever scored its segments. Scores of calls that ended before become stale, and are made
    again at night or by the job `rescore`.
    """
    from aila_pipeline.cli.checklist_activation import activate_version

    return activate_version(home, checklist_id, version, country=country, firm=firm, segments=segments, as_json=as_json)


@checklists.command("deactivate")
def deactivate(
    checklist_id: Id,
    *,
    segments: Annotated[
        list[str] | None, typer.Option("--segment", metavar="NAME", help="For these segments alone. [all]")
    ] = None,
    country: Country = None,
    firm: Firm = None,
    home: Home = None,
    as_json: Json = False,
) -> int:
    """Let a checklist score no more calls. Its segments fall back to the tenant's *, else to AILA_CHECKLISTS.

    Exit code 1 if it was active for none of them.
    """
    from aila_pipeline.cli.checklist_activation import deactivate_checklist

    return deactivate_checklist(home, checklist_id, country=country, firm=firm, segments=segments, as_json=as_json)
