"""Whatever ends leaves its messages in the same transaction: one for each destination that wants it, and never two."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.outbox_tables import outbox
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.ledger.tables import attempts, calls
from aila_pipeline.domain.deliveries import Notice
from aila_pipeline.errors import LeaseLost
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_tenant,
    a_worker,
    an_accepted_batch,
    holding,
    received,
    rows,
    run,
)
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound
from aila_pipeline_tests.adapters.ledger.outbox_builders import a_crm, a_webhook, ended_calls, messages


def told(ledger: Ledger) -> Counter[str]:
    return Counter(row.event for row in messages(ledger))


def test_each_ending_is_told_to_each_destination_that_wants_it(ledger: Ledger) -> None:
    every, failures, crm = a_webhook(ledger), a_webhook(ledger, Notice.CALL_FAILED), a_crm(ledger)
    batch = ended_calls(ledger, "a", "b", failing=("b",))
    ids = {row.external_id: row.id for row in rows(ledger, calls)}
    found = {(row.destination_id, row.event, row.subject_id, row.n) for row in messages(ledger)}
    assert found == {
        (every.id, "call.completed", ids["a"], 1),
        (every.id, "call.failed", ids["b"], 1),
        (every.id, "batch.partial", batch, 1),
        (failures.id, "call.failed", ids["b"], 1),
        (crm.id, "call.completed", ids["a"], 1),
        (crm.id, "call.failed", ids["b"], 1),
    }
    assert_sound(ledger)


def test_a_tenant_without_destinations_writes_nothing_and_is_told_nothing_of_others(ledger: Ledger) -> None:
    a_webhook(ledger, tenant=a_tenant(ledger, "other"))
    ended_calls(ledger, "a")
    assert messages(ledger) == []


def test_a_removed_destination_is_told_nothing_more(ledger: Ledger) -> None:
    place = a_webhook(ledger)
    assert ledger.destinations.remove(place.id, now=NOW) == 0
    ended_calls(ledger, "a")
    assert messages(ledger) == []


def test_rows_that_intake_rejects_are_told_of_too(ledger: Ledger) -> None:
    a_webhook(ledger)
    an_accepted_batch(ledger, *(a_call(n, problem="ROW_INVALID") for n in range(1200)))
    assert told(ledger) == {"call.failed": 1200, "batch.failed": 1}
    facts = messages(ledger, outbox.c.event == "batch.failed")[0].facts
    assert (facts["calls"], facts["completed"], facts["failed"]) == (1200, 0, 1200)


def test_a_refused_submission_is_a_failed_batch(ledger: Ledger) -> None:
    a_webhook(ledger)
    batch = received(ledger)
    assert ledger.batches.refuse(batch.id, {"code": "CSV_EMPTY", "message": "there is no row"}, now=NOW)
    assert not ledger.batches.refuse(batch.id, {"code": "CSV_EMPTY", "message": "there is no row"}, now=NOW)
    (row,) = messages(ledger)
    assert (row.event, row.subject_id, row.facts["error_code"]) == ("batch.failed", batch.id, "CSV_EMPTY")


def test_a_retry_that_goes_well_is_told_after_the_failure(ledger: Ledger) -> None:
    a_webhook(ledger)
    batch = ended_calls(ledger, "a", failing=("a",))
    (shard,) = ledger.batches.retry(batch, shard_size=100, now=NOW)
    run(ledger, shard)
    assert [(row.event, row.n) for row in messages(ledger, outbox.c.event.like("call.%"))] == [
        ("call.failed", 1),
        ("call.completed", 2),
    ]
    assert [(row.event, row.n) for row in messages(ledger, outbox.c.event.like("batch.%"))] == [
        ("batch.failed", 1),
        ("batch.completed", 2),
    ]


def test_a_worker_that_lost_its_shard_tells_nobody(ledger: Ledger) -> None:
    """The message is in the transaction that the lease refuses."""
    a_webhook(ledger)
    accepted = an_accepted_batch(ledger, a_call(0, "a"))
    late = a_worker(ledger, accepted.shards[0], token="late")
    done: list[tuple[WorkCall, dict[str, object]]] = [(call, {}) for call in late.calls()]
    with holding(ledger, accepted.shards[0], token="other"):
        with pytest.raises(LeaseLost):
            late.end(done)
        assert messages(ledger) == []


def test_messages_hold_ids_codes_and_counts_alone(ledger: Ledger) -> None:
    a_webhook(ledger)
    ended_calls(ledger, "a", "b", failing=("b",))
    keys = {"status", "error_code", "batch_id", "closing", "calls", "completed", "failed"}
    for row in messages(ledger):
        assert set(row.facts) <= keys
        assert len(json.dumps(row.facts)) < 300


def test_an_attempt_without_its_message_is_found(ledger: Ledger) -> None:
    a_webhook(ledger, now=NOW - timedelta(days=1))
    ended_calls(ledger, "a", "b", failing=("b",))
    assert ledger.contradictions.all() == []
    lost = messages(ledger, outbox.c.event == "call.failed")[0]
    ledger.database.write(lambda c: c.execute(outbox.delete().where(outbox.c.id == lost.id)))
    (found,) = ledger.contradictions.all()
    assert found.subject == lost.subject_id
    assert "attempt 1 ended without a message" in found.what


def test_what_ended_before_a_destination_was_there_is_not_missed(ledger: Ledger) -> None:
    ended_calls(ledger, "a")
    (attempt,) = rows(ledger, attempts)
    a_webhook(ledger, now=attempt.ended_at)
    assert ledger.contradictions.all() == []
