"""`aila destinations`: adding, listing, trying and removing who is told.

Lives here: what is checked first and what is shown. Does not: the destinations themselves
(adapters/ledger/destinations.py), sending (adapters/webhooks.py).
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from aila_pipeline.adapters.call_document import without_query
from aila_pipeline.adapters.crm import open_crm
from aila_pipeline.adapters.delivery_content import ping
from aila_pipeline.adapters.ledger.call_views import iso
from aila_pipeline.adapters.ledger.destinations import Destination
from aila_pipeline.adapters.webhooks import Webhooks
from aila_pipeline.cli.files import check_names
from aila_pipeline.cli.opening import opened, read_settings
from aila_pipeline.cli.output import Code, error_line, plural, row, show, show_json, table, tell, when
from aila_pipeline.cli.up import make_if_missing
from aila_pipeline.domain.deliveries import WEBHOOK, Notice, known_notices, usual
from aila_pipeline.domain.ids import message_id
from aila_pipeline.errors import DeliveryError, DeliveryFailed, DeliveryRefused

TOKEN_VARIABLE = "AILA_HUBSPOT_TOKEN"  # noqa: S105 - a name


def add_webhook(
    home: Path | None, url: str, *, country: str, firm: str, events: Sequence[str] | None, as_json: bool
) -> int:
    """Print the new secret alone; the id goes to standard error."""
    check_names(country, firm)
    wanted = _wanted(events, WEBHOOK)
    hooks = Webhooks.from_settings(read_settings(home))
    try:
        hooks.resolve(url)
    except DeliveryRefused as refusal:
        told = "AILA_FETCH_ALLOW lists host:port pairs that may lie inside the network"
        raise typer.BadParameter(f"URL: {refusal.detail}; {told}") from None
    except DeliveryFailed:
        tell("its name has no address at the moment; it is added all the same, and judged again with each message")
    make_if_missing(home)
    with opened(home) as here:
        tenant = here.ledger.tenants.ensure(country, firm)
        added = here.ledger.destinations.add_webhook(tenant, url, wanted, now=datetime.now(UTC))
    if as_json:
        show_json(_document(added) | {"secret": added.secret})
        return Code.WELL
    show(added.secret)
    tell(f"{added.id} is told {', '.join(added.events)}; the secret is shown this once")
    return Code.WELL


def add_crm(
    home: Path | None,
    kind: str,
    *,
    country: str,
    firm: str,
    events: Sequence[str] | None,
    url: str | None,
    as_json: bool,
) -> int:
    """Print the new id alone. Raises SettingInvalid without a token, or for an address that is not safe for one."""
    check_names(country, firm)
    wanted = _wanted(events, kind)
    token = _token()
    open_crm(kind, token=token, url=url)
    make_if_missing(home)
    with opened(home) as here:
        tenant = here.ledger.tenants.ensure(country, firm)
        added = here.ledger.destinations.add_crm(tenant, kind, token, wanted, url=url, now=datetime.now(UTC))
    if as_json:
        show_json(_document(added))
        return Code.WELL
    show(added.id)
    tell(f"it is told {', '.join(added.events)}")
    return Code.WELL


def show_destinations(home: Path | None, *, as_json: bool) -> int:
    """Those that were not removed, the oldest first; of each secret the last four characters."""
    with opened(home) as here:
        found = here.ledger.destinations.all()
    if as_json:
        show_json([_document(each) for each in found])
        return Code.WELL
    if not found:
        show("no destination yet; `aila destinations add webhook URL` makes one")
        return Code.WELL
    columns = ("ID", "TENANT", "KIND", "URL", "EVENTS", "SECRET", "ADDED", "LAST FAILURE")
    made = table(*columns, fold=("EVENTS", "LAST FAILURE"), cut=("URL",))
    for each in found:
        failing = f"{each.last_error} ({each.failures} in a row)" if each.last_error else None
        told = ", ".join(each.events)
        tenant = f"{each.country}/{each.firm}"
        row(made, each.id, tenant, each.kind, without_query(each.url), told, each.hint, when(each.created_at), failing)
    show(made)
    return Code.WELL


def remove_destination(home: Path | None, destination: str) -> int:
    """Exit 1 when there is none of this id; that it was removed before is well."""
    with opened(home) as here:
        given_up = here.ledger.destinations.remove(destination, now=datetime.now(UTC))
        if given_up is None:
            before = here.ledger.destinations.find(destination)
            if before is None:
                return _unknown()
            show(f"{destination} was removed before, at {when(before.removed_at, seconds=True)} UTC")
            return Code.WELL
    show(f"{destination} is removed; {plural(given_up, 'message')} that still waited will not be sent")
    return Code.WELL


def ping_destination(home: Path | None, destination: str) -> int:
    """Send a signed `ping` now, past the outbox."""
    with opened(home) as here:
        place = here.ledger.destinations.find(destination)
    if place is None or place.removed_at is not None:
        return _unknown()
    if place.kind != WEBHOOK:
        raise typer.BadParameter("only a webhook can be tried; a CRM would keep what it is sent")
    now = datetime.now(UTC)
    hooks = Webhooks.from_settings(here.settings)
    try:
        hooks.send(place.url or "", place.secret, message_id(now), ping(now), now=now)
    except DeliveryError as error:
        error_line(f"the ping did not arrive: {error.detail}; check the receiver's address and log")
        return Code.OTHER
    show(f"{destination} has taken the ping")
    return Code.WELL


def _wanted(events: Sequence[str] | None, kind: str) -> tuple[Notice, ...]:
    if not events:
        return usual(kind)
    try:
        return known_notices(events, kind)
    except ValueError as error:
        raise typer.BadParameter(f"--event: {error}") from None


def _token() -> str:
    """From the environment, else from standard input, which does not show it."""
    given = os.environ.get(TOKEN_VARIABLE)
    if given is None:
        given = getpass.getpass("token: ") if sys.stdin.isatty() else sys.stdin.readline()
    return given.strip()


def _unknown() -> int:
    error_line("there is no destination of this id; `aila destinations list` shows the ids, which begin with dest_")
    return Code.OTHER


def _document(each: Destination) -> dict[str, Any]:
    return {
        "id": each.id,
        "tenant": f"{each.country}/{each.firm}",
        "kind": each.kind,
        "url": without_query(each.url),
        "events": list(each.events),
        "secret_hint": each.hint,
        "failures": each.failures,
        "last_error": each.last_error,
        "paused_until": iso(each.paused_until),
        "created_at": iso(each.created_at),
    }
