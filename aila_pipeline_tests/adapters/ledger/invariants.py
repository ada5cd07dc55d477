"""What must be true of a ledger at any moment, whatever happened to it before.

Lives here: the statements, checked over plain rows. Does not: making anything happen (builders.py).
"""

from __future__ import annotations

from collections import Counter, defaultdict

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.tables import attempts, batch_calls, batches, calls, events, shards
from aila_pipeline.domain.status import TERMINAL, CallStatus
from aila_pipeline_tests.adapters.ledger.builders import rows


def assert_sound(ledger: Ledger) -> None:
    """All of them."""
    assert_attempts_sound(ledger)
    assert_events_match(ledger)
    assert_batches_sound(ledger)
    assert_shards_sound(ledger)


def assert_attempts_sound(ledger: Ledger) -> None:
    """A call's attempts are numbered without gap, only the newest may be open, and it decides the call's status."""
    tries = defaultdict(list)
    for attempt in rows(ledger, attempts):
        tries[attempt.call_id].append(attempt)
    for call in rows(ledger, calls):
        mine = tries[call.id]
        assert [attempt.n for attempt in mine] == list(range(1, call.attempt + 1))
        assert all(attempt.outcome for attempt in mine[:-1]), "an older attempt is open"
        newest = mine[-1]
        assert (newest.outcome or call.status) == call.status
        assert (CallStatus(call.status) in TERMINAL) == (newest.outcome is not None)
        assert (call.error_code, call.ended_at) == (newest.error_code, newest.ended_at)


def assert_events_match(ledger: Ledger) -> None:
    """One event for each ended attempt, with its outcome, and one for each closing of a batch; no other."""
    told = rows(ledger, events)
    ended = {(row.call_id, row.n): row.outcome for row in rows(ledger, attempts) if row.outcome}
    assert {(row.subject_id, row.n): row.payload["status"] for row in told if row.kind == "call"} == ended
    closings = {row.id: row.closings for row in rows(ledger, batches) if row.closings}
    assert Counter(row.subject_id for row in told if row.kind == "batch") == Counter(closings)


def assert_batches_sound(ledger: Ledger) -> None:
    """A batch that has ended links no open call; one that has not is still worked on by somebody."""
    status = {row.id: CallStatus(row.status) for row in rows(ledger, calls)}
    linked = defaultdict(list)
    for link in rows(ledger, batch_calls):
        linked[link.batch_id].append(link.call_id)
    unfinished = {row.id for row in rows(ledger, shards) if row.state != "ended"}
    worked_on = {row.call_id for row in rows(ledger, attempts) if row.shard_id in unfinished}
    for batch in rows(ledger, batches, batches.c.state == "accepted"):
        assert batch.total_calls == len(linked[batch.id])
        if batch.ended_at is not None:
            assert all(status[call].terminal for call in linked[batch.id]), "closed with an open call"
        else:
            assert worked_on & set(linked[batch.id]), "open, although no shard will ever close it"


def assert_shards_sound(ledger: Ledger) -> None:
    """An ended shard has no open attempt, and each open attempt has a shard."""
    ended = {row.id for row in rows(ledger, shards) if row.state == "ended"}
    for attempt in rows(ledger, attempts, attempts.c.outcome.is_(None)):
        assert attempt.shard_id is not None
        assert attempt.shard_id not in ended
