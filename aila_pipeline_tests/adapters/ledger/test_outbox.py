"""The life of a message: claimed by one, in order per call, delivered or tried again, and never lost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.destinations import REMOVED
from aila_pipeline.adapters.ledger.outbox import Settled, Wanted
from aila_pipeline.adapters.ledger.outbox_tables import destinations, outbox
from aila_pipeline.domain.deliveries import Backoff, Notice
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_tenant, rows, run
from aila_pipeline_tests.adapters.ledger.outbox_builders import (
    MINUTE,
    a_crm,
    a_webhook,
    claim,
    dead,
    delivered,
    ended_calls,
    later,
    messages,
)
from aila_pipeline_tests.adapters.ledger.test_two_at_once import url_of

CALLS = (Notice.CALL_COMPLETED, Notice.CALL_FAILED)


def failed_then_completed(ledger: Ledger) -> None:
    """One call with two messages: attempt 1 failed, attempt 2 completed."""
    batch = ended_calls(ledger, "a", failing=("a",))
    (shard,) = ledger.batches.retry(batch, shard_size=100, now=NOW)
    run(ledger, shard)


def test_what_is_delivered_is_over(ledger: Ledger) -> None:
    place = a_webhook(ledger)
    ended_calls(ledger, "a")
    now = later(ledger)
    taken = claim(ledger, place)
    assert {message.notice for message in taken} == {Notice.CALL_COMPLETED, Notice.BATCH_COMPLETED}
    delivered(ledger, *taken, now=now)
    assert ledger.outbox.due(now=now + timedelta(days=9)) == []
    assert {(row.state, row.tries, row.ended_at) for row in messages(ledger)} == {("delivered", 1, now)}


def test_a_claimed_message_is_nobody_elses_until_the_claim_is_over(ledger: Ledger) -> None:
    place = a_webhook(ledger)
    ended_calls(ledger, "a")
    now = later(ledger)
    first = claim(ledger, place, "one", now=now)
    assert claim(ledger, place, "two", now=now + MINUTE / 2) == []
    assert ledger.outbox.due(now=now + MINUTE / 2) == []
    assert claim(ledger, place, "two", now=now + 2 * MINUTE) == first
    delivered(ledger, *first, token="one")
    assert {row.state for row in messages(ledger)} == {"waiting"}, "whoever lost the claim settles nothing"
    delivered(ledger, *first, token="two")
    assert {row.state for row in messages(ledger)} == {"delivered"}


def test_a_call_is_told_in_its_order_and_other_calls_do_not_wait_for_it(ledger: Ledger) -> None:
    place = a_webhook(ledger, *CALLS)
    failed_then_completed(ledger)
    ended_calls(ledger, "b")
    first = claim(ledger, place)
    assert sorted((message.notice, message.n) for message in first) == [("call.completed", 1), ("call.failed", 1)]
    failure = next(message for message in first if message.notice == Notice.CALL_FAILED)
    now = later(ledger)
    delivered(ledger, *(message for message in first if message != failure))
    ledger.outbox.settle([Settled(failure, "waiting", "HTTP 503", now + 9 * MINUTE)], "one", now=now)
    assert claim(ledger, place, now=now + 5 * MINUTE) == [], "the second waits for the first"
    (again,) = claim(ledger, place)
    assert again.id == failure.id
    delivered(ledger, again)
    (second,) = claim(ledger, place)
    assert (second.notice, second.n) == (Notice.CALL_COMPLETED, 2)


def test_a_dead_message_does_not_hold_back_the_next_of_its_call(ledger: Ledger) -> None:
    place = a_webhook(ledger, *CALLS)
    failed_then_completed(ledger)
    dead(ledger, *claim(ledger, place))
    (second,) = claim(ledger, place)
    assert second.n == 2


def test_one_destination_does_not_wait_for_another(ledger: Ledger) -> None:
    slow, fast = a_webhook(ledger, *CALLS), a_webhook(ledger, *CALLS)
    failed_then_completed(ledger)
    claim(ledger, slow)
    delivered(ledger, *claim(ledger, fast, "two"), token="two")
    assert [message.n for message in claim(ledger, fast, "two", now=later(ledger))] == [2]


def test_a_message_that_waits_for_its_turn_makes_its_destination_not_due(ledger: Ledger) -> None:
    """Whoever delivers would otherwise be started for nothing, again and again."""
    place = a_webhook(ledger, *CALLS)
    failed_then_completed(ledger)
    now = later(ledger)
    (first,) = claim(ledger, place, now=now)
    ledger.outbox.settle([Settled(first, "waiting", "HTTP 503", now + 9 * MINUTE)], "one", now=now)
    assert ledger.outbox.due(now=now + 5 * MINUTE) == []
    assert ledger.outbox.due(now=now + 10 * MINUTE) == [(place.id, "webhook")]


def test_messages_that_are_given_back_can_be_claimed_at_once_and_were_not_tried(ledger: Ledger) -> None:
    place = a_webhook(ledger)
    ended_calls(ledger, "a")
    now = later(ledger)
    taken = claim(ledger, place, now=now)
    ledger.outbox.give_back(taken, "one")
    assert claim(ledger, place, "two", now=now) == taken
    assert {row.tries for row in messages(ledger)} == {0}


def test_a_destination_that_fails_again_and_again_is_left_alone_with_all_its_messages(ledger: Ledger) -> None:
    place, other = a_webhook(ledger, *CALLS), a_webhook(ledger, *CALLS)
    ended_calls(ledger, *"abcdefgh")
    now, backoff = later(ledger), Backoff(25, timedelta(seconds=10))
    for message in claim(ledger, place, most=5, now=now):
        ledger.outbox.settle([Settled(message, "waiting", "HTTP 503", now, backoff.rest)], "one", now=now)
    assert ledger.outbox.due(now=now + timedelta(seconds=9)) == [(other.id, "webhook")]
    assert len(ledger.outbox.due(now=now + timedelta(seconds=11))) == 2
    (row,) = rows(ledger, destinations, destinations.c.id == place.id)
    assert (row.failures, row.last_error) == (5, "HTTP 503")
    delivered(ledger, *claim(ledger, place, most=1, now=now + MINUTE))
    (row,) = rows(ledger, destinations, destinations.c.id == place.id)
    assert (row.failures, row.last_error) == (0, None)


def test_dead_messages_are_replayed_one_by_one_by_destination_or_all(ledger: Ledger) -> None:
    one, two = a_webhook(ledger, *CALLS), a_webhook(ledger, *CALLS)
    ended_calls(ledger, "a", "b", "c")
    first = claim(ledger, one)
    dead(ledger, *first)
    dead(ledger, *claim(ledger, two, "two"), token="two")
    assert ledger.outbox.replay(now=NOW, message=first[0].id) == 1
    assert ledger.outbox.replay(now=NOW, message=first[0].id) == 0, "it is not dead any more"
    assert ledger.outbox.replay(now=NOW, destination=one.id) == 2
    assert ledger.outbox.replay(now=NOW) == 3
    assert {(row.state, row.tries) for row in messages(ledger)} == {("waiting", 0)}
    assert {row.last_error for row in messages(ledger)} == {"HTTP 410"}, "why it was dead is still told"


def test_a_replay_wakes_a_destination_that_was_left_alone(ledger: Ledger) -> None:
    place = a_webhook(ledger, *CALLS)
    ended_calls(ledger, "a")
    now = later(ledger)
    (message,) = claim(ledger, place, now=now)
    rest = Settled(message, "dead", "HTTP 500", rest=lambda _failures: timedelta(hours=1))
    ledger.outbox.settle([rest], "one", now=now)
    assert ledger.outbox.replay(now=now) == 1
    assert ledger.outbox.due(now=now) == [(place.id, "webhook")]


def test_what_waits_for_a_destination_that_is_removed_is_given_up_and_troubles_nobody(ledger: Ledger) -> None:
    place = a_webhook(ledger)
    ended_calls(ledger, "a")
    assert ledger.destinations.remove(place.id, now=NOW) == 2
    assert ledger.destinations.remove(place.id, now=NOW) is None
    assert {(row.state, row.last_error) for row in messages(ledger)} == {("dead", REMOVED)}
    assert ledger.outbox_views.standing(webhooks=True, now=NOW).dead == 0
    assert ledger.outbox.replay(now=NOW) == 0
    assert ledger.outbox.due(now=later(ledger)) == []


def test_figures_tell_webhooks_from_crms(ledger: Ledger) -> None:
    hook, crm = a_webhook(ledger, *CALLS), a_crm(ledger)
    ended_calls(ledger, "a", "b")
    written = min(row.created_at for row in messages(ledger))
    dead(ledger, *claim(ledger, crm, most=1), reason="HTTP 401")
    webhooks, crms = (
        ledger.outbox_views.standing(webhooks=which, now=written + timedelta(hours=1)) for which in (True, False)
    )
    assert (webhooks.waiting, webhooks.oldest_seconds, webhooks.dead) == (2, 3600, 0)
    assert (crms.waiting, crms.dead) == (1, 1)
    assert ledger.outbox_views.dead_by_reason(webhooks=False) == [("HTTP 401", 1)]
    assert ledger.outbox_views.dead_by_reason(webhooks=True) == []
    (listed,) = ledger.outbox_views.messages(state="dead")
    assert (listed.destination_id, listed.kind, listed.reason, listed.tries) == (crm.id, "hubspot", "HTTP 401", 1)
    assert {each.destination_id for each in ledger.outbox_views.messages(webhooks=True)} == {hook.id}


def test_only_what_was_delivered_long_ago_is_forgotten(ledger: Ledger) -> None:
    place, gone = a_webhook(ledger, *CALLS), a_webhook(ledger, *CALLS)
    ended_calls(ledger, "a", "b", "c")
    first, second, _waits = claim(ledger, place)
    delivered(ledger, first, now=NOW - timedelta(days=31))
    dead(ledger, second, now=NOW - timedelta(days=31))
    ledger.destinations.remove(gone.id, now=NOW - timedelta(days=31))
    assert ledger.outbox.forget(NOW - timedelta(days=30), most=2) == 2
    assert ledger.outbox.forget(NOW - timedelta(days=30)) == 2
    assert ledger.outbox.forget(NOW - timedelta(days=30)) == 0
    assert {(row.destination_id, row.state) for row in messages(ledger)} == {(place.id, "dead"), (place.id, "waiting")}


def test_what_a_crm_calls_a_thing_is_remembered_per_destination(ledger: Ledger) -> None:
    one, two = a_crm(ledger), a_crm(ledger)
    ledger.outbox.remember(one.id, "call", "aila_1", "77", now=NOW)
    ledger.outbox.remember(one.id, "contact", "contact_1", "88", now=NOW)
    ledger.outbox.remember(one.id, "contact", "contact_1", "99", now=NOW)
    ledger.outbox.remember(one.id, "call", "aila_2", "11", now=NOW)
    assert ledger.outbox.remembered(one.id, ["aila_1", "contact_1"]) == {"call": "77", "contact": "99"}
    assert ledger.outbox.remembered(two.id, ["aila_1", "contact_1"]) == {}


def claim_all_at_once(ledger: Ledger, claimers: int, calls: int) -> None:
    """Each claimer has a connection of its own, claims until nothing is left, and settles what it has."""
    place = a_webhook(ledger, *CALLS, tenant=a_tenant(ledger))
    ended_calls(ledger, *(f"c-{n}" for n in range(calls)))
    now, barrier = later(ledger), threading.Barrier(claimers)

    def work(number: int) -> list[str]:
        mine, token, got = Ledger(url_of(ledger)), f"claimer {number}", list[str]()
        barrier.wait(timeout=60)
        while taken := mine.outbox.claim([Wanted(place.id, 3, now + MINUTE)], token, now=now):
            got += [message.id for message in taken]
            mine.outbox.settle([Settled(message, "delivered") for message in taken], token, now=now)
        mine.close()
        return got

    with ThreadPoolExecutor(claimers) as pool:
        claimed = [message for got in pool.map(work, range(claimers)) for message in got]
    assert len(claimed) == len(set(claimed)), "no message is claimed twice"
    assert {(row.state, row.tries) for row in messages(ledger)} == {("delivered", 1)}
    # On PostgreSQL a claimer that finds all rows in others' hands may leave before the end; nothing is left behind.
    assert messages(ledger, outbox.c.state == "waiting") == []


def test_claimers_at_once_share_the_messages(ledger: Ledger) -> None:
    claim_all_at_once(ledger, 8, 40)


@pytest.mark.slow
def test_thirty_two_claimers_at_once_share_the_messages(ledger: Ledger) -> None:
    claim_all_at_once(ledger, 32, 300)
