"""Events to tell: claimed by one teller, told once, taken over when the teller dies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.events import CLAIM
from aila_pipeline_tests.adapters.ledger.builders import a_call, an_accepted_batch, run

SECOND = timedelta(seconds=1)


@pytest.fixture
def now(ledger: Ledger) -> datetime:
    """A moment after two calls and their batch have ended, which makes three events."""
    run(ledger, an_accepted_batch(ledger, a_call(0), a_call(1)).shards[0])
    return datetime.now(UTC) + SECOND


def test_what_one_claims_another_does_not_get(ledger: Ledger, now: datetime) -> None:
    mine, others = (ledger.events.claim(token, now=now) for token in ("one", "two"))
    assert sorted(event.kind for event in mine) == ["batch", "call", "call"]
    assert others == []


def test_a_claim_that_ran_out_is_another_s(ledger: Ledger, now: datetime) -> None:
    mine = ledger.events.claim("one", now=now)
    later = now + CLAIM + SECOND
    assert len(ledger.events.claim("two", now=later)) == 3
    ledger.events.told(mine, token="one", now=later)
    assert ledger.events.waiting() == 3, "who lost the claim has no say any more"


def test_what_was_told_is_not_told_again(ledger: Ledger, now: datetime) -> None:
    ledger.events.told(ledger.events.claim("one", now=now, most=2), token="one", now=now)
    assert ledger.events.waiting() == 1
    assert len(ledger.events.claim("two", now=now + 10 * CLAIM)) == 1


def test_the_claims_of_a_shard_or_a_subject_are_theirs_alone(ledger: Ledger, now: datetime) -> None:
    other = an_accepted_batch(ledger, a_call(0))
    run(ledger, other.shards[0])
    now += SECOND
    assert [event.kind for event in ledger.events.claim("one", now=now, shard_id=other.shards[0])] == ["call"]
    assert [event.kind for event in ledger.events.claim("one", now=now, subjects=[other.batch_id])] == ["batch"]


def test_fresh_events_are_left_to_the_run_that_made_them(ledger: Ledger, now: datetime) -> None:
    assert ledger.events.claim("sensor", now=now, older_than=timedelta(minutes=1)) == []
    assert len(ledger.events.claim("sensor", now=now + 2 * timedelta(minutes=1), older_than=timedelta(minutes=1))) == 3
