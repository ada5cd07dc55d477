"""`aila destinations …` and `aila outbox …`: who is told of calls and batches, and what became of each message.

Lives here: names, options, one paragraph of help each. Does not: what a command does (destinations.py, outbox.py).
"""

# ruff: noqa: PLC0415 - as in app.py: what a command needs is imported when it runs

from __future__ import annotations

from typing import Annotated

import typer

from aila_pipeline.cli.options import Country, Firm, Home, Json, group

destinations = group("Webhooks and CRMs that are told how calls and batches ended.")
adding = group("Add a destination.")
destinations.add_typer(adding, name="add")
outbox = group("Messages to webhooks and CRMs: what waits, and what was given up.")

Events = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="NAME", help="Tell it this, like call.failed; may be repeated. [all it can use]"),
]
DestinationId = Annotated[str, typer.Argument(metavar="DESTINATION_ID", show_default=False)]


@adding.command("webhook")
def add_webhook(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where it takes messages: https://…", show_default=False)],
    *,
    country: Country,
    firm: Firm,
    events: Events = None,
    home: Home = None,
    as_json: Json = False,
) -> int:
    """Tell a receiver over HTTP, signed; print its secret alone.

    The secret is shown this once: the receiver verifies messages with it, see docs/webhooks.md. An address inside the
    network is refused unless AILA_FETCH_ALLOW lists it.
    """
    from aila_pipeline.cli.destinations import add_webhook

    return add_webhook(home, url, country=country, firm=firm, events=events, as_json=as_json)


@adding.command("hubspot")
def add_hubspot(
    *,
    country: Country,
    firm: Firm,
    events: Events = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Instead of HubSpot's own address.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> int:
    """Keep calls and contacts in a HubSpot account.

    The private app's token comes from AILA_HUBSPOT_TOKEN, else from standard input; an argument would stay in the
    shell's history.
    """
    from aila_pipeline.cli.destinations import add_crm

    return add_crm(home, "hubspot", country=country, firm=firm, events=events, url=url, as_json=as_json)


@destinations.command("list")
def list_destinations(home: Home = None, as_json: Json = False) -> int:
    """All destinations, what they want, and whether they can be reached."""
    from aila_pipeline.cli.destinations import show_destinations

    return show_destinations(home, as_json=as_json)


@destinations.command("remove")
def remove(destination_id: DestinationId, home: Home = None) -> int:
    """Tell a destination nothing more; what still waits for it is given up."""
    from aila_pipeline.cli.destinations import remove_destination

    return remove_destination(home, destination_id)


@destinations.command("test")
def ping(destination_id: DestinationId, home: Home = None) -> int:
    """Send a webhook a signed `ping`. Exit code 1 if it does not arrive."""
    from aila_pipeline.cli.destinations import ping_destination

    return ping_destination(home, destination_id)


@outbox.command("list")
def list_messages(
    *,
    dead: Annotated[bool, typer.Option("--dead", help="Only what was given up.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only what has not arrived yet.")] = False,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Messages to show, 0 for all.")] = 100,
    home: Home = None,
    as_json: Json = False,
) -> int:
    """Messages, the newest first, with the reason why one waits or was given up."""
    from aila_pipeline.cli.outbox import show_messages

    return show_messages(home, dead=dead, waiting=waiting, limit=limit, as_json=as_json)


@outbox.command("replay")
def replay(
    message_id: Annotated[str | None, typer.Argument(metavar="[MESSAGE_ID]", show_default=False)] = None,
    *,
    destination: Annotated[str | None, typer.Option(metavar="ID", help="All dead ones of this destination.")] = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="All dead ones.")] = False,
    home: Home = None,
) -> int:
    """Let messages that were given up wait again, under the same ids, as if they had never been tried."""
    from aila_pipeline.cli.outbox import replay_messages

    return replay_messages(home, message_id, destination=destination, all_dead=all_dead)
