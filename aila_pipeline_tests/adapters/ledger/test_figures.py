"""Figures: right on both databases, and counted from an index alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger import figures as module
from aila_pipeline.domain.status import CallStatus, Stage
from aila_pipeline.errors import AudioInvalid, LedgerUnavailable
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_call, a_worker, an_accepted_batch, received, run


def test_an_empty_ledger_has_nothing_to_do(ledger: Ledger) -> None:
    figures = ledger.figures.count(NOW)
    assert set(figures.calls.values()) == {0}
    assert (figures.stages, figures.batches_open, figures.oldest_waiting_seconds) == ({}, 0, 0.0)


def test_calls_stages_shards_and_batches_are_counted(ledger: Ledger) -> None:
    done = an_accepted_batch(ledger, a_call(0, "a"), a_call(1, "b"))
    run(ledger, done.shards[0], failing={"b": AudioInvalid()})
    an_accepted_batch(ledger, a_call(0, "c"))
    ledger.shards.admit(most_in_flight=1, now=NOW)
    an_accepted_batch(ledger, a_call(0, "d"), a_call(1, "e"), shard_size=1)
    received(ledger)

    figures = ledger.figures.count(datetime.now(UTC))

    expected = {CallStatus.COMPLETED: 1, CallStatus.FAILED: 1, CallStatus.PENDING: 3}
    assert {status: count for status, count in figures.calls.items() if count} == expected
    assert figures.stages[Stage.CALL_AUDIO].calls == 1
    assert figures.stages[Stage.CALL_AUDIO].seconds == pytest.approx(0.1)
    assert (figures.shards_waiting, figures.shards_admitted) == (2, 1)
    assert (figures.submissions_received, figures.batches_open) == (1, 3)


def test_what_was_done_long_ago_is_not_told(ledger: Ledger) -> None:
    run(ledger, an_accepted_batch(ledger).shards[0])
    assert ledger.figures.count(datetime.now(UTC) + module.WINDOW + timedelta(seconds=1)).stages == {}


def test_calls_wait_until_a_worker_begins(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger)
    minute = NOW + timedelta(minutes=1)
    assert ledger.figures.count(minute).oldest_waiting_seconds == 60
    ledger.shards.admit(most_in_flight=1, now=NOW)
    assert ledger.figures.count(minute).oldest_waiting_seconds == 60
    a_worker(ledger, accepted.shards[0])
    assert ledger.figures.count(minute).oldest_waiting_seconds == 0


def test_a_submission_that_is_not_checked_yet_waits_too(ledger: Ledger) -> None:
    received(ledger)
    assert ledger.figures.count(NOW + timedelta(minutes=2)).oldest_waiting_seconds == 120


def test_calls_are_counted_from_an_index_alone(ledger: Ledger) -> None:
    """A table as small as this one PostgreSQL would read as a whole, so that is forbidden to it here."""
    an_accepted_batch(ledger)

    def explain(connection: sa.Connection) -> str:
        if ledger.database.sqlite:
            return str(connection.execute(sa.text(f"EXPLAIN QUERY PLAN {module.CALLS}")).all())
        connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        connection.execute(sa.text("SET LOCAL enable_bitmapscan = off"))
        return str(connection.execute(sa.text(f"EXPLAIN {module.CALLS}")).all())

    told = ledger.database.read(explain)
    assert "COVERING INDEX" in told or "Index Only Scan" in told, told


def test_a_database_that_is_gone_does_not_answer(ledger: Ledger) -> None:
    ledger.figures.answers()
    gone = Ledger("postgresql+psycopg2://x:y@127.0.0.1:9/none")
    with pytest.raises(LedgerUnavailable):
        gone.figures.answers()
    gone.close()
