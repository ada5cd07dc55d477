"""Many shards that meet the same people at once make each of them once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.people import Matched
from aila_pipeline.adapters.ledger.people_tables import contacts, observations
from aila_pipeline.adapters.ledger.tables import calls, stage_results, users
from aila_pipeline.adapters.ledger.tenants import DROP_ZONE
from aila_pipeline.domain.models import SubmittedCall
from aila_pipeline_tests.adapters.ledger.builders import a_call, a_tenant, a_worker, an_accepted_batch, rows
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound
from aila_pipeline_tests.adapters.ledger.test_people import versions
from aila_pipeline_tests.adapters.ledger.test_two_at_once import at_once, url_of

SHARDS, CALLS = 20, 200


def shards_with(ledger: Ledger, *submitted: SubmittedCall, size: int) -> tuple[str, ...]:
    return an_accepted_batch(ledger, *submitted, shard_size=size).shards


def matching(ledger: Ledger, shard: str) -> Callable[[], list[Matched]]:
    """A worker that holds the shard and is about to match its people."""
    work = a_worker(ledger, shard, token=f"worker of {shard}"[:64])
    needing = versions(work.calls())
    return partial(ledger.people.match, work, needing)


def met(ledger: Ledger) -> list[str]:
    """Users that calls made, by their ids."""
    return [row.id for row in rows(ledger, users, users.c.login != DROP_ZONE)]


def assert_one_each(ledger: Ledger) -> None:
    (contact,), (user,) = rows(ledger, contacts), met(ledger)
    assert {(row.user_id, row.contact_id) for row in rows(ledger, calls)} == {(user, contact.id)}
    results = [row.document for row in rows(ledger, stage_results)]
    assert len(results) == CALLS
    assert sum(result["contact"]["created"] for result in results) == 1
    assert sum(result["user"]["created"] for result in results) == 1
    assert_sound(ledger)


@pytest.mark.parametrize("said", [{"user_email": "ann@acme.example"}, {"user_name": "Ann Lee"}])
def test_two_hundred_calls_of_one_contact_in_twenty_shards_at_once_make_one(
    ledger: Ledger, said: dict[str, Any]
) -> None:
    """Each worker is a thread with a transaction of its own."""
    submitted = [a_call(n, contact_phone="+77012345678", contact_email="j@x.org", **said) for n in range(CALLS)]
    keys = shards_with(ledger, *submitted, size=CALLS // SHARDS)
    assert len(keys) == SHARDS
    at_once([matching(ledger, key) for key in keys])
    assert_one_each(ledger)


def _match_in_a_process(url: str, keys: Sequence[str], go: Callable[[], object]) -> None:
    ledger = Ledger(url)
    ready = [matching(ledger, key) for key in keys]
    go()
    at_once(ready)
    ledger.close()


@pytest.mark.slow
def test_two_hundred_calls_of_one_contact_in_processes_of_their_own_make_one(ledger: Ledger) -> None:
    """Four processes with five shards each."""
    submitted = [a_call(n, contact_phone="+77012345678", user_name="Ann Lee") for n in range(CALLS)]
    keys = shards_with(ledger, *submitted, size=CALLS // SHARDS)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    workers = [
        context.Process(target=_match_in_a_process, args=(url_of(ledger), keys[n::4], barrier.wait)) for n in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert_one_each(ledger)


def test_shards_that_meet_many_people_in_other_orders_agree_on_each(ledger: Ledger) -> None:
    """Phones, addresses and names cross, so that each shard fills in what another is about to look up."""
    numbers = list(range(12))
    submitted = [
        a_call(
            place,
            contact_phone=f"+7701000000{number % 6}" if place % 3 else None,
            contact_email=f"c{number % 4}@example.org" if place % 2 else None,
            user_name=f"Name {number % 3}",
            user_email=f"u{number % 3}@acme.example" if place % 4 else None,
        )
        for place, number in enumerate(numbers + numbers[::-1] + numbers[::2] * 2)
    ]
    at_once([matching(ledger, key) for key in shards_with(ledger, *submitted, size=4)])
    known = rows(ledger, contacts)
    for values in ([row.phone for row in known if row.phone], [row.email for row in known if row.email]):
        assert len(values) == len(set(values))
    emails = [row.email for row in rows(ledger, users) if row.email]
    assert sorted(emails) == [f"u{number}@acme.example" for number in range(3)]
    said = {row.id: (row.phone, row.email) for row in known}
    noted = {(row.contact_id, row.value) for row in rows(ledger, observations) if row.contact_id}
    for call in rows(ledger, calls):
        phone, email = call.details["contact_phone"], call.details["contact_email"]
        for value in filter(None, (phone, email)):
            assert value in said[call.contact_id] or (call.contact_id, value) in noted
    assert_sound(ledger)


def test_a_user_made_by_a_key_while_calls_are_matched_is_one(ledger: Ledger) -> None:
    """Who makes a key takes no turn with the shards; the unique address decides."""
    for n in range(5):
        email = f"u{n}@acme.example"
        (shard,) = shards_with(ledger, a_call(0, user_email=email), size=10)
        submit: Callable[[], object] = partial(ledger.tenants.ensure_user, a_tenant(ledger), email)
        both: list[Callable[[], object]] = [matching(ledger, shard), submit]
        at_once(both)
        assert len(rows(ledger, users, users.c.email == email)) == 1


def test_a_name_with_an_address_and_the_name_alone_met_at_once_are_one_user(ledger: Ledger) -> None:
    """No constraint sees this: the one who comes second must see whom the first has made."""
    for n in range(10):
        said: list[dict[str, Any]] = [
            {"user_name": f"Ann {n}", "user_email": f"a{n}@acme.example"},
            {"user_name": f"Ann {n}"},
        ]
        keys = shards_with(ledger, *(a_call(place, **each) for place, each in enumerate(said)), size=1)
        at_once([matching(ledger, key) for key in keys])
        assert len(rows(ledger, users, users.c.name == f"Ann {n}")) == 1


def test_a_phone_and_an_address_met_apart_and_together_at_once_lose_neither(ledger: Ledger) -> None:
    """One or two contacts, by who came first; but the number has one, and so has the address."""
    for n in range(10):
        phone, email = f"+7701000000{n}", f"c{n}@example.org"
        said: list[dict[str, Any]] = [
            {"contact_phone": phone},
            {"contact_email": email},
            {"contact_phone": phone, "contact_email": email},
        ]
        keys = shards_with(ledger, *(a_call(place, **each) for place, each in enumerate(said)), size=1)
        at_once([matching(ledger, key) for key in keys])
        assert len(rows(ledger, contacts, contacts.c.phone == phone)) == 1
        known = rows(ledger, contacts, contacts.c.email == email)
        noted = rows(ledger, observations, observations.c.value == email)
        assert len(known) == 1
        assert len(noted) == (known[0].phone != phone)
