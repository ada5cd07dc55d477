"""`aila outbox`: looking at messages, and letting those that were given up be tried again.

Lives here: what is checked first and what is shown. Does not: the messages (adapters/ledger/outbox.py), sending them:
the next delivery does.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from aila_pipeline.adapters.ledger.call_views import iso
from aila_pipeline.adapters.ledger.outbox_views import ListedMessage
from aila_pipeline.cli.opening import Opened, opened
from aila_pipeline.cli.output import Code, error_line, length, plural, row, show, show_json, table, when


def show_messages(home: Path | None, *, dead: bool, waiting: bool, limit: int, as_json: bool) -> int:
    """The newest messages, all or of one state, and how many wait or were given up."""
    if dead and waiting:
        raise typer.BadParameter("--dead and --waiting: a message is one or the other; give one of them")
    state = "dead" if dead else "waiting" if waiting else None
    with opened(home) as here:
        found = here.ledger.outbox_views.messages(state=state, limit=limit or None)
        verdict = _standing(here)
    if as_json:
        show_json([_document(each) for each in found])
        return Code.WELL
    if found:
        made = table("ID", "STATE", "EVENT", "OF", "#", "DESTINATION", "TRIES", "NEXT TRY", "REASON", fold=("REASON",))
        for each in found:
            then = when(each.not_before, seconds=True) if each.state == "waiting" else None
            cells = (each.id, each.state, each.event, each.subject_id, each.n, each.destination_id, each.tries)
            row(made, *cells, then, each.reason)
        show(made, "")
    show(verdict)
    return Code.WELL


def replay_messages(home: Path | None, message: str | None, *, destination: str | None, all_dead: bool) -> int:
    """Exit 1 when a message or destination of this id is not there, or the message is not dead."""
    if sum((message is not None, destination is not None, all_dead)) != 1:
        raise typer.BadParameter("one of MESSAGE_ID, --destination and --all-dead")
    with opened(home) as here:
        replayed = here.ledger.outbox.replay(now=datetime.now(UTC), message=message, destination=destination)
        if replayed == 0:
            problem = _problem(here, message, destination)
            if problem:
                error_line(problem)
                return Code.OTHER
    show(f"{plural(replayed, 'message')} will be tried again; the next delivery begins within seconds")
    return Code.WELL


def _problem(here: Opened, message: str | None, destination: str | None) -> str | None:
    """Why nothing is replayed, if that is not what was asked for."""
    if message is not None:
        found = here.ledger.outbox_views.find(message)
        if found is None:
            return "there is no message of this id; `aila outbox list --dead` shows the ids, which begin with msg_"
        if found.state != "dead":
            return f"the message is {found.state}; only a dead one can be replayed"
        return "the message's destination was removed; there is nobody to tell"
    if destination is not None:
        place = here.ledger.destinations.find(destination)
        if place is None or place.removed_at is not None:
            return "there is no destination of this id; `aila destinations list` shows the ids"
    return None


def _standing(here: Opened) -> str:
    """`3 messages waiting, the oldest for 2 min 5 s; 1 dead`."""
    now = datetime.now(UTC)
    both = [here.ledger.outbox_views.standing(webhooks=webhooks, now=now) for webhooks in (True, False)]
    waiting, dead = (sum(getattr(each, name) for each in both) for name in ("waiting", "dead"))
    oldest = max(each.oldest_seconds for each in both)
    told = f"{plural(waiting, 'message')} waiting" + (f", the oldest for {length(oldest)}" if waiting else "")
    advice = "; `aila outbox replay --all-dead` tries them again" if dead else ""
    return f"{told}; {dead:,} dead{advice}"


def _document(each: ListedMessage) -> dict[str, Any]:
    return {
        "id": each.id,
        "state": each.state,
        "event": each.event,
        "subject_id": each.subject_id,
        "n": each.n,
        "destination_id": each.destination_id,
        "kind": each.kind,
        "tries": each.tries,
        "reason": each.reason,
        "created_at": iso(each.created_at),
        "not_before": iso(each.not_before),
        "ended_at": iso(each.ended_at),
    }
