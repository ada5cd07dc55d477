"""People: the data of answers about contacts and users, as models from which the schemas are made.

Lives here: names, types and meaning of what clients get. Does not: making answers (api/people.py), calls (answers.py).
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field


class Observed(BaseModel):
    """A value that a call gave and that is not the one that is kept; each is noted once."""

    field: Literal["phone", "email", "name", "group"]
    value: str = Field(description="as the call gave it")
    call_id: str = Field(description="the call that said so first")
    created_at: AwareDatetime


class KnownContact(BaseModel):
    """Somebody whom calls were with. Found by phone, else by e-mail; a name alone makes none."""

    id: str
    phone: str | None = Field(description="E.164")
    email: str | None
    name: str | None
    created_at: AwareDatetime


class ContactPage(BaseModel):
    """A page of contacts."""

    contacts: list[KnownContact]
    next_cursor: str | None


class WholeContact(KnownContact):
    """A contact with all that calls said otherwise, oldest first."""

    observations: list[Observed]


class KnownUser(BaseModel):
    """Somebody who speaks or submits for the tenant. Found by e-mail, else by a name that only one has."""

    id: str
    login: str | None = Field(description="what they submit under; null for one who was only met by name")
    email: str | None
    name: str | None
    group: str | None
    created_at: AwareDatetime


class UserPage(BaseModel):
    """A page of users."""

    users: list[KnownUser]
    next_cursor: str | None


class WholeUser(KnownUser):
    """A user with all that calls said otherwise, oldest first."""

    observations: list[Observed]
