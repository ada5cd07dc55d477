"""`aila keys`: making, listing and revoking keys for the API.

Lives here: what is checked first and what is shown. Does not: the keys themselves (adapters/ledger/keys.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import typer

from aila_pipeline.adapters.ledger.keys import ApiKey
from aila_pipeline.cli.files import check_names
from aila_pipeline.cli.opening import opened
from aila_pipeline.cli.output import Code, error_line, row, show, show_json, table, tell, when
from aila_pipeline.cli.up import make_if_missing
from aila_pipeline.domain.intake.fields import is_email


def create_key(home: Path | None, *, country: str, firm: str, user: str) -> int:
    """Print a new key alone on standard output; tenant, user and ledger are made where missing."""
    check_names(country, firm)
    if not is_email(user):
        raise typer.BadParameter("--user: an e-mail address")
    make_if_missing(home)
    with opened(home) as here:
        tenant = here.ledger.tenants.ensure(country, firm)
        user_id = here.ledger.tenants.ensure_user(tenant, user)
        key = here.ledger.keys.create(tenant, user_id, now=datetime.now(UTC))
    show(key)
    tell("it is shown this once; AILA_API_KEY hands it to `aila submit`")
    return Code.WELL


def show_keys(home: Path | None, *, as_json: bool) -> int:
    """All keys, the newest first; of each the last four characters."""
    with opened(home) as here:
        keys = here.ledger.keys.all()
    if as_json:
        show_json([_document(key) for key in keys])
        return Code.WELL
    if not keys:
        show("no key yet; `aila keys create` makes one")
        return Code.WELL
    made = table("ID", "TENANT", "USER", "KEY", "CREATED", "LAST USED", "REVOKED", cut=("USER",))
    for key in keys:
        moments = (when(at) for at in (key.created_at, key.last_used_at, key.revoked_at))
        row(made, key.id, f"{key.country}/{key.firm}", key.login, f"…{key.hint}", *moments)
    show(made)
    return Code.WELL


def revoke_key(home: Path | None, key_id: str) -> int:
    """From now on the key opens nothing. Exit 1 when there is no such key; that it was revoked before is well."""
    with opened(home) as here:
        if here.ledger.keys.revoke(key_id, now=datetime.now(UTC)):
            show(f"{key_id} is revoked; it opens nothing from now on")
            return Code.WELL
        before = {key.id: key.revoked_at for key in here.ledger.keys.all()}
    if key_id in before:
        show(f"{key_id} was revoked before, at {when(before[key_id], seconds=True)} UTC")
        return Code.WELL
    error_line("there is no key of this id; `aila keys list` shows the ids, which begin with key_")
    return Code.OTHER


def _document(key: ApiKey) -> dict[str, str | None]:
    return {
        "id": key.id,
        "tenant": f"{key.country}/{key.firm}",
        "user": key.login,
        "hint": f"…{key.hint}",
        "created_at": _iso(key.created_at),
        "last_used_at": _iso(key.last_used_at),
        "revoked_at": _iso(key.revoked_at),
    }


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None
