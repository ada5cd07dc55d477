"""`aila users`: making those who speak in a tenant's calls, where calls themselves may not (`create_users=false`).

Lives here: what is checked first and what is shown. Does not: matching users (domain/people.py), keys (keys.py).
"""

from __future__ import annotations

from pathlib import Path

import typer

from aila_pipeline.cli.opening import opened
from aila_pipeline.cli.output import Code, show, tell
from aila_pipeline.cli.tenants import chosen_tenant
from aila_pipeline.domain.intake.fields import MAX_TEXT_CHARACTERS, one_line, printable
from aila_pipeline.domain.people import UserWanted, email_key, name_key


def create_user(home: Path | None, *, country: str, firm: str, email: str, name: str, user_group: str) -> int:
    """Print the user's id alone on standard output; one who is known by the e-mail or name is not made again."""
    wanted = UserWanted(_email(email), _text("--name", name), _text("--group", user_group))
    if wanted.email is None and wanted.name is None:
        raise typer.BadParameter("--email or --name: calls tell users apart by these")
    with opened(home) as here:
        found = here.ledger.people.ensure_user(chosen_tenant(here, country, firm), wanted)
    if found is None:
        raise typer.BadParameter("--name: several users have this name; give --email as well")
    show(found.id)
    tell("made" if found.created else f"known by {found.matched_by}; what was empty is filled in")
    return Code.WELL


def _email(given: str) -> str | None:
    email = email_key(given)
    if given and email is None:
        raise typer.BadParameter("--email: an e-mail address")
    return email


def _text(option: str, given: str) -> str | None:
    text = one_line(given)
    if len(text) > MAX_TEXT_CHARACTERS or not printable(text):
        raise typer.BadParameter(
            f"{option}: at most {MAX_TEXT_CHARACTERS} characters, none of them a control character"
        )
    return text if name_key(text) else None
