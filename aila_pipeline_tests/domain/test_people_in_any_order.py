"""Any calls in any order: nobody is known twice, and nothing that is known of a person changes."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.domain.people import (
    Choice,
    ContactWanted,
    KnownContact,
    KnownUser,
    UserWanted,
    decide_contact,
    decide_user,
    name_key,
)


class Registry:
    """Users and contacts of a tenant in memory, kept as the ledger keeps them."""

    def __init__(self) -> None:
        self.users: dict[str, KnownUser] = {}
        self.contacts: dict[str, KnownContact] = {}
        self.noted: set[tuple[str, str, str]] = set()

    def meet_user(self, wanted: UserWanted) -> str | None:
        by_email = next((user for user in self.users.values() if wanted.email and user.email == wanted.email), None)
        same = [
            user for user in self.users.values() if wanted.name and name_key(user.name or "") == name_key(wanted.name)
        ]
        decision = decide_user(wanted, by_email, same)
        if decision.choice is Choice.AMBIGUOUS:
            return None
        person_id = decision.person_id or f"u{len(self.users)}"
        told = {"email": wanted.email, "name": wanted.name, "group": wanted.group}
        known = self.users.get(person_id)
        self.users[person_id] = replace(known, **decision.fill) if known else KnownUser(person_id, **told)
        self.noted |= {(person_id, name, value) for name, value in decision.observe.items()}
        return person_id

    def meet_contact(self, wanted: ContactWanted) -> str:
        def found(name: str, value: str | None) -> KnownContact | None:
            return next((each for each in self.contacts.values() if value and getattr(each, name) == value), None)

        decision = decide_contact(wanted, found("phone", wanted.phone), found("email", wanted.email))
        person_id = decision.person_id or f"c{len(self.contacts)}"
        told = {"phone": wanted.phone, "email": wanted.email, "name": wanted.name}
        known = self.contacts.get(person_id)
        self.contacts[person_id] = replace(known, **decision.fill) if known else KnownContact(person_id, **told)
        self.noted |= {(person_id, name, value) for name, value in decision.observe.items()}
        return person_id


def maybe(*values: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, *values])


EMAILS, NAMES = maybe("a@x.org", "b@x.org", "c@x.org"), maybe("Ann", "Bob", "ann", "Cy")
USERS = st.builds(UserWanted, EMAILS, NAMES, maybe("Sales", "Support")).filter(lambda user: user.email or user.name)
CONTACTS = st.builds(ContactWanted, maybe("+1", "+2", "+3"), EMAILS, NAMES).filter(
    lambda each: each.phone or each.email
)


def unchanged(before: object, after: object) -> bool:
    """Whether everything that was known is still what it was."""
    named = [field.name for field in fields(before)]  # type: ignore[arg-type]
    return all(getattr(before, name) in {None, getattr(after, name)} for name in named)


@given(st.lists(USERS, max_size=30))
def test_no_address_ever_has_two_users_and_what_is_known_of_one_never_changes(calls: list[UserWanted]) -> None:
    registry = Registry()
    for wanted in calls:
        before = dict(registry.users)
        person_id = registry.meet_user(wanted)
        assert all(unchanged(user, registry.users[user.id]) for user in before.values())
        emails = [user.email for user in registry.users.values() if user.email]
        assert len(emails) == len(set(emails))
        if wanted.email:
            assert person_id is not None
            assert registry.users[person_id].email == wanted.email
        elif person_id is not None:
            assert name_key(registry.users[person_id].name or "") == name_key(wanted.name or "")
        for name in ("name", "group"):
            said = getattr(wanted, name)
            if said and person_id:
                kept = getattr(registry.users[person_id], name)
                assert name_key(kept) == name_key(said) or (person_id, name, said) in registry.noted


@given(st.lists(CONTACTS, max_size=30))
def test_no_number_or_address_ever_has_two_contacts_and_nothing_said_is_lost(calls: list[ContactWanted]) -> None:
    registry = Registry()
    for wanted in calls:
        before = dict(registry.contacts)
        person_id = registry.meet_contact(wanted)
        assert all(unchanged(contact, registry.contacts[contact.id]) for contact in before.values())
        for name in ("phone", "email"):
            values = [getattr(each, name) for each in registry.contacts.values() if getattr(each, name)]
            assert len(values) == len(set(values))
        for name in ("phone", "email", "name"):
            said = getattr(wanted, name)
            if said:
                kept = getattr(registry.contacts[person_id], name)
                assert name_key(kept or "") == name_key(said) or (person_id, name, said) in registry.noted


@given(st.lists(CONTACTS.filter(lambda each: each.phone), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_in_whatever_order_calls_come_each_number_alone_is_one_contact(calls: list[ContactWanted], random: Any) -> None:
    """With numbers alone the order does not matter; an address decides only who is known first."""
    alone = [replace(wanted, email=None) for wanted in calls]
    registry = Registry()
    random.shuffle(alone)
    found = {wanted.phone: registry.meet_contact(wanted) for wanted in alone}
    assert len(registry.contacts) == len({wanted.phone for wanted in alone}) == len(set(found.values()))
