"""Delivering: nothing is lost, nobody waits for a slow or absent neighbour, and what cannot arrive says why."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.crm import Crm, CrmCall, Remember
from aila_pipeline.adapters.delivery import Delivery
from aila_pipeline.adapters.delivery_content import Content
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.destinations import Destination
from aila_pipeline.adapters.ledger.outbox_tables import outbox
from aila_pipeline.adapters.ledger.people_tables import contacts
from aila_pipeline.adapters.ledger.tables import calls, stage_results, users
from aila_pipeline.adapters.webhooks import Webhooks
from aila_pipeline.domain.deliveries import Backoff, Notice
from aila_pipeline.errors import DeliveryFailed, DeliveryRefused, LedgerUnavailable
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_call, a_tenant, an_accepted_batch, rows, run
from aila_pipeline_tests.adapters.ledger.outbox_builders import a_crm, a_webhook, ended_calls, later, messages
from aila_pipeline_tests.adapters.receiver import Handler, Receiver, a_receiver, after, status

USUAL = Backoff(25, timedelta(seconds=10))
CALLS = (Notice.CALL_COMPLETED, Notice.CALL_FAILED)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as made:
        yield made


class Clock:
    """A time that only a test moves."""

    def __init__(self, ledger: Ledger) -> None:
        self.now = later(ledger)

    def __call__(self) -> datetime:
        return self.now


def a_hook(ledger: Ledger, receiver: Receiver, path: str = "/hook", *events: Notice, firm: str = "acme") -> Destination:
    """A destination at the receiver, which knows its secret."""
    place = a_webhook(ledger, *events, tenant=a_tenant(ledger, firm), url=receiver.url(path))
    receiver.secrets[path] = place.secret
    return place


def a_delivery(
    ledger: Ledger,
    receiver: Receiver,
    *,
    clock: Callable[[], datetime] | None = None,
    backoff: Backoff = USUAL,
    seconds: float = 5.0,
    crm: Crm | None = None,
) -> Delivery:
    hooks = Webhooks([receiver.place], seconds=seconds)
    content = Content(ledger, "https://aila.example/")
    crms = (lambda _place: crm) if crm is not None else None
    return Delivery(ledger, hooks, content, backoff, clock=clock or Clock(ledger), crms=crms)


def test_what_ended_is_told_once_and_then_no_more(ledger: Ledger, receiver: Receiver) -> None:
    a_hook(ledger, receiver)
    batch = ended_calls(ledger, "a", "b", failing=("b",))
    delivery = a_delivery(ledger, receiver)
    assert delivery.run(seconds=30) == {"webhook": Counter(delivered=3)}
    assert delivery.run(seconds=30) == {}
    told = {body["type"]: body["data"] for _path, _id, body in receiver.effects}
    ids = {row.external_id: row.id for row in rows(ledger, calls)}
    assert told["call.completed"]["call_id"] == ids["a"]
    assert told["call.completed"]["links"] == {"call": f"https://aila.example/api/v1/calls/{ids['a']}"}
    assert told["call.failed"]["error"]["code"] == "AUDIO_INVALID"
    assert (told["call.failed"]["attempt"], told["call.failed"]["batch_ids"]) == (1, [batch])
    assert (told["batch.partial"]["completed"], told["batch.partial"]["failed"]) == (1, 1)
    assert {message for _path, message in receiver.requests} == {row.id for row in messages(ledger)}


def test_each_destination_is_told_under_its_own_secret(ledger: Ledger, receiver: Receiver) -> None:
    a_hook(ledger, receiver, "/one", Notice.CALL_COMPLETED)
    a_hook(ledger, receiver, "/two", Notice.CALL_COMPLETED)
    a_hook(ledger, receiver, "/other", Notice.CALL_COMPLETED, firm="other")
    ended_calls(ledger, "a")
    a_delivery(ledger, receiver).run(seconds=30)
    assert sorted(path for path, _id, _body in receiver.effects) == ["/one", "/two"]
    assert receiver.forged == 0


@pytest.mark.slow
def test_a_receiver_that_is_down_for_a_day_misses_nothing(ledger: Ledger) -> None:
    """The clock is moved by minutes; the usual pauses and tries."""
    names = [f"c-{n}" for n in range(30)]
    with a_receiver() as gone:
        place = a_hook(ledger, gone, "/hook", *CALLS)
        port = gone.port
    ended_calls(ledger, *names, failing=tuple(names[::3]))
    clock = Clock(ledger)
    down = a_delivery(ledger, gone, clock=clock)
    tried, back = 0, clock.now + timedelta(days=1)
    while clock.now < back:
        tried += sum(down.run(seconds=30).get("webhook", Counter()).values())
        clock.now += timedelta(minutes=5)
    assert {row.state for row in messages(ledger)} == {"waiting"}
    assert max(row.tries for row in messages(ledger)) <= 16, "of 25"
    assert tried < 30 * 16, "a destination that is down is not asked for each of its messages"
    with a_receiver(port=port) as receiver:
        receiver.secrets["/hook"] = place.secret
        back_again = a_delivery(ledger, receiver, clock=clock)
        for _ in range(8 * 12):
            back_again.run(seconds=30)
            clock.now += timedelta(minutes=5)
    assert len(receiver.effects) == 30
    assert {row.state for row in messages(ledger)} == {"delivered"}


def test_a_retry_is_not_told_before_the_failure_that_it_mends(ledger: Ledger, receiver: Receiver) -> None:
    a_hook(ledger, receiver, "/hook", *CALLS)
    names = [f"c-{n}" for n in range(20)]
    batch = ended_calls(ledger, *names, failing=tuple(names))
    (shard,) = ledger.batches.retry(batch, shard_size=100, now=NOW)
    run(ledger, shard)
    receiver.faults = 0.3
    clock = Clock(ledger)
    delivery = a_delivery(ledger, receiver, clock=clock, seconds=0.5)
    while messages(ledger, outbox.c.state == "waiting"):
        delivery.run(seconds=60)
        clock.now += timedelta(minutes=10)
    order: dict[str, list[int]] = {}
    for _path, _id, body in receiver.effects:
        order.setdefault(body["data"]["call_id"], []).append(body["data"]["attempt"])
    assert list(order.values()) == [[1, 2]] * 20


@pytest.mark.slow
def test_slow_receivers_do_not_hold_a_fast_one(ledger: Ledger, receiver: Receiver) -> None:
    """Together they would take all threads three times over."""
    for n in range(8):
        a_hook(ledger, receiver, f"/slow-{n}", *CALLS)
        receiver.answering[f"/slow-{n}"] = after(1)
    a_hook(ledger, receiver, "/fast", *CALLS)
    ended_calls(ledger, *(f"c-{n}" for n in range(12)))
    a_delivery(ledger, receiver).run(seconds=60)
    paths = [path for path, _id, _body in receiver.effects]
    assert len(paths) == 9 * 12
    last = len(paths) - 1 - paths[::-1].index("/fast")
    assert last < len(paths) * 0.75, "slow ones were told long after"


def test_one_destination_gets_at_most_four_at_once(ledger: Ledger, receiver: Receiver) -> None:
    a_hook(ledger, receiver, "/hook", *CALLS)
    ended_calls(ledger, *(f"c-{n}" for n in range(16)))
    open_now, most, lock = 0, 0, threading.Lock()

    def count(handler: Handler) -> None:
        nonlocal open_now, most
        with lock:
            open_now += 1
            most = max(most, open_now)
        time.sleep(0.05)
        with lock:
            open_now -= 1
        handler.answer(204)

    receiver.answering["/hook"] = count
    a_delivery(ledger, receiver).run(seconds=30)
    assert 2 <= most <= 4


def test_pauses_double_until_a_message_is_given_up_with_its_reason(ledger: Ledger, receiver: Receiver) -> None:
    a_hook(ledger, receiver, "/hook", Notice.CALL_COMPLETED)
    ended_calls(ledger, "a")
    receiver.answering["/hook"] = status(500)
    clock = Clock(ledger)
    delivery = a_delivery(ledger, receiver, clock=clock, backoff=Backoff(4, timedelta(seconds=10)))
    pauses = []
    while messages(ledger, outbox.c.state == "waiting"):
        before, began = len(receiver.requests), clock.now
        while len(receiver.requests) == before:
            clock.now += timedelta(seconds=1)
            delivery.run(seconds=30)
        pauses.append((clock.now - began).total_seconds())
    (row,) = messages(ledger)
    assert (row.state, row.tries, row.last_error) == ("dead", 4, "HTTP 500; tried 4 times")
    assert all(1.5 < second / first < 2.6 for first, second in pairwise(pauses[1:]))


def test_a_receiver_that_asks_for_time_is_left_alone_with_all_its_messages(ledger: Ledger, receiver: Receiver) -> None:
    a_hook(ledger, receiver, "/hook", *CALLS)
    ended_calls(ledger, *(f"c-{n}" for n in range(40)))
    receiver.answering["/hook"] = status(429, Retry_After="600")
    clock = Clock(ledger)
    delivery = a_delivery(ledger, receiver, clock=clock)
    delivery.run(seconds=30)
    asked = len(receiver.requests)
    assert asked <= 8, "those that were in flight, and hardly more"
    clock.now += timedelta(seconds=590)
    delivery.run(seconds=30)
    assert len(receiver.requests) == asked
    del receiver.answering["/hook"]
    clock.now += timedelta(days=1)
    delivery.run(seconds=30)
    assert len(receiver.effects) == 40


def test_a_receiver_that_is_gone_and_one_that_lies_inside_are_given_up_at_once(
    ledger: Ledger, receiver: Receiver
) -> None:
    a_hook(ledger, receiver, "/hook", Notice.CALL_COMPLETED)
    receiver.answering["/hook"] = status(410)
    inside = a_webhook(ledger, Notice.CALL_COMPLETED, url="https://127.0.0.1/hook")
    ended_calls(ledger, "a")
    a_delivery(ledger, receiver).run(seconds=30)
    reasons = {row.destination_id == inside.id: row.last_error for row in messages(ledger, outbox.c.state == "dead")}
    assert "HTTP 410" in reasons[False]
    assert reasons[True] == "its address is not on the public internet"
    places = {place.id: place.last_error for place in ledger.destinations.all()}
    assert places[inside.id] == "its address is not on the public internet", "the destination says so too"


def test_a_message_whose_destination_was_removed_meanwhile_is_not_sent(ledger: Ledger, receiver: Receiver) -> None:
    place = a_hook(ledger, receiver, "/hook", Notice.CALL_COMPLETED)
    ended_calls(ledger, "a")
    ledger.destinations.remove(place.id, now=NOW)
    # As if it had been written by a transaction that saw the destination before it was removed.
    waiting = sa.update(outbox).values(state="waiting", ended_at=None)
    ledger.database.write(lambda c: c.execute(waiting))
    a_delivery(ledger, receiver).run(seconds=30)
    assert receiver.requests == []
    assert {row.state for row in messages(ledger)} == {"dead"}


def test_a_replayed_message_arrives_under_the_same_id(ledger: Ledger, receiver: Receiver) -> None:
    a_hook(ledger, receiver, "/hook", Notice.CALL_COMPLETED)
    ended_calls(ledger, "a")
    receiver.answering["/hook"] = status(410)
    delivery = a_delivery(ledger, receiver)
    delivery.run(seconds=30)
    del receiver.answering["/hook"]
    assert ledger.outbox.replay(now=NOW) == 1
    delivery.run(seconds=30)
    assert len(receiver.requests) == 2
    assert len(set(receiver.requests)) == 1
    assert len(receiver.effects) == 1


class ACrm:
    """A CRM that keeps what it was told, after failing as it is asked to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.told, self.known = list(errors), list[CrmCall](), list[Mapping[str, str]]()

    def sync(self, call: CrmCall, known: Mapping[str, str], remember: Remember) -> Mapping[str, str]:
        self.known.append(dict(known))
        if call.contact is not None:
            remember("contact", f"remote {call.contact.id}")
        if self.errors:
            raise self.errors.pop(0)
        remember("call", f"remote {call.call_id}")
        self.told.append(call)
        return {}


def with_people(ledger: Ledger, *, phone: str = "+77012345678") -> None:
    """The only call was matched with a contact and a user."""
    (call,) = rows(ledger, calls)
    contact = {"id": "contact_1", "tenant_id": call.tenant_id, "phone": phone, "name": "Dana", "created_at": NOW}
    user = {"id": "user_1", "tenant_id": call.tenant_id, "login": "user_1", "email": "ops@acme.example"}

    def change(connection: sa.Connection) -> None:
        connection.execute(sa.insert(contacts).values(**contact))
        connection.execute(sa.insert(users).values(**user, created_at=NOW))
        connection.execute(sa.update(calls).values(contact_id="contact_1", user_id="user_1"))

    ledger.database.write(change)


def test_a_crm_is_told_of_the_call_its_contact_and_its_operator(ledger: Ledger, receiver: Receiver) -> None:
    a_crm(ledger)
    ended_calls(ledger, "a")
    with_people(ledger)
    crm = ACrm()
    assert a_delivery(ledger, receiver, crm=crm).run(seconds=30) == {"hubspot": Counter(delivered=1)}
    (call,) = crm.told
    assert call.contact is not None
    assert (call.contact.id, call.contact.phone, call.owner_email) == ("contact_1", "+77012345678", "ops@acme.example")
    assert (call.status, call.external_id, call.started_at) == ("completed", "a", NOW)
    (row,) = messages(ledger)
    assert call.message_id == row.id


def test_a_number_that_cannot_be_one_is_not_told_to_a_crm(ledger: Ledger, receiver: Receiver) -> None:
    a_crm(ledger)
    ended_calls(ledger, "a")
    with_people(ledger, phone="ask at the desk")
    crm = ACrm()
    a_delivery(ledger, receiver, crm=crm).run(seconds=30)
    assert crm.told[0].contact is not None
    assert crm.told[0].contact.phone is None


def test_a_summary_leaves_redacted_and_people_leave_to_a_crm_alone(ledger: Ledger, receiver: Receiver) -> None:
    a_hook(ledger, receiver, "/hook", Notice.CALL_COMPLETED)
    a_crm(ledger)
    ended_calls(ledger, "a")
    with_people(ledger)
    (call,) = rows(ledger, calls)
    text = "She reads out four one one one, 1111 1111 1111, and asks to be called at +7 701 234 56 78."
    found = {"call_id": call.id, "stage": "summaries", "version": "v", "made_by": "m", "document": {"summary": text}}
    summary = sa.insert(stage_results).values(**found, seconds=0.1, created_at=NOW)
    ledger.database.write(lambda c: c.execute(summary))
    crm = ACrm()
    a_delivery(ledger, receiver, crm=crm).run(seconds=30)
    ((_path, _id, body),) = receiver.effects
    for left in (body["data"]["summary"], crm.told[0].summary):
        assert left is not None
        assert "asks to be called" in left
        assert "1111" not in left
        assert "234 56 78" not in left
    sent = str(body)
    for private in ("Dana", "77012345678", "ops@acme.example"):
        assert private not in sent


def test_what_a_crm_has_made_before_it_failed_is_known_at_the_next_try(ledger: Ledger, receiver: Receiver) -> None:
    a_crm(ledger)
    ended_calls(ledger, "a")
    with_people(ledger)
    crm, clock = ACrm(DeliveryFailed("HubSpot answered 502")), Clock(ledger)
    delivery = a_delivery(ledger, receiver, crm=crm, clock=clock)
    assert delivery.run(seconds=30) == {"hubspot": Counter(postponed=1)}
    clock.now += timedelta(minutes=1)
    assert delivery.run(seconds=30) == {"hubspot": Counter(delivered=1)}
    assert crm.known == [{}, {"contact": "remote contact_1"}]
    assert {row.status for row in rows(ledger, calls)} == {"completed"}, "whatever a CRM says"


@pytest.mark.parametrize(("code", "state"), [(401, "waiting"), (403, "waiting"), (400, "dead"), (None, "dead")])
def test_a_token_that_expired_kills_no_message_and_a_refusal_does(
    ledger: Ledger, receiver: Receiver, code: int | None, state: str
) -> None:
    a_crm(ledger)
    ended_calls(ledger, "a")
    a_delivery(ledger, receiver, crm=ACrm(DeliveryRefused("HubSpot refuses", status=code))).run(seconds=30)
    (row,) = messages(ledger)
    assert (row.state, row.last_error) == (state, "HubSpot refuses")


def test_a_case_that_nobody_thought_of_holds_back_no_other_message_and_quotes_nothing(
    ledger: Ledger, receiver: Receiver
) -> None:
    a_crm(ledger)
    ended_calls(ledger, "a", "b")
    crm = ACrm(ValueError("Dana, +77012345678"))
    assert a_delivery(ledger, receiver, crm=crm).run(seconds=30) == {"hubspot": Counter(delivered=1, postponed=1)}
    (row,) = messages(ledger, outbox.c.state == "waiting")
    assert "ValueError at test_delivery.py" in row.last_error
    assert "Dana" not in row.last_error


def test_a_rejected_row_is_nothing_that_a_crm_could_be_told(ledger: Ledger, receiver: Receiver) -> None:
    a_crm(ledger)
    an_accepted_batch(ledger, a_call(0, problem="ROW_INVALID"))
    crm = ACrm()
    a_delivery(ledger, receiver, crm=crm).run(seconds=30)
    assert crm.told == []
    (row,) = messages(ledger)
    assert (row.state, row.last_error) == ("delivered", "nothing was told: the call's row was rejected")


def test_a_ledger_that_fails_ends_the_delivery_and_loses_nothing(ledger: Ledger, receiver: Receiver) -> None:
    """As Dagster sees it, the run failed; the next one claims what this one had in hand."""
    a_crm(ledger)
    ended_calls(ledger, "a")
    with pytest.raises(LedgerUnavailable):
        a_delivery(ledger, receiver, crm=ACrm(LedgerUnavailable("OperationalError"))).run(seconds=30)
    crm = ACrm()
    assert a_delivery(ledger, receiver, crm=crm).run(seconds=30) == {"hubspot": Counter(delivered=1)}


def test_only_the_wanted_kinds_are_served(ledger: Ledger, receiver: Receiver) -> None:
    a_hook(ledger, receiver)
    a_crm(ledger)
    ended_calls(ledger, "a")
    counts = a_delivery(ledger, receiver, crm=ACrm()).run(seconds=30, wanted=lambda kind: kind != "webhook")
    assert counts == {"hubspot": Counter(delivered=1)}
    assert receiver.requests == []


def test_a_delivery_waits_a_while_for_more(ledger: Ledger, receiver: Receiver) -> None:
    """The call ends when the delivery has looked in vain already; it asks its clock at each look."""
    a_hook(ledger, receiver, "/hook", Notice.CALL_COMPLETED)
    looks = 0

    def clock() -> datetime:
        nonlocal looks
        looks += 1
        if looks == 2:
            ended_calls(ledger, "a")
        return datetime.now(UTC) + timedelta(seconds=1)

    assert a_delivery(ledger, receiver, clock=clock).run(seconds=60, linger_seconds=2) == {
        "webhook": Counter(delivered=1)
    }
    assert looks > 3


def test_a_delivery_ends_when_its_time_is_over(ledger: Ledger, receiver: Receiver) -> None:
    began = time.monotonic()
    assert a_delivery(ledger, receiver).run(seconds=1, linger_seconds=3600) == {}
    assert time.monotonic() - began < 60
