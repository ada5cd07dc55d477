"""`aila checklists`: checking, importing and showing checklists.

Lives here: reading a file, what is asked of the ledger and how it is told. Does not: what a checklist may say
(domain/scoring), keeping versions (adapters/ledger/checklists.py), making one active (checklist_activation.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from aila_pipeline.adapters.ledger.call_views import iso
from aila_pipeline.adapters.ledger.checklists import ImportedChecklist
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.cli.checklist_activation import activated, say, segments_told
from aila_pipeline.cli.opening import opened
from aila_pipeline.cli.output import Code, plural, row, show, show_json, table, tell, when
from aila_pipeline.cli.tenants import chosen_tenant, tenant_name
from aila_pipeline.domain.scoring import Checklist, parse_checklist
from aila_pipeline.errors import ChecklistInvalid


def check_file(file: Path, *, as_json: bool) -> int:
    """Say what the file holds. Raises ChecklistInvalid when it is no checklist."""
    checklist, _ = _read(file)
    told = _document(checklist)
    if as_json:
        show_json(told)
    else:
        show(
            f"{file.name} is well: checklist {checklist.id} version {checklist.version}, "
            f"{plural(len(checklist.items), 'item')}, for {segments_told(checklist.segments)}"
        )
    return Code.WELL


def import_file(
    file: Path,
    *,
    home: Path | None,
    country: str | None,
    firm: str | None,
    activate: bool,
    segments: Sequence[str] | None,
    as_json: bool,
) -> int:
    """Keep the file's version, and activate it if asked to. Raises ChecklistInvalid, ChecklistConflict."""
    checklist, text = _read(file)
    with opened(home) as here:
        tenant = chosen_tenant(here, country, firm)
        new = here.ledger.checklists.import_version(tenant, checklist, text, now=datetime.now(UTC))
        told = {"tenant": tenant_name(tenant), "imported": new} | _document(checklist)
        done = "is imported" if new else "was imported before, word for word"
        say(as_json, f"{checklist.id} version {checklist.version} {done}, for {tenant_name(tenant)}")
        if activate:
            told |= activated(here, tenant, checklist.id, checklist.version, segments, as_json=as_json)
        else:
            say(as_json, f"`aila checklists activate {checklist.id} --version {checklist.version}` lets it score calls")
    if as_json:
        show_json(told)
    return Code.WELL


def show_versions(home: Path | None, *, country: str | None, firm: str | None, as_json: bool) -> int:
    """All versions of all tenants, or of one."""
    with opened(home) as here:
        tenants = {each.id: each for each in here.ledger.tenants.all()}
        chosen = chosen_tenant(here, country, firm) if country or firm else None
        found = here.ledger.checklists.versions(chosen)
        directory = here.settings.checklists
    if as_json:
        show_json([_version_document(each, tenants[each.tenant_id]) for each in found])
        return Code.WELL
    if not found:
        show(f"none is imported; the files in {directory} score all calls")
        return Code.WELL
    made = table("TENANT", "ID", "VERSION", "ITEMS", "SCORES", "IMPORTED", right=("ITEMS",), cut=("SCORES",))
    for each in found:
        items, served = len(each.document["items"]), ", ".join(each.active_for) or None
        row(made, tenant_name(tenants[each.tenant_id]), each.id, each.version, items, served, when(each.imported_at))
    show(made)
    return Code.WELL


def show_checklist(
    home: Path | None,
    checklist_id: str,
    version: str | None,
    *,
    country: str | None,
    firm: str | None,
    as_json: bool,
) -> int:
    """The YAML as it was imported; with --json what it was read as. Raises ChecklistUnknown."""
    with opened(home) as here:
        tenant = chosen_tenant(here, country, firm)
        found = here.ledger.checklists.find(tenant, checklist_id, version)
    if as_json:
        show_json(_version_document(found, tenant) | {"document": found.document})
        return Code.WELL
    served = f"scores {segments_told(found.active_for)}" if found.active_for else "is not active"
    tell(f"{found.id} version {found.version} of {tenant_name(tenant)} {served}")
    show(found.source.rstrip("\n"))
    return Code.WELL


def _read(file: Path) -> tuple[Checklist, str]:
    """The checklist and its text."""
    if not file.is_file():
        raise typer.BadParameter(f"there is no file {file}")
    data = file.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ChecklistInvalid(f"{file.name}, line {line}: not UTF-8") from None
    return parse_checklist(text, file.name), text


def _document(checklist: Checklist) -> dict[str, Any]:
    return {
        "id": checklist.id,
        "version": checklist.version,
        "title": checklist.title,
        "segments": list(checklist.segments),
        "items": len(checklist.items),
        "questions": len(checklist.questions),
        "digest": checklist.digest,
    }


def _version_document(each: ImportedChecklist, tenant: Tenant) -> dict[str, Any]:
    return {
        "tenant": tenant_name(tenant),
        "id": each.id,
        "version": each.version,
        "title": each.document["title"],
        "segments": list(each.document["segments"]),
        "items": len(each.document["items"]),
        "active_for": list(each.active_for),
        "imported_at": iso(each.imported_at),
    }
