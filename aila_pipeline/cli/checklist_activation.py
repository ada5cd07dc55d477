"""`aila checklists activate` and `deactivate`: which version scores which segments of a tenant.

Lives here: changing it, and telling which scores are stale by that and who makes them again. Does not: importing and
showing checklists (checklists.py), the scores themselves (the job `rescore`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aila_pipeline.adapters.analysis import Analysis
from aila_pipeline.adapters.checklists import ChecklistsInForce
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.rescoring import stale_scores
from aila_pipeline.cli.opening import Opened, opened
from aila_pipeline.cli.output import Code, error_line, plural, show, show_json
from aila_pipeline.cli.tenants import chosen_tenant, tenant_name
from aila_pipeline.domain.status import Stage

_MOST_DAYS = 10_000


def activate_version(
    home: Path | None,
    checklist_id: str,
    version: str | None,
    *,
    country: str | None,
    firm: str | None,
    segments: Sequence[str] | None,
    as_json: bool,
) -> int:
    """Let a version score its segments, or those given; tell what is stale now. Raises ChecklistUnknown."""
    with opened(home) as here:
        tenant = chosen_tenant(here, country, firm)
        if version is None:
            version = here.ledger.checklists.newest(tenant, checklist_id).version
        told = activated(here, tenant, checklist_id, version, segments, as_json=as_json)
    if as_json:
        show_json({"tenant": tenant_name(tenant), "id": checklist_id, "version": version} | told)
    return Code.WELL


def deactivate_checklist(
    home: Path | None,
    checklist_id: str,
    *,
    country: str | None,
    firm: str | None,
    segments: Sequence[str] | None,
    as_json: bool,
) -> int:
    """Let it score these segments no more. Exit 1 when it scored none of them; raises ChecklistUnknown."""
    with opened(home) as here:
        tenant = chosen_tenant(here, country, firm)
        here.ledger.checklists.find(tenant, checklist_id)
        gone = here.ledger.checklists.deactivate(tenant, checklist_id, segments)
        told: dict[str, Any] = {"tenant": tenant_name(tenant), "id": checklist_id, "inactive_for": list(gone)}
        if gone:
            say(as_json, f"{checklist_id} scores {segments_told(gone)} of {tenant_name(tenant)} no more")
            told |= _told_stale(here, tenant, as_json=as_json)
    if not gone:
        error_line(f"{checklist_id} was not active there; `aila checklists list` shows what is")
        return Code.OTHER
    if as_json:
        show_json(told)
    return Code.WELL


def activated(
    here: Opened, tenant: Tenant, checklist_id: str, version: str, segments: Sequence[str] | None, *, as_json: bool
) -> dict[str, Any]:
    """Activate it, and tell for what, what else of it is active, and what is stale."""
    room = here.ledger.checklists
    served = room.activate(tenant, checklist_id, version, segments, now=datetime.now(UTC))
    scored = f"{segments_told(served)} of {tenant_name(tenant)}"
    say(as_json, f"{checklist_id} version {version} scores {scored} from now on")
    for each in room.versions(tenant):
        if each.id == checklist_id and each.version != version and each.active_for:
            say(as_json, f"its version {each.version} still scores {segments_told(each.active_for)}")
    return {"active_for": list(served)} | _told_stale(here, tenant, as_json=as_json)


def _told_stale(here: Opened, tenant: Tenant, *, as_json: bool) -> dict[str, Any]:
    """How many scores of the tenant's completed calls another checklist made, of which days, and who mends it."""
    analysis = Analysis(here.store, ChecklistsInForce.now(here.settings.checklists, here.ledger))
    makers = stale_scores(here.ledger, analysis, tenant.id)
    count = here.ledger.results.stale(makers)[Stage.SCORES]
    days = sorted(here.ledger.results.stale_days(makers, most=_MOST_DAYS))
    if count:
        span = f"of {days[0]}" if len(days) == 1 else f"of {len(days)} days from {days[0]} to {days[-1]}"
        say(as_json, f"{plural(count, 'score')} {span} are stale now: the schedule `rescore_of_stale` makes them again")
        say(as_json, "at 02:00 UTC, a backfill of the asset `rescored` over these days does it at once")
    else:
        say(as_json, "no score is stale")
    return {"stale_scores": count, "stale_days": [day.isoformat() for day in days]}


def say(as_json: bool, line: str) -> None:
    """A line for a person; with --json the document at the end tells the same."""
    if not as_json:
        show(line)


def segments_told(names: Sequence[str]) -> str:
    """`sales and support`, `all other segments`."""
    told = ["all segments that no other is active for" if name == "*" else name for name in names]
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)
