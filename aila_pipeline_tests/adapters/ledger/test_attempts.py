"""Attempts, and what follows from their ends: events, batches that close, retries that open them again."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.attempts import close_batches, end_attempt
from aila_pipeline.adapters.ledger.tables import attempts, batches, calls, events, shards, stage_results
from aila_pipeline.domain.status import BatchStatus, CallStatus, Stage
from aila_pipeline.errors import AudioInvalid, SourceUnavailable
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_version,
    an_accepted_batch,
    holding,
    rows,
    run,
)
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound

LATER = NOW + timedelta(days=1)


def test_the_database_refuses_a_second_open_attempt(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger)
    (open_one,) = rows(ledger, attempts)
    second = dict(open_one._mapping) | {"n": 2}
    with pytest.raises(sa.exc.IntegrityError):
        ledger.database.write(lambda connection: connection.execute(sa.insert(attempts).values(second)))
    assert len(rows(ledger, attempts, attempts.c.batch_id == accepted.batch_id)) == 1


def test_the_database_refuses_an_outcome_without_its_time(ledger: Ledger) -> None:
    an_accepted_batch(ledger)
    with pytest.raises(sa.exc.IntegrityError):
        ledger.database.write(lambda connection: connection.execute(sa.update(attempts).values(outcome="failed")))


def test_an_attempt_ends_once_with_its_first_outcome(ledger: Ledger) -> None:
    an_accepted_batch(ledger)
    call_id = rows(ledger, calls)[0].id

    def end(error: tuple[str, str, bool] | None) -> bool:
        return ledger.database.write(
            lambda connection: end_attempt(connection, call_id, 1, now=NOW, stage=Stage.SCORES, error=error)
        )

    assert end(("AUDIO_INVALID", "not readable", False))
    assert not end(None)
    assert rows(ledger, attempts)[0].outcome == CallStatus.FAILED
    assert [event.payload["status"] for event in rows(ledger, events)] == ["failed"]


def test_the_end_of_an_older_attempt_leaves_the_call_to_the_newest(ledger: Ledger) -> None:
    """A worker that is late by a whole attempt must not overwrite what the retry shows."""
    accepted = an_accepted_batch(ledger, a_call(0, "c"))
    run(ledger, accepted.shards[0], failing={"c": AudioInvalid()})
    ledger.batches.retry(accepted.batch_id, shard_size=100, now=LATER)
    call_id = rows(ledger, calls)[0].id
    late = ledger.database.write(
        lambda connection: end_attempt(connection, call_id, 1, now=LATER, stage=Stage.OUTCOMES)
    )
    assert not late
    assert rows(ledger, calls)[0].status == CallStatus.PENDING
    assert_sound(ledger)


def test_a_shard_worked_off_ends_its_calls_and_closes_the_batch(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0, "a"), a_call(1, "b"))
    assert run(ledger, accepted.shards[0], failing={"b": AudioInvalid("no header")}) == [accepted.batch_id]
    view = ledger.views.batch(accepted.batch_id)
    assert view is not None
    assert (view.status, view.document(NOW)["terminal"]) == (BatchStatus.PARTIAL, True)
    failed = ledger.views.calls_of(accepted.batch_id)[1]
    assert (failed.error_code, failed.retryable, failed.stage) == ("AUDIO_INVALID", False, Stage.CALL_AUDIO)
    assert failed.error_message == AudioInvalid("no header").message
    told = rows(ledger, events, events.c.kind == "batch")[0].payload
    assert told == {"status": "partial", "closing": 1, "calls": 2, "completed": 1, "failed": 1}
    assert_sound(ledger)


def test_an_event_tells_what_the_run_gave_it_and_nothing_of_the_call(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0, "c"))
    run(ledger, accepted.shards[0])
    told = rows(ledger, events, events.c.kind == "call")[0].payload
    expected = {"status": "completed", "error_code": None, "attempt": 1, "stage": "outcomes", "seconds": 1.0}
    assert told == expected | {"batch_id": accepted.batch_id, "shard": accepted.shards[0]}


def test_the_shard_does_not_end_while_one_of_its_calls_is_open(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0, "a"), a_call(1, "b"))
    with holding(ledger, accepted.shards[0]) as work:
        first, second = work.calls()
        assert work.end([(first, {})]) == []
        assert rows(ledger, shards)[0].state == "admitted"
        assert_sound(ledger)
        assert work.end([(first, {}), (second, {})]) == [accepted.batch_id]
    assert len(rows(ledger, events, events.c.kind == "call")) == 2
    assert_sound(ledger)


def test_ending_a_shard_again_closes_nothing_again(ledger: Ledger) -> None:
    """The last step may be run again after a crash between its commit and its own end."""
    accepted = an_accepted_batch(ledger)
    run(ledger, accepted.shards[0])
    assert run(ledger, accepted.shards[0], token="worker-2") == []
    assert rows(ledger, batches)[0].closings == 1
    assert_sound(ledger)


def test_the_last_of_several_shards_closes_the_batch(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, *(a_call(n) for n in range(3)), shard_size=1)
    assert [run(ledger, key) for key in accepted.shards] == [[], [], [accepted.batch_id]]
    assert_sound(ledger)


def test_a_closed_batch_is_not_closed_again(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger)
    run(ledger, accepted.shards[0])
    assert ledger.database.write(lambda c: close_batches(c, [accepted.batch_id], now=LATER)) == []
    assert_sound(ledger)


def test_a_retry_opens_the_failed_calls_and_the_batch_which_closes_a_second_time(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0, "a"), a_call(1, "b"), a_call(2, problem="ROW_INVALID"))
    run(ledger, accepted.shards[0], failing={"b": AudioInvalid()})
    (key,) = ledger.batches.retry(accepted.batch_id, shard_size=100, now=LATER)
    assert key.endswith(".002")
    view = ledger.views.batch(accepted.batch_id)
    assert view is not None
    assert (view.status, view.ended_at) == (BatchStatus.PROCESSING, None)
    assert [call.attempt for call in ledger.views.calls_of(accepted.batch_id)] == [1, 2, 1]
    assert_sound(ledger)
    assert run(ledger, key) == [accepted.batch_id]
    assert [event.n for event in rows(ledger, events, events.c.kind == "batch")] == [1, 2]
    assert_sound(ledger)


def test_a_retry_without_failures_changes_nothing(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger)
    assert ledger.batches.retry(accepted.batch_id, shard_size=100, now=LATER) == []
    run(ledger, accepted.shards[0])
    assert ledger.batches.retry(accepted.batch_id, shard_size=100, now=LATER) == []
    assert_sound(ledger)


def test_automatic_retries_wait_twice_as_long_each_time_and_stop_at_the_limit(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0, "c"))
    pause, tries = timedelta(minutes=10), 0
    run(ledger, accepted.shards[0], failing={"c": SourceUnavailable()})

    def due(after: timedelta) -> list[str]:
        ended = rows(ledger, calls)[0].ended_at
        return ledger.batches.retry_passing(limit=2, pause=pause, shard_size=100, now=ended + after, most=10)

    for n in (1, 2):
        wait = pause * 2 ** (n - 1)
        assert due(wait - timedelta(seconds=1)) == []
        (key,) = due(wait + timedelta(seconds=1))
        tries += 1
        run(ledger, key, failing={"c": SourceUnavailable()})
        assert_sound(ledger)
    assert due(timedelta(days=365)) == []
    assert (tries, rows(ledger, calls)[0].attempt) == (2, 3)


def test_what_failed_for_good_is_not_retried_automatically(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0, "c"))
    run(ledger, accepted.shards[0], failing={"c": AudioInvalid()})
    later = rows(ledger, calls)[0].ended_at + timedelta(days=1)
    assert ledger.batches.retry_passing(limit=3, pause=timedelta(0), shard_size=9, now=later, most=10) == []


@pytest.mark.parametrize(("force", "opened"), [(False, ["passing"]), (True, ["passing", "lasting"])])
def test_a_run_on_an_ended_shard_reopens_what_failed(ledger: Ledger, force: bool, opened: list[str]) -> None:
    """The way of a backfill over shards that is started in the UI."""
    accepted = an_accepted_batch(ledger, a_call(0, "passing"), a_call(1, "lasting"), a_call(2, "good"))
    run(ledger, accepted.shards[0], failing={"passing": SourceUnavailable(), "lasting": AudioInvalid()})
    with holding(ledger, accepted.shards[0]) as work:
        assert work.reopen(force=force) == len(opened)
        assert [call.position for call in work.calls() if call.open] == list(range(len(opened)))
        assert_sound(ledger)
        work.end([(call, {}) for call in work.calls() if call.open])
    assert_sound(ledger)


def test_a_call_retried_in_another_shard_is_left_alone_by_the_first(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0, "a"), a_call(1, "b"))
    run(ledger, accepted.shards[0], failing={"b": SourceUnavailable()})
    ledger.batches.retry(accepted.batch_id, shard_size=100, now=LATER)
    with holding(ledger, accepted.shards[0], token="worker-2") as work:
        assert [call.position for call in work.calls()] == [0]
        assert work.reopen(force=True) == 0
    assert_sound(ledger)


def test_results_are_gathered_and_written_together(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, *(a_call(n) for n in range(51)))
    with holding(ledger, accepted.shards[0]) as work:
        found = work.calls()
        for call in found[:49]:
            work.save(call, a_version(Stage.INSIGHTS), {}, seconds=0.0)
        assert rows(ledger, stage_results) == []
        work.save(found[49], a_version(Stage.INSIGHTS), {}, seconds=0.0)
        assert len(rows(ledger, stage_results)) == 50
        work.save(found[50], a_version(Stage.INSIGHTS), {}, seconds=0.0)
    assert len(rows(ledger, stage_results)) == 51, "what is left is written when the step ends"


def test_a_newer_result_takes_the_place_of_the_older_and_warnings_add_up(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger)
    with holding(ledger, accepted.shards[0]) as work:
        (call,) = work.calls()
        work.save(call, a_version(Stage.INSIGHTS), {"turns": 1}, seconds=0.5, warnings=["MONO_AUDIO"])
        work.save(
            call, a_version(Stage.INSIGHTS, "v2"), {"turns": 2}, seconds=0.5, warnings=["NO_SPEECH", "MONO_AUDIO"]
        )
        (call,) = work.calls(Stage.INSIGHTS)
    assert call.warnings == ("MONO_AUDIO", "NO_SPEECH")
    assert call.results[Stage.INSIGHTS].document == {"turns": 2}
    assert call.results[Stage.INSIGHTS].version == a_version(Stage.INSIGHTS, "v2").id


def test_entering_a_stage_shows_in_the_open_calls_alone(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0, "a"), a_call(1, "b"))
    with holding(ledger, accepted.shards[0]) as work:
        work.fail(work.calls()[0], Stage.CALL_AUDIO, AudioInvalid())
        work.enter(Stage.TRANSCRIPTS)
    failed, going = ledger.views.calls_of(accepted.batch_id)
    assert (failed.status, going.status) == (CallStatus.FAILED, CallStatus.TRANSCRIBING)
    assert going.stage == Stage.TRANSCRIPTS
