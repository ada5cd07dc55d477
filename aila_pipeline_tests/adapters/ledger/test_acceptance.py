"""Acceptance: what a checked submission becomes (contracts, gap 20), and that it becomes it once."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.tables import attempts, batch_calls, batches, calls, events, shards
from aila_pipeline.domain.status import BatchStatus, CallStatus, Stage
from aila_pipeline.errors import AudioInvalid, RecognitionFailed
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_submission,
    a_tenant,
    a_version,
    accept,
    an_accepted_batch,
    holding,
    received,
    rows,
    run,
)
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound


def test_the_same_fingerprint_received_twice_is_one_batch(ledger: Ledger) -> None:
    first, again = received(ledger, fingerprint="same"), received(ledger, fingerprint="same", name="other.json")
    assert first == again
    assert len(rows(ledger, batches)) == 1


def test_an_accepted_batch_has_calls_links_attempts_and_shards(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, *(a_call(n, f"c-{n}") for n in range(5)), shard_size=2)
    assert (accepted.state, accepted.calls, accepted.failed, len(accepted.shards)) == ("accepted", 5, 0, 3)
    assert [key.rpartition(".")[2] for key in accepted.shards] == ["001", "002", "003"]
    assert [link.position for link in rows(ledger, batch_calls)] == [0, 1, 2, 3, 4]
    assert {call.status for call in rows(ledger, calls)} == {CallStatus.PENDING}
    assert {(attempt.n, attempt.outcome) for attempt in rows(ledger, attempts)} == {(1, None)}
    assert_sound(ledger)


def test_accepting_again_changes_nothing(ledger: Ledger) -> None:
    """The `submission` run may be run again after a crash between its commit and its own end."""
    batch, submission = received(ledger), a_submission(a_call(0, "c-0"), a_call(1, problem="ROW_INVALID"))
    first, again = (accept(ledger, batch, submission) for _ in range(2))
    assert again.state == "accepted"
    assert again.batch_id == first.batch_id
    assert again.shards == ()
    assert len(rows(ledger, calls)) == 2
    assert len(rows(ledger, shards)) == 1
    assert_sound(ledger)


def test_a_submission_that_breaks_half_way_writes_nothing(ledger: Ledger) -> None:
    """Two items at one position: the database refuses the second link, long after the first rows were written."""
    batch = received(ledger)
    good = [a_call(n, f"c-{n}") for n in range(3)]
    with pytest.raises(sa.exc.IntegrityError):
        accept(ledger, batch, a_submission(*good, a_call(2, "c-x")))
    for table in (calls, batch_calls, attempts, shards, events):
        assert rows(ledger, table) == []
    assert rows(ledger, batches)[0].state == "received"
    assert accept(ledger, batch, a_submission(*good)).calls == 3


def test_a_rejected_row_is_a_failed_call_with_one_ended_attempt(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(2, "good"), a_call(3, "bad", problem="ROW_INVALID"))
    assert accepted.failed == 1
    bad = rows(ledger, calls, calls.c.external_id == "bad")[0]
    assert (bad.status, bad.error_code, bad.error_message) == ("failed", "ROW_INVALID", "is no time")
    assert [attempt.outcome for attempt in rows(ledger, attempts, attempts.c.call_id == bad.id)] == ["failed"]
    assert_sound(ledger)


def test_a_batch_of_rejected_rows_alone_is_closed_as_failed(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(2, problem="ROW_INVALID"), a_call(3, problem="FILE_NOT_FOUND"))
    assert accepted.shards == ()
    view = ledger.views.batch(accepted.batch_id)
    assert view is not None
    assert (view.status, view.ended_at) == (BatchStatus.FAILED, NOW)
    assert [event.payload["status"] for event in rows(ledger, events, events.c.kind == "batch")] == ["failed"]
    assert_sound(ledger)


def test_a_known_call_that_is_open_is_linked_and_not_done_twice(ledger: Ledger) -> None:
    an_accepted_batch(ledger, a_call(0, "c"))
    again = an_accepted_batch(ledger, a_call(0, "c"))
    assert (again.calls, again.failed, again.shards) == (1, 0, ())
    assert len(rows(ledger, calls)) == 1
    assert len(rows(ledger, attempts)) == 1
    assert_sound(ledger)


def test_a_batch_that_links_an_open_call_closes_with_it(ledger: Ledger) -> None:
    first = an_accepted_batch(ledger, a_call(0, "c"))
    second = an_accepted_batch(ledger, a_call(0, "c"))
    assert set(run(ledger, first.shards[0])) == {first.batch_id, second.batch_id}
    assert_sound(ledger)


def test_a_known_call_that_is_completed_closes_the_new_batch_at_once(ledger: Ledger) -> None:
    run(ledger, an_accepted_batch(ledger, a_call(0, "c")).shards[0])
    again = an_accepted_batch(ledger, a_call(0, "c"))
    view = ledger.views.batch(again.batch_id)
    assert view is not None
    assert (view.status, again.shards) == (BatchStatus.COMPLETED, ())
    assert_sound(ledger)


@pytest.mark.parametrize("done", [False, True])
def test_a_known_id_with_other_data_is_a_conflict_unless_it_failed(ledger: Ledger, done: bool) -> None:
    """The conflict is the new item's alone: the known call goes on, or stays completed."""
    first = an_accepted_batch(ledger, a_call(0, "c"))
    if done:
        run(ledger, first.shards[0])
    other = an_accepted_batch(ledger, a_call(0, "c", url="s3://calls/other.wav"))
    assert other.failed == 1
    view = ledger.views.calls_of(other.batch_id)[0]
    assert (view.external_id, view.status, view.error_code) == ("c", CallStatus.FAILED, "EXTERNAL_ID_CONFLICT")
    assert ledger.views.calls_of(first.batch_id)[0].status == (CallStatus.COMPLETED if done else CallStatus.PENDING)
    assert_sound(ledger)


def test_a_conflict_is_not_tried_again(ledger: Ledger) -> None:
    """Trying it would make a second call of an id that names another one."""
    an_accepted_batch(ledger, a_call(0, "c"))
    other = an_accepted_batch(ledger, a_call(0, "c", url="s3://calls/other.wav"))
    assert ledger.batches.retry(other.batch_id, shard_size=100, now=NOW) == []
    assert_sound(ledger)


def test_a_known_call_that_failed_is_tried_again_with_the_new_data_and_both_batches_show_it(ledger: Ledger) -> None:
    first = an_accepted_batch(ledger, a_call(0, "c"), a_call(1, "d"))
    run(ledger, first.shards[0], failing={"c": AudioInvalid()})
    second = an_accepted_batch(ledger, a_call(0, "c", url="s3://calls/mended.wav"))
    assert len(second.shards) == 1
    shown = [ledger.views.calls_of(batch)[0] for batch in (first.batch_id, second.batch_id)]
    assert shown[0].id == shown[1].id
    assert [(call.status, call.attempt) for call in shown] == [(CallStatus.PENDING, 2)] * 2
    assert shown[0].details is not None
    assert shown[0].details.source.model_dump()["url"] == "s3://calls/mended.wav"
    assert_sound(ledger)
    assert set(run(ledger, second.shards[0])) == {first.batch_id, second.batch_id}
    assert_sound(ledger)


def test_new_data_of_a_failed_call_forgets_what_was_found_in_the_old(ledger: Ledger) -> None:
    first = an_accepted_batch(ledger, a_call(0, "c-1"))
    with holding(ledger, first.shards[0]) as work:
        (call,) = work.calls()
        work.save(call, a_version(Stage.CALL_AUDIO), {"sha256": "00"}, seconds=0.1)
        work.fail(call, Stage.TRANSCRIPTS, RecognitionFailed())
        work.end([])
    second = an_accepted_batch(ledger, a_call(0, "c-1", url="s3://calls/mended.wav"))
    with holding(ledger, second.shards[0]) as work:
        (call,) = work.calls(Stage.CALL_AUDIO)
    assert call.n == 2
    assert call.results == {}


def test_a_rejected_item_with_a_known_id_leaves_the_known_call_alone(ledger: Ledger) -> None:
    first = an_accepted_batch(ledger, a_call(0, "c"))
    second = an_accepted_batch(ledger, a_call(0, "c", problem="ROW_INVALID"))
    assert ledger.views.calls_of(first.batch_id)[0].status == CallStatus.PENDING
    shown = ledger.views.calls_of(second.batch_id)[0]
    assert (shown.external_id, shown.status, shown.error_code) == ("c", CallStatus.FAILED, "ROW_INVALID")
    assert_sound(ledger)


def test_a_mended_row_takes_up_the_call_that_was_rejected(ledger: Ledger) -> None:
    first = an_accepted_batch(ledger, a_call(0, "c", problem="ROW_INVALID"))
    second = an_accepted_batch(ledger, a_call(0, "c"))
    run(ledger, second.shards[0])
    for batch in (first, second):
        assert ledger.views.calls_of(batch.batch_id)[0].status == CallStatus.COMPLETED
    assert_sound(ledger)


def test_the_same_id_of_two_tenants_names_two_calls(ledger: Ledger) -> None:
    for firm in ("acme", "globex"):
        an_accepted_batch(ledger, a_call(0, "c"), tenant=a_tenant(ledger, firm))
    assert len(rows(ledger, calls)) == 2


@pytest.mark.parametrize("second_problem", [None, "ROW_INVALID"])
def test_an_id_used_twice_in_one_submission_names_the_first_item_alone(
    ledger: Ledger, second_problem: str | None
) -> None:
    """Intake refuses such submissions; should one get through, it must not make the whole batch impossible."""
    accepted = an_accepted_batch(ledger, a_call(0, "c"), a_call(1, "c", problem=second_problem))
    codes = [call.error_code for call in ledger.views.calls_of(accepted.batch_id)]
    assert codes == [None, second_problem or "EXTERNAL_ID_CONFLICT"]
    assert_sound(ledger)


def test_the_same_content_again_is_the_first_batch_and_tries_its_failed_calls_again(ledger: Ledger) -> None:
    content = a_submission(a_call(0, "good"), a_call(1, "bad"), a_call(2, problem="ROW_INVALID"), digest="same")
    first = accept(ledger, received(ledger), content)
    run(ledger, first.shards[0], failing={"bad": AudioInvalid()})
    again = accept(ledger, received(ledger), content)
    assert (again.batch_id, again.state, len(again.shards)) == (first.batch_id, "duplicate", 1)
    numbers = {call.external_id: call.attempt for call in rows(ledger, calls)}
    assert numbers == {"good": 1, "bad": 2, None: 1}, "rejected rows have no data to try again with"
    assert_sound(ledger)
    assert run(ledger, again.shards[0]) == [first.batch_id]
    assert accept(ledger, received(ledger), content).shards == ()
    assert_sound(ledger)


def test_a_duplicate_accepted_again_does_not_retry_again(ledger: Ledger) -> None:
    content = a_submission(a_call(0, "bad"), digest="same")
    first = accept(ledger, received(ledger), content)
    run(ledger, first.shards[0], failing={"bad": AudioInvalid()})
    duplicate = received(ledger)
    retried = accept(ledger, duplicate, content)
    run(ledger, retried.shards[0], failing={"bad": AudioInvalid()})
    assert accept(ledger, duplicate, content).shards == ()
    assert rows(ledger, calls)[0].attempt == 2


def test_the_same_content_of_another_tenant_is_another_batch(ledger: Ledger) -> None:
    for firm in ("acme", "globex"):
        batch = received(ledger, tenant=a_tenant(ledger, firm))
        assert accept(ledger, batch, a_submission(a_call(0, "c"), digest="same")).state == "accepted"


def test_five_thousand_rows_become_fifty_shards(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, *(a_call(n, f"c-{n}") for n in range(5000)))
    assert len(accepted.shards) == 50
    assert len(set(accepted.shards)) == 50
    per_shard = {row.shard_id for row in rows(ledger, attempts)}
    assert per_shard == set(accepted.shards)


@pytest.mark.parametrize("state", ["refused", "withdrawn"])
def test_a_batch_that_is_over_is_not_accepted_any_more(ledger: Ledger, state: str) -> None:
    batch = received(ledger)
    if state == "refused":
        assert ledger.batches.refuse(batch.id, {"code": "CSV_EMPTY", "message": "the CSV has no rows"}, now=NOW)
    else:
        ledger.batches.withdraw(batch.id, now=NOW)
    assert accept(ledger, batch, a_submission(a_call())).state == state
    assert rows(ledger, calls) == []


def test_a_refused_batch_has_ended_with_one_event(ledger: Ledger) -> None:
    batch = received(ledger)
    problem = {"code": "CSV_EMPTY", "message": "the CSV has no rows"}
    assert ledger.batches.refuse(batch.id, problem, now=NOW)
    assert not ledger.batches.refuse(batch.id, problem, now=NOW)
    view = ledger.views.batch(batch.id)
    assert view is not None
    assert (view.status, view.problem) == (BatchStatus.FAILED, problem)
    assert_sound(ledger)


def test_an_accepted_batch_cannot_be_refused(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger)
    assert not ledger.batches.refuse(accepted.batch_id, {"code": "X", "message": "x"}, now=NOW)


def test_files_that_come_back_as_they_were_are_received_anew_after_a_withdrawal(ledger: Ledger) -> None:
    """Overwritten and put back: were the withdrawn batch found again, these files would wait for ever."""
    first = received(ledger, fingerprint="same")
    ledger.batches.withdraw(first.id, now=NOW)
    again = received(ledger, fingerprint="same")
    assert (again.state, again.id == first.id) == ("received", False)


def test_received_batches_wait_longer_after_each_launch(ledger: Ledger) -> None:
    batch = received(ledger)
    assert [launch.n for launch in ledger.batches.received(now=NOW, most=10)] == [0]
    ledger.batches.launched([batch.id], now=NOW)
    assert ledger.batches.received(now=NOW, most=10) == []
