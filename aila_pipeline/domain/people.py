"""People: whom a call means, as a user of the tenant and as its contact.

Lives here: what identifies a person, and what to do with what a call says: link, fill in, make, or only note. Does
not: looking anybody up, writing (adapters/ledger/people.py).

    user      by e-mail; else by name, where exactly one fits
    contact   by phone number; else by e-mail; a name alone makes none

What is known of a person is never overwritten. What is not known yet is filled in; what differs is an observation.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from aila_pipeline.domain.intake.fields import e164, is_email
from aila_pipeline.domain.models import CallDetails
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.versions import Version

VERSION = "1"

LONGEST_KEY = 200
"""Characters of a name's key that the ledger can index."""


class Choice(StrEnum):
    """What becomes of a person that a call speaks of."""

    LINK = "link"
    CREATE = "create"
    AMBIGUOUS = "ambiguous"


class MatchedBy(StrEnum):
    """What a known person was found by."""

    EMAIL = "email"
    NAME = "name"
    PHONE = "phone"


@dataclass(frozen=True)
class UserWanted:
    """What a call says of the one who spoke for the tenant; `email` in the form in which addresses are compared."""

    email: str | None
    name: str | None
    group: str | None


@dataclass(frozen=True)
class ContactWanted:
    """What a call says of the one it was with; `phone` in E.164.

    `odd_phone` is what was given as a number and cannot be one. It identifies nobody: "anonymous" and "0000" are many.
    """

    phone: str | None
    email: str | None
    name: str | None
    odd_phone: str | None = None


@dataclass(frozen=True)
class KnownUser:
    """A user as the ledger has them."""

    id: str
    email: str | None = None
    name: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class KnownContact:
    """A contact as the ledger has them."""

    id: str
    phone: str | None = None
    email: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Decision:
    """What to do. `fill` are values for fields that are empty; `observe` are values that differ from what is kept."""

    choice: Choice
    person_id: str | None = None
    matched_by: MatchedBy | None = None
    fill: Mapping[str, str] = field(default_factory=dict)
    observe: Mapping[str, str] = field(default_factory=dict)


def user_wanted(details: CallDetails) -> UserWanted | None:
    """The user that the call names; None where it names none."""
    email, name = email_key(details.user_email), details.user_name or None
    if email is None and (name is None or not name_key(name)):
        return None
    return UserWanted(email, name, details.user_group or None)


def contact_wanted(details: CallDetails, region: str | None) -> ContactWanted | None:
    """The contact that the call names; None where nothing in it tells one person from another."""
    given, email = details.contact_phone or None, email_key(details.contact_email)
    phone = e164(given, region) if given else None
    if phone is None and email is None:
        return None
    return ContactWanted(phone, email, details.contact_name or None, odd_phone=given if phone is None else None)


def has_odd_phone(details: CallDetails, region: str | None) -> bool:
    """Whether the call gives something as a phone number that cannot be one."""
    return bool(details.contact_phone) and e164(str(details.contact_phone), region) is None


def people_version(details: CallDetails, region: str | None) -> Version:
    """The version of whom a call was matched with: these rules, and what the call says of people."""
    said = (
        details.user_email,
        details.user_name,
        details.user_group,
        details.contact_phone,
        details.contact_email,
        details.contact_name,
        region,
    )
    return Version(Stage.PEOPLE, f"people {VERSION}", tuple(each or "" for each in said))


def decide_user(wanted: UserWanted, by_email: KnownUser | None, namesakes: Sequence[KnownUser]) -> Decision:
    """What to do about a user; `namesakes` are all users of the tenant whose name has the same key."""
    if wanted.email is None:
        if len(namesakes) > 1:
            return Decision(Choice.AMBIGUOUS)
        found, by = (namesakes[0] if namesakes else None), MatchedBy.NAME
    elif by_email is not None:
        found, by = by_email, MatchedBy.EMAIL
    else:
        # With another address it is somebody else of the same name.
        without = [user for user in namesakes if user.email is None]
        found, by = (without[0] if len(without) == 1 else None), MatchedBy.NAME
    if found is None:
        return Decision(Choice.CREATE)
    kept = {"email": found.email, "name": found.name, "group": found.group}
    fill, observe = _weighed(kept, {"email": wanted.email, "name": wanted.name, "group": wanted.group})
    return Decision(Choice.LINK, found.id, by, fill, observe)


def decide_contact(wanted: ContactWanted, by_phone: KnownContact | None, by_email: KnownContact | None) -> Decision:
    """What to do about a contact. Where phone and e-mail are those of two contacts, the phone decides."""
    odd = {"phone": wanted.odd_phone} if wanted.odd_phone else {}
    found, by = (by_phone, MatchedBy.PHONE) if by_phone is not None else (by_email, MatchedBy.EMAIL)
    if found is None:
        return Decision(Choice.CREATE, observe=odd)
    kept = {"phone": found.phone, "email": found.email, "name": found.name}
    fill, observe = _weighed(kept, {"phone": wanted.phone, "email": wanted.email, "name": wanted.name})
    if by_email is not None and by_email.id != found.id and "email" in fill:
        observe["email"] = fill.pop("email")
    return Decision(Choice.LINK, found.id, by, fill, odd | observe)


def _weighed(kept: Mapping[str, str | None], told: Mapping[str, str | None]) -> tuple[dict[str, str], dict[str, str]]:
    """What was told, apart: values for what is empty, and values that differ from what is kept."""
    fill, observe = {}, {}
    for name, value in told.items():
        if value is None:
            continue
        before = kept[name]
        if before is None:
            fill[name] = value
        elif name_key(before) != name_key(value):
            observe[name] = value
    return fill, observe


def email_key(text: str | None) -> str | None:
    """The address in the form in which addresses are compared; None for what is none.

    >>> email_key(" Ann.Lee@Example.ORG ")
    'ann.lee@example.org'
    """
    if text is None:
        return None
    folded = text.strip().casefold()
    return folded if is_email(folded) else None


def name_key(text: str) -> str:
    r"""The text without regard to case, blanks and ways of writing the same letter; at most LONGEST_KEY characters.

    >>> name_key("Ann\u00a0 LEE ")
    'ann lee'
    """
    # Twice: folding may take a text out of the normal form (Unicode, "Default Caseless Matching").
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    squeezed = " ".join(folded.split())
    if len(squeezed) <= LONGEST_KEY:
        return squeezed
    digest = hashlib.sha256(squeezed.encode()).hexdigest()
    return squeezed[: LONGEST_KEY - len(digest)] + digest


def observation_digest(value: str) -> str:
    """SHA-256 of the value as values are compared, so that each is kept once however it is written."""
    return hashlib.sha256(name_key(value).encode()).hexdigest()
