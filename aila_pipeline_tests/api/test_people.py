"""Contacts and users over HTTP: pages, one in full, and the calls of each; another tenant's are not there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_call, an_accepted_batch, holding
from aila_pipeline_tests.adapters.ledger.test_people import versions
from aila_pipeline_tests.api.conftest import Party, Site
from aila_pipeline_tests.api.test_calls import data

PREFIXES = ["/api/v1", "/v1"]
ANN = {"user_email": "ann@acme.example", "user_name": "Ann Lee", "user_group": "Sales"}
JOHN = {"contact_phone": "+77012345678", "contact_email": "john@example.com", "contact_name": "John Doe"}


def matched(site: Site, *said: dict[str, Any], tenant: Tenant | None = None, minute: int = 0) -> list[str]:
    """Calls that say so, their people matched; their ids, in order."""
    submitted = [a_call(n, **each) for n, each in enumerate(said)]
    now = NOW + timedelta(minutes=minute)
    accepted = an_accepted_batch(site.ledger, *submitted, tenant=tenant or site.acme.access.tenant, now=now)
    with holding(site.ledger, accepted.shards[0]) as work:
        found = work.calls()
        site.ledger.people.match(work, versions(found))
    return [call.id for call in found]


def pages(party: Party, address: str, name: str, *, limit: int) -> list[list[dict[str, Any]]]:
    """All pages of a list."""
    found, cursor = [], ""
    while True:
        told = data(party, address, limit=limit, **({"cursor": cursor} if cursor else {}))
        found.append(told[name])
        cursor = told["next_cursor"]
        if not cursor:
            return found


def test_a_contact_shows_what_is_known_and_what_calls_said_otherwise(site: Site) -> None:
    first, second = matched(site, JOHN, JOHN | {"contact_name": "J. Doe", "contact_email": "doe@example.com"})
    (row,) = data(site.acme, "/contacts")["contacts"]
    assert row.pop("created_at").endswith("Z")
    contact = data(site.acme, f"/contacts/{row['id']}")
    seen = contact.pop("observations")
    assert contact.pop("created_at").endswith("Z")
    assert contact == row
    assert row == {"id": row["id"], "phone": "+77012345678", "email": "john@example.com", "name": "John Doe"}
    assert {(each["field"], each["value"], each["call_id"]) for each in seen} == {
        ("name", "J. Doe", second),
        ("email", "doe@example.com", second),
    }
    assert [call["id"] for call in data(site.acme, f"/contacts/{row['id']}/calls")["calls"]] in (
        [second, first],
        [first, second],
    )


def test_a_user_shows_what_is_known_and_what_calls_said_otherwise(site: Site) -> None:
    _, second = matched(site, ANN, ANN | {"user_name": "Ann May", "user_group": "Support"})
    (row,) = data(site.acme, "/users", email="ann@acme.example")["users"]
    user = data(site.acme, f"/users/{row['id']}")
    assert {(each["field"], each["value"], each["call_id"]) for each in user["observations"]} == {
        ("name", "Ann May", second),
        ("group", "Support", second),
    }
    assert (user["login"], user["email"], user["name"], user["group"]) == (
        "ann@acme.example",
        "ann@acme.example",
        "Ann Lee",
        "Sales",
    )


def test_a_user_met_by_name_alone_has_no_login(site: Site) -> None:
    matched(site, {"user_name": "Bob Ray"})
    shown = [(user["name"], user["login"], user["email"]) for user in data(site.acme, "/users")["users"]]
    assert ("Bob Ray", None, None) in shown


def test_a_call_in_full_names_whom_it_was_matched_with_beside_what_it_said(site: Site) -> None:
    matched(site, JOHN)
    (call_id,) = matched(site, JOHN | {"contact_name": "J. Doe"} | ANN)
    call = data(site.acme, f"/calls/{call_id}")
    (contact,) = data(site.acme, "/contacts")["contacts"]
    (user,) = data(site.acme, "/users", email=ANN["user_email"])["users"]
    assert (call["contact"]["id"], call["contact"]["name"]) == (contact["id"], "J. Doe")
    assert (call["user"]["id"], call["user"]["name"]) == (user["id"], "Ann Lee")


def test_a_number_that_cannot_be_one_is_shown_as_it_was_given(site: Site) -> None:
    (call_id,) = matched(site, {"contact_phone": "anonymous"})
    call = data(site.acme, f"/calls/{call_id}")
    assert call["contact"] == {"id": None, "name": None, "phone": "anonymous", "email": None}
    assert call["warnings"] == ["PHONE_UNUSUAL"]


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_pages_of_people_hold_everybody_once_newest_first(site: Site, limit: int) -> None:
    for number in range(5):
        matched(site, {"contact_phone": f"+7701000000{number}", "user_email": f"u{number}@acme.example"})
    for name, newest in (("contacts", "+77010000004"), ("users", "u4@acme.example")):
        found = [each for page in pages(site.acme, f"/{name}", name, limit=limit) for each in page]
        assert newest in found[0].values()
        assert len({each["id"] for each in found}) == len(found) >= 5
        times = [each["created_at"] for each in found]
        assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_pages_of_a_persons_calls_hold_each_once_newest_first(site: Site, limit: int) -> None:
    mine = [call for minute in range(5) for call in matched(site, JOHN | ANN, minute=minute)]
    matched(site, {"contact_phone": "+77019999999", "user_email": "eve@acme.example"}, minute=9)
    (contact,) = data(site.acme, "/contacts", phone=JOHN["contact_phone"])["contacts"]
    (user,) = data(site.acme, "/users", email=ANN["user_email"])["users"]
    for address in (f"/contacts/{contact['id']}/calls", f"/users/{user['id']}/calls"):
        found = [call["id"] for page in pages(site.acme, address, "calls", limit=limit) for call in page]
        assert found == mine[::-1]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"phone": "+77012345678"}, True),
        ({"phone": " 77012345678"}, True),
        ({"phone": "8 (701) 234-56-78"}, True),
        ({"email": "JOHN@example.com"}, True),
        ({"phone": "+77012345678", "email": "john@example.com"}, True),
        ({"phone": "+77012345678", "email": "doe@example.com"}, False),
        ({"phone": "+7701234567"}, False),
        ({"phone": "anonymous"}, False),
        ({"phone": "\0"}, False),
        ({"email": "john"}, False),
        ({"email": "\0@example.com"}, False),
    ],
)
def test_contacts_are_found_by_exactly_their_number_and_address(site: Site, asked: dict[str, str], found: bool) -> None:
    tenant = site.ledger.tenants.change_settings(site.acme.access.tenant, TenantSettings(phone_region="KZ"))
    matched(site, JOHN, {"contact_phone": "+77019999999"}, {"contact_phone": "anonymous"}, tenant=tenant)
    contacts = data(site.acme, "/contacts", **asked)["contacts"]
    assert [contact["phone"] for contact in contacts] == ([JOHN["contact_phone"]] if found else [])


def test_people_of_another_tenant_are_like_people_that_do_not_exist(site: Site) -> None:
    matched(site, JOHN | ANN)
    (contact,) = data(site.acme, "/contacts")["contacts"]
    (user,) = data(site.acme, "/users", email=ANN["user_email"])["users"]
    assert data(site.other, "/contacts")["contacts"] == []
    assert data(site.other, "/users", email=ANN["user_email"])["users"] == []
    for theirs, nobodys in (
        (f"/contacts/{contact['id']}", "/contacts/contact_none"),
        (f"/users/{user['id']}", "/users/user_none"),
    ):
        for tail in ("", "/calls"):
            answers = [site.other.get(f"/v1{address}{tail}") for address in (theirs, nobodys)]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert answers[0].content == answers[1].content


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("address", ["/contacts", "/users", "/contacts/contact_x", "/users/user_x/calls"])
def test_people_are_behind_the_key_and_their_cursors_belong_to_one_list(site: Site, prefix: str, address: str) -> None:
    assert site.stranger.get(f"{prefix}{address}").status_code == 401
    matched(site, JOHN, {"contact_phone": "+77019999999"})
    cursor = data(site.acme, "/contacts", limit=1)["next_cursor"]
    for other, filters in (("/users", {}), ("/calls", {}), ("/contacts", {"email": "john@example.com"})):
        answer = site.acme.get(f"{prefix}{other}", params={"cursor": cursor} | filters)
        assert (answer.status_code, "cursor" in answer.text) == (422, True)
