"""Whom a call means: every rule by an example. What any calls in any order must not do: test_people_in_any_order.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.models import CallDetails, Role, UrlSource
from aila_pipeline.domain.people import (
    LONGEST_KEY,
    Choice,
    ContactWanted,
    Decision,
    KnownContact,
    KnownUser,
    MatchedBy,
    UserWanted,
    contact_wanted,
    decide_contact,
    decide_user,
    email_key,
    has_odd_phone,
    name_key,
    observation_digest,
    people_version,
    user_wanted,
)

ANN = KnownUser("u1", email="ann@acme.example", name="Ann Lee")
NAMELESS = KnownUser("u2", email="ops@acme.example")
BY_NAME_ALONE = KnownUser("u3", name="Bob Ray")


def details(**said: Any) -> CallDetails:
    return CallDetails(
        source=UrlSource(url="https://example.org/a.mp3"),
        started_at=datetime(2026, 1, 15, tzinfo=UTC),
        left_channel=Role.CLIENT,
        right_channel=Role.OPERATOR,
        **said,
    )


def linked(person_id: str, by: MatchedBy, **told: dict[str, str]) -> Decision:
    return Decision(Choice.LINK, person_id, by, told.get("fill", {}), told.get("observe", {}))


CREATED, AMBIGUOUS = Decision(Choice.CREATE), Decision(Choice.AMBIGUOUS)


@pytest.mark.parametrize(
    ("email", "name", "by_email", "namesakes", "wanted"),
    [
        ("ann@acme.example", "Ann Lee", ANN, [], linked("u1", MatchedBy.EMAIL)),
        ("ann@acme.example", "ANN  LEE", ANN, [], linked("u1", MatchedBy.EMAIL)),
        ("ann@acme.example", None, ANN, [], linked("u1", MatchedBy.EMAIL)),
        ("ann@acme.example", "Ann May", ANN, [], linked("u1", MatchedBy.EMAIL, observe={"name": "Ann May"})),
        ("ops@acme.example", "Cy Poe", NAMELESS, [], linked("u2", MatchedBy.EMAIL, fill={"name": "Cy Poe"})),
        (
            "b@acme.example",
            "Bob Ray",
            None,
            [BY_NAME_ALONE],
            linked("u3", MatchedBy.NAME, fill={"email": "b@acme.example"}),
        ),
        ("other@acme.example", "Ann Lee", None, [ANN], CREATED),
        ("b@acme.example", "Bob Ray", None, [BY_NAME_ALONE, replace(BY_NAME_ALONE, id="u4")], CREATED),
        ("new@acme.example", None, None, [], CREATED),
        (None, "Ann Lee", None, [ANN], linked("u1", MatchedBy.NAME)),
        (None, "Bob Ray", None, [BY_NAME_ALONE], linked("u3", MatchedBy.NAME)),
        (None, "Bob Ray", None, [], CREATED),
        (None, "Ann Lee", None, [ANN, replace(ANN, id="u5", email="lee@acme.example")], AMBIGUOUS),
    ],
)
def test_a_user_is_found_by_email_else_by_a_name_that_fits_one(
    email: str | None, name: str | None, by_email: KnownUser | None, namesakes: list[KnownUser], wanted: Decision
) -> None:
    assert decide_user(UserWanted(email, name, None), by_email, namesakes) == wanted


def test_of_two_namesakes_the_one_without_an_address_may_have_this_one() -> None:
    with_another = replace(BY_NAME_ALONE, id="u9", email="ray@acme.example")
    decision = decide_user(UserWanted("b@acme.example", "Bob Ray", None), None, [with_another, BY_NAME_ALONE])
    assert decision == linked("u3", MatchedBy.NAME, fill={"email": "b@acme.example"})


def test_a_group_is_filled_in_once_and_another_one_only_noted() -> None:
    wanted = UserWanted(ANN.email, "Ann Lee", "Sales")
    assert decide_user(wanted, ANN, []).fill == {"group": "Sales"}
    assert decide_user(wanted, replace(ANN, group="sales"), []).observe == {}
    assert decide_user(wanted, replace(ANN, group="Support"), []).observe == {"group": "Sales"}


JOHN = KnownContact("c1", phone="+15551234567", name="John Doe")
JOHNS_MAIL = KnownContact("c2", email="john@example.com")


@pytest.mark.parametrize(
    ("wanted", "by_phone", "by_email", "decision"),
    [
        (("+15551234567", None, "John Doe"), JOHN, None, linked("c1", MatchedBy.PHONE)),
        (("+15551234567", None, "J. Doe"), JOHN, None, linked("c1", MatchedBy.PHONE, observe={"name": "J. Doe"})),
        (
            ("+15551234567", "john@example.com", None),
            JOHN,
            None,
            linked("c1", MatchedBy.PHONE, fill={"email": "john@example.com"}),
        ),
        (
            ("+15551234567", "john@example.com", None),
            JOHN,
            JOHNS_MAIL,
            linked("c1", MatchedBy.PHONE, observe={"email": "john@example.com"}),
        ),
        (
            ("+15551234567", "john@example.com", None),
            replace(JOHN, email="doe@example.com"),
            JOHNS_MAIL,
            linked("c1", MatchedBy.PHONE, observe={"email": "john@example.com"}),
        ),
        (
            ("+15557654321", "john@example.com", "John Doe"),
            None,
            JOHNS_MAIL,
            linked("c2", MatchedBy.EMAIL, fill={"phone": "+15557654321", "name": "John Doe"}),
        ),
        (
            ("+15557654321", "john@example.com", None),
            None,
            replace(JOHNS_MAIL, phone="+15551234567"),
            linked("c2", MatchedBy.EMAIL, observe={"phone": "+15557654321"}),
        ),
        ((None, "john@example.com", None), None, JOHNS_MAIL, linked("c2", MatchedBy.EMAIL)),
        (("+15557654321", None, None), None, None, CREATED),
        ((None, "new@example.com", None), None, None, CREATED),
    ],
)
def test_a_contact_is_found_by_phone_else_by_email(
    wanted: tuple[str | None, str | None, str | None],
    by_phone: KnownContact | None,
    by_email: KnownContact | None,
    decision: Decision,
) -> None:
    assert decide_contact(ContactWanted(*wanted), by_phone, by_email) == decision


def test_what_cannot_be_a_number_is_an_observation_of_the_contact_that_the_email_finds() -> None:
    wanted = contact_wanted(details(contact_phone="anonymous", contact_email="John@Example.com"), "KZ")
    assert wanted == ContactWanted(None, "john@example.com", None, odd_phone="anonymous")
    assert decide_contact(wanted, None, JOHNS_MAIL) == linked("c2", MatchedBy.EMAIL, observe={"phone": "anonymous"})
    assert decide_contact(wanted, None, None) == Decision(Choice.CREATE, observe={"phone": "anonymous"})


def test_numbers_are_compared_in_e164_with_the_region_of_the_tenant() -> None:
    said = details(contact_phone="8 (701) 234-56-78")
    assert contact_wanted(said, "KZ") == ContactWanted("+77012345678", None, None)
    assert contact_wanted(said, None) is None
    assert (has_odd_phone(said, "KZ"), has_odd_phone(said, None), has_odd_phone(details(), None)) == (
        False,
        True,
        False,
    )


@pytest.mark.parametrize(
    "said", [{}, {"contact_name": "John Doe"}, {"contact_phone": "unknown"}, {"contact_email": "none"}]
)
def test_a_name_or_an_odd_number_alone_makes_no_contact(said: dict[str, str]) -> None:
    assert contact_wanted(details(**said), "US") is None


@pytest.mark.parametrize("said", [{}, {"user_group": "Sales"}, {"user_name": " \u2003"}, {"user_email": "nobody"}])
def test_without_address_and_name_there_is_no_user(said: dict[str, str]) -> None:
    assert user_wanted(details(**said)) is None


def test_addresses_are_compared_without_regard_to_case() -> None:
    assert user_wanted(details(user_email=" Ann@ACME.Example")) == UserWanted("ann@acme.example", None, None)
    assert email_key("ß" * 130 + "@example.org") is None, "folded it is longer than an address may be"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann Lee", "ann\u00a0 LEE "),
        ("Алексей", "АЛЕКСЕЙ"),
        ("Straße", "STRASSE"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("\uff21nn", "Ann"),
        ("\u1fb3", "\u03b1\u03b9"),
    ],
)
def test_names_that_differ_in_writing_alone_have_one_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)
    assert observation_digest(one) == observation_digest(other)


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_the_key_of_a_key_is_itself_and_fits_the_ledger(name: str) -> None:
    key = name_key(name)
    assert len(key) <= LONGEST_KEY
    assert name_key(key) == key


def test_long_names_that_differ_at_their_end_have_keys_of_their_own() -> None:
    assert name_key("a" * 300) != name_key("a" * 299 + "b")


def test_the_version_changes_with_what_is_said_of_people_and_with_nothing_else() -> None:
    said = details(user_email="ann@acme.example", contact_phone="+77012345678")
    again = said.model_copy(update={"segment_type": "sales", "metadata": {"campaign": "a"}})
    other = said.model_copy(update={"contact_name": "John"})
    assert people_version(said, "KZ") == people_version(again, "KZ")
    assert len({people_version(said, "KZ").id, people_version(other, "KZ").id, people_version(said, None).id}) == 3
