"""People: the tenant's contacts and users as calls told of them, and the calls of each.

Lives here: what may be asked for, and what a person looks like. Does not: pages (adapters/ledger/people_pages.py),
matching people with calls (domain/people.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response

from aila_pipeline.adapters.call_document import listed_document
from aila_pipeline.adapters.ledger.call_pages import CallPage
from aila_pipeline.adapters.ledger.call_views import iso
from aila_pipeline.adapters.ledger.people_pages import Contact, Observation, Place, User
from aila_pipeline.api import cursors
from aila_pipeline.api.access import Caller, Held
from aila_pipeline.api.calls import CALL_ID, MOST, USUAL, Cursor, Limit
from aila_pipeline.api.envelopes import contract_of, success
from aila_pipeline.domain.intake.fields import e164
from aila_pipeline.domain.people import email_key
from aila_pipeline.errors import NotFound

router = APIRouter(tags=["people"])

P = TypeVar("P", Contact, User)

_CONTACT_ID = re.compile(r"contact_[0-9a-z]{1,60}")
# Users of older ledgers have UUIDs.
_USER_ID = re.compile(r"user_[0-9a-z]{1,60}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLACE = re.compile(r"[0-9]{1,16} [0-9a-z_-]{1,64}")
_NOBODY = ""

Phone = Annotated[str, Query(max_length=64, description="only the contact of this number, in any usual way of writing")]
Email = Annotated[str, Query(max_length=254, description="only who has this address")]
Many = Annotated[int, Query(ge=1, le=MOST, description="people on a page")]


@router.get("/contacts")
def list_contacts(
    request: Request,
    access: Caller,
    held: Held,
    *,
    phone: Phone = "",
    email: Email = "",
    cursor: Cursor = "",
    limit: Many = USUAL,
) -> Response:
    """The tenant's contacts page by page, newest first."""
    number = _number(phone, access.tenant.settings.phone_region)
    address = _address(email)
    query = (access.tenant.id, "contacts", number, address)
    after = _place_in(cursor, *query)
    found = held.ledger.people_pages.contacts(
        access.tenant.id, phone=number, email=address, after=after, limit=limit + 1
    )
    return success(contract_of(request.url.path), _page("contacts", found, limit, _contact, query))


@router.get("/contacts/{contact_id}")
def show_contact(request: Request, access: Caller, held: Held, contact_id: str) -> Response:
    """One contact, with all that calls said otherwise. One of another tenant is answered as one that does not exist."""
    contact, seen = _known(held.ledger.people_pages.contact, _CONTACT_ID, access.tenant.id, contact_id)
    return success(contract_of(request.url.path), _contact(contact) | {"observations": _observations(seen)})


@router.get("/contacts/{contact_id}/calls")
def list_calls_of_contact(
    request: Request, access: Caller, held: Held, contact_id: str, *, cursor: Cursor = "", limit: Limit = USUAL
) -> Response:
    """The calls with this contact, newest first."""
    _known(held.ledger.people_pages.contact, _CONTACT_ID, access.tenant.id, contact_id)
    query = (access.tenant.id, "calls", contact_id)
    after = cursors.place_in(cursor, *query, form=CALL_ID) if cursor else None
    page = held.ledger.call_pages.of_contact(access.tenant.id, contact_id, after=after, limit=limit)
    return success(contract_of(request.url.path), _calls(page, query))


@router.get("/users")
def list_users(
    request: Request, access: Caller, held: Held, *, email: Email = "", cursor: Cursor = "", limit: Many = USUAL
) -> Response:
    """The tenant's users page by page, newest first."""
    address = _address(email)
    query = (access.tenant.id, "users", address)
    after = _place_in(cursor, *query)
    found = held.ledger.people_pages.users(access.tenant.id, email=address, after=after, limit=limit + 1)
    return success(contract_of(request.url.path), _page("users", found, limit, _user, query))


@router.get("/users/{user_id}")
def show_user(request: Request, access: Caller, held: Held, user_id: str) -> Response:
    """One user, as `show_contact` shows a contact."""
    user, seen = _known(held.ledger.people_pages.user, _USER_ID, access.tenant.id, user_id)
    return success(contract_of(request.url.path), _user(user) | {"observations": _observations(seen)})


@router.get("/users/{user_id}/calls")
def list_calls_of_user(
    request: Request, access: Caller, held: Held, user_id: str, *, cursor: Cursor = "", limit: Limit = USUAL
) -> Response:
    """The calls of this user, newest first."""
    _known(held.ledger.people_pages.user, _USER_ID, access.tenant.id, user_id)
    query = (access.tenant.id, "calls", user_id)
    after = cursors.place_in(cursor, *query, form=CALL_ID) if cursor else None
    page = held.ledger.call_pages.of_user(access.tenant.id, user_id, after=after, limit=limit)
    return success(contract_of(request.url.path), _calls(page, query))


def _number(given: str, region: str | None) -> str | None:
    """The number in E.164; _NOBODY for what cannot be one, None where none is asked for."""
    # A `+` that was not written as %2B arrives as a blank.
    usual = e164(re.sub("^ (?=[0-9])", "+", given), region)
    return (usual or _NOBODY) if given else None


def _address(given: str) -> str | None:
    """The address as addresses are compared, in the same way; none has a blank in it."""
    return (email_key(given.replace(" ", "+")) or _NOBODY) if given else None


def _known(
    find: Callable[[str, str], tuple[P, list[Observation]] | None],
    form: re.Pattern[str],
    tenant_id: str,
    person_id: str,
) -> tuple[P, list[Observation]]:
    found = find(tenant_id, person_id) if form.fullmatch(person_id) else None
    if found is None:
        raise NotFound()
    return found


def _page(
    name: str, found: Sequence[P], limit: int, shown: Callable[[P], dict[str, Any]], query: tuple[object, ...]
) -> dict[str, Any]:
    """A page of people; there is one person more in `found` where others follow."""
    people = found[:limit]
    more = len(found) > limit
    place = f"{_microseconds(people[-1].created_at)} {people[-1].id}" if more else None
    return {
        name: [shown(person) for person in people],
        "next_cursor": None if place is None else cursors.cursor_of(place, *query),
    }


def _calls(page: CallPage, query: tuple[object, ...]) -> dict[str, Any]:
    place = page.calls[-1].id if page.more else None
    return {
        "calls": [listed_document(call) for call in page.calls],
        "next_cursor": None if place is None else cursors.cursor_of(place, *query),
    }


def _place_in(cursor: str, *query: object) -> Place | None:
    if not cursor:
        return None
    moment, _, person_id = cursors.place_in(cursor, *query, form=_PLACE).partition(" ")
    return Place(_EPOCH + int(moment) * _MICROSECOND, person_id)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def _contact(contact: Contact) -> dict[str, Any]:
    told = {"id": contact.id, "phone": contact.phone, "email": contact.email, "name": contact.name}
    return told | {"created_at": iso(contact.created_at)}


def _user(user: User) -> dict[str, Any]:
    told = {"id": user.id, "login": user.login, "email": user.email, "name": user.name, "group": user.group}
    return told | {"created_at": iso(user.created_at)}


def _observations(seen: Sequence[Observation]) -> list[dict[str, Any]]:
    return [
        {"field": each.field, "value": each.value, "call_id": each.call_id, "created_at": iso(each.created_at)}
        for each in seen
    ]
