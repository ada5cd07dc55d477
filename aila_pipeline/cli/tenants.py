"""`aila tenants`: what is set for each tenant.

Lives here: showing and changing it, and the tenant that a command's options name. Does not: what may be set
(domain/tenant_rules.py), or making a tenant, which its first key or its first drop does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.cli.files import check_names
from aila_pipeline.cli.opening import Opened, opened
from aila_pipeline.cli.output import Code, show, show_json
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.domain.tenant_rules import changed


def show_tenants(home: Path | None, *, as_json: bool) -> int:
    """All tenants by country and firm, one setting a line."""
    with opened(home) as here:
        found = here.ledger.tenants.all()
    if as_json:
        show_json([{"tenant": tenant_name(each), "settings": each.settings.model_dump(mode="json")} for each in found])
    elif found:
        show(*(line for tenant in found for line in (tenant_name(tenant), _settings(tenant.settings))))
    else:
        show("no tenant yet; the first key or the first drop makes one")
    return Code.WELL


def set_for_tenant(home: Path | None, values: Sequence[str], *, country: str, firm: str) -> int:
    """Change the settings that are named, show them all. SettingInvalid names the one that cannot work."""
    wanted = dict(_split(value) for value in values)
    with opened(home) as here:
        tenant = chosen_tenant(here, country, firm)
        tenant = here.ledger.tenants.change_settings(tenant, changed(tenant.settings, wanted))
    show(tenant_name(tenant), _settings(tenant.settings))
    return Code.WELL


def chosen_tenant(here: Opened, country: str | None, firm: str | None) -> Tenant:
    """The tenant that the options name; without them the only one there is."""
    if country is None and firm is None:
        known = here.ledger.tenants.all()
        if len(known) == 1:
            return known[0]
        raise typer.BadParameter(f"there are {len(known)} tenants: name one by --country and --firm")
    if country is None or firm is None:
        raise typer.BadParameter("--country and --firm belong together")
    check_names(country, firm)
    tenant = here.ledger.tenants.find(country, firm)
    if tenant is None:
        raise typer.BadParameter(f"there is no tenant {country}/{firm}; `aila keys create` makes one with a key")
    return tenant


def _split(value: str) -> tuple[str, str]:
    name, equals, text = value.partition("=")
    if not equals or not name:
        raise typer.BadParameter("settings are given as NAME=VALUE, like calls_per_hour=20000")
    return name, text


def tenant_name(tenant: Tenant) -> str:
    """As people write it: `kz/acme`."""
    return f"{tenant.country}/{tenant.firm}"


def _settings(settings: TenantSettings) -> str:
    lines = []
    for name, value in settings.model_dump(mode="json").items():
        lines.append(f"  {name}={_value(value)}")
    return "\n".join(lines)


def _value(value: object) -> str:
    """As it would be set."""
    if isinstance(value, list):
        return ",".join(value)
    told = "" if value is None else str(value)
    return told.lower() if isinstance(value, bool) else told
