"""`aila keys …`, `aila tenants …`, `aila users …`: who may ask the API, how much, and who speaks in calls.

Lives here: names, options, one paragraph of help each. Does not: what a command does (keys.py, tenants.py, users.py).
"""

# ruff: noqa: PLC0415 - as in app.py: what a command needs is imported when it runs

from __future__ import annotations

from typing import Annotated

import typer

from aila_pipeline.cli.options import Country, Firm, Home, Json, group

keys = group("Keys for the API.")
tenants = group("Limits and other settings of each tenant.")
users = group("Who speaks in a tenant's calls.")


@keys.command("create")
def create(
    *,
    country: Country,
    firm: Firm,
    user: Annotated[str, typer.Option(metavar="EMAIL", help="Who uses it.")],
    home: Home = None,
) -> int:
    """Make a key and print it alone.

    It is shown this once. Tenant and user are made where missing, and so is the ledger.
    """
    from aila_pipeline.cli.keys import create_key

    return create_key(home, country=country, firm=firm, user=user)


@keys.command("list")
def list_keys(home: Home = None, as_json: Json = False) -> int:
    """All keys, the newest first."""
    from aila_pipeline.cli.keys import show_keys

    return show_keys(home, as_json=as_json)


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", show_default=False)],
    home: Home = None,
) -> int:
    """Close a key for good. Exit code 1 if there is none of this id."""
    from aila_pipeline.cli.keys import revoke_key

    return revoke_key(home, key_id)


@tenants.command("list")
def list_tenants(home: Home = None, as_json: Json = False) -> int:
    """All tenants, and what is set for them."""
    from aila_pipeline.cli.tenants import show_tenants

    return show_tenants(home, as_json=as_json)


@tenants.command("set")
def set_tenant(
    values: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="`aila tenants list` shows the names.")],
    *,
    country: Country,
    firm: Firm,
    home: Home = None,
) -> int:
    """Change what is set for a tenant.

    An empty value takes an optional setting away; allowed_sources is a list with commas. It counts from the next
    submission on.
    """
    from aila_pipeline.cli.tenants import set_for_tenant

    return set_for_tenant(home, values, country=country, firm=firm)


@users.command("create")
def create_user(
    *,
    country: Country,
    firm: Firm,
    email: Annotated[str, typer.Option(help="By which calls of JSON batches name them.")] = "",
    name: Annotated[str, typer.Option(help="By which the rows of a CSV name them.")] = "",
    user_group: Annotated[str, typer.Option("--group", metavar="NAME", help="The team they work in.")] = "",
    home: Home = None,
) -> int:
    """Make a user and print the id alone.

    Calls make their users by themselves, unless create_users=false is set for the tenant. Who is known already is not
    made again, and nothing that is known of them is changed.
    """
    from aila_pipeline.cli.users import create_user

    return create_user(home, country=country, firm=firm, email=email, name=name, user_group=user_group)
