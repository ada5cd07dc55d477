"""Submissions through the API: what each call of a list becomes (contracts, gap 20), and that all of it is one step.

Lives here: the ledger's part. Does not: limits (test_limits.py), remembered answers (test_idempotency.py).
"""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.acceptance import Fate
from aila_pipeline.adapters.ledger.tables import attempts, batch_calls, batches, calls, shards
from aila_pipeline.domain.intake.identity import source_fingerprint
from aila_pipeline.domain.models import Problem, SubmittedCall
from aila_pipeline.domain.status import BatchStatus, CallStatus
from aila_pipeline.errors import AudioInvalid, ManifestInvalid
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_submission,
    a_worker,
    accept,
    an_accepted_batch,
    received,
    rows,
    run,
)
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound
from aila_pipeline_tests.adapters.ledger.submitting import ROOMY, an_access, an_upload, submit
from aila_pipeline_tests.adapters.ledger.test_two_at_once import at_once

LATER = NOW + timedelta(hours=1)


def fates(ledger: Ledger, *submitted: SubmittedCall, firm: str = "acme") -> list[Fate]:
    submission = a_submission(*submitted)
    prints = {call.position: source_fingerprint(call.details, None) for call in submitted if call.details}
    found = ledger.submissions.fates(an_access(ledger, firm).tenant.id, submission, prints)
    return [found[call.position] for call in submitted]


def conflicts_of(error: ManifestInvalid) -> list[int]:
    return [problem.position for problem in error.problems if isinstance(problem, Problem)]


def test_a_list_becomes_calls_shards_and_attempts_in_the_order_of_its_items(ledger: Ledger) -> None:
    submitted = submit(ledger, an_access(ledger), *(a_call(n, f"c-{n}") for n in range(5)), shard_size=2)
    assert (submitted.calls, len(submitted.shards), submitted.status) == (5, 3, BatchStatus.SUBMITTED)
    (batch,) = rows(ledger, batches)
    assert (batch.id, batch.door, batch.kind, batch.state) == (submitted.batch_id, "api", "manifest", "accepted")
    assert (batch.total_calls, batch.counted_calls, batch.sources) == (5, 5, [])
    assert [row.external_id for row in rows(ledger, batch_calls)] == [f"c-{n}" for n in range(5)]
    assert [row.state for row in rows(ledger, shards)] == ["waiting"] * 3
    assert_sound(ledger)


def test_gap_20_a_known_call_that_is_in_flight_is_linked_and_not_done_twice(ledger: Ledger) -> None:
    access = an_access(ledger)
    first = submit(ledger, access, a_call(0, "c"))
    again = submit(ledger, access, a_call(0, "c"))
    assert again.shards == ()
    assert again.status is BatchStatus.SUBMITTED
    assert len(rows(ledger, attempts)) == 1
    run(ledger, first.shards[0])
    assert {row.ended_at is not None for row in rows(ledger, batches)} == {True}
    assert_sound(ledger)


def test_gap_20_a_batch_of_completed_calls_is_completed_at_once(ledger: Ledger) -> None:
    access = an_access(ledger)
    run(ledger, submit(ledger, access, a_call(0, "c")).shards[0])
    again = submit(ledger, access, a_call(0, "c"), now=LATER)
    assert (again.shards, again.status) == ((), BatchStatus.COMPLETED)
    (row,) = rows(ledger, batches, batches.c.id == again.batch_id)
    assert (row.ended_at, row.completed_calls) == (LATER, 1)
    assert_sound(ledger)


def test_gap_20_a_known_and_failed_call_gets_a_new_attempt_that_both_batches_show(ledger: Ledger) -> None:
    access = an_access(ledger)
    first = submit(ledger, access, a_call(0, "good"), a_call(1, "bad"))
    run(ledger, first.shards[0], failing={"bad": AudioInvalid()})
    again = submit(ledger, access, a_call(0, "bad"), now=LATER)
    assert [call.attempt for call in ledger.views.calls_of(first.batch_id)] == [1, 2]
    shown = [ledger.views.batch(batch) for batch in (first.batch_id, again.batch_id)]
    assert [view.status for view in shown if view] == [BatchStatus.PROCESSING, BatchStatus.SUBMITTED]
    run(ledger, again.shards[0])
    for batch_id in (first.batch_id, again.batch_id):
        view = ledger.views.batch(batch_id)
        assert view is not None
        assert view.status is BatchStatus.COMPLETED
    assert_sound(ledger)


def test_gap_20_the_very_same_list_after_all_of_it_failed_is_tried_again(ledger: Ledger) -> None:
    access, items = an_access(ledger), [a_call(n, f"c-{n}") for n in range(3)]
    first = submit(ledger, access, *items)
    run(ledger, first.shards[0], failing={f"c-{n}": AudioInvalid() for n in range(3)})
    again = submit(ledger, access, *items, now=LATER)
    assert again.batch_id != first.batch_id
    assert [row.attempt for row in rows(ledger, calls)] == [2, 2, 2]


def test_gap_20_a_failed_call_takes_new_data(ledger: Ledger) -> None:
    access = an_access(ledger)
    run(ledger, submit(ledger, access, a_call(0, "c")).shards[0], failing={"c": AudioInvalid()})
    submit(ledger, access, a_call(0, "c", url="s3://calls/mended.wav", started_at=LATER))
    (row,) = rows(ledger, calls)
    assert (row.attempt, row.details["source"]["url"]) == (2, "s3://calls/mended.wav")


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("changed", ["url", "date"])
def test_gap_20_other_data_under_the_id_of_a_call_that_goes_on_or_is_done_refuses_the_list(
    ledger: Ledger, done: bool, changed: str
) -> None:
    access = an_access(ledger)
    first = submit(ledger, access, a_call(0, "c"))
    if done:
        run(ledger, first.shards[0])
    other = a_call(1, "c", url="s3://calls/other.wav") if changed == "url" else a_call(1, "c", started_at=LATER)
    before = rows(ledger, calls)
    with pytest.raises(ManifestInvalid) as refused:
        submit(ledger, access, a_call(0, "new"), other)
    assert conflicts_of(refused.value) == [1]
    assert (len(rows(ledger, batches)), rows(ledger, calls)) == (1, before)


def test_gap_20_a_url_signed_anew_is_the_same_call(ledger: Ledger) -> None:
    access = an_access(ledger)
    url = "https://bucket.s3.amazonaws.com/a.mp3?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature={}"
    submit(ledger, access, a_call(0, "c", url=url.format("aa")))
    assert fates(ledger, a_call(0, "c", url=url.format("bb"))) == [Fate.LINKED]


def test_the_same_id_of_two_tenants_is_two_calls(ledger: Ledger) -> None:
    submit(ledger, an_access(ledger), a_call(0, "c"))
    submit(ledger, an_access(ledger, "globex"), a_call(0, "c", url="s3://calls/other.wav"))
    assert len(rows(ledger, calls)) == 2
    assert fates(ledger, a_call(0, "c"), firm="initech") == [Fate.NEW]


def test_the_fates_of_a_list_are_those_that_its_submission_finds(ledger: Ledger) -> None:
    access = an_access(ledger)
    first = submit(ledger, access, a_call(0, "done"), a_call(1, "bad"), shard_size=100)
    run(ledger, first.shards[0], failing={"bad": AudioInvalid()})
    submit(ledger, access, a_call(0, "open"))
    items = [a_call(0, "new"), a_call(1, "done"), a_call(2, "open"), a_call(3, "bad"), a_call(4, "bad2")]
    expected = [Fate.NEW, Fate.LINKED, Fate.LINKED, Fate.TRIED_AGAIN, Fate.NEW]
    before = {table: rows(ledger, table) for table in (batches, calls, attempts)}
    assert fates(ledger, *items) == expected
    assert fates(ledger, a_call(0, "done", url="s3://calls/x.wav")) == [Fate.CONFLICT]
    assert before == {table: rows(ledger, table) for table in before}, "asking changes nothing"
    submit(ledger, access, *items)
    assert {row.external_id: row.attempt for row in rows(ledger, calls)} == {
        "done": 1, "open": 1, "bad": 2, "new": 1, "bad2": 1,
    }  # fmt: skip


def test_lists_with_the_same_ids_at_once_share_their_calls_and_each_is_processed_once(ledger: Ledger) -> None:
    access = an_access(ledger, **ROOMY)
    names = [f"c-{n}" for n in range(20)]

    def client(step: int) -> str:
        return submit(ledger, access, *(a_call(n, name) for n, name in enumerate(names[::step]))).batch_id

    made = at_once([lambda step=step: client(step) for step in (1, -1) * 8])  # type: ignore[misc]
    assert len(set(made)) == 16
    assert len(rows(ledger, calls)) == len(rows(ledger, attempts)) == 20
    for shard in rows(ledger, shards):
        run(ledger, shard.id)
    assert {row.completed_calls for row in rows(ledger, batches)} == {20}
    assert_sound(ledger)


def test_a_retry_tries_the_failed_calls_alone(ledger: Ledger) -> None:
    access = an_access(ledger)
    first = submit(ledger, access, a_call(0, "good"), a_call(1, "bad"))
    run(ledger, first.shards[0], failing={"bad": AudioInvalid()})
    retried = ledger.submissions.retry_failed(access, first.batch_id, shard_size=100, now=LATER)
    assert retried is not None
    assert (retried.batch_id, retried.calls, retried.without_data) == (first.batch_id, 1, 0)
    assert (len(retried.shards), retried.status) == (1, BatchStatus.PROCESSING)
    assert [call.attempt for call in ledger.views.calls_of(first.batch_id)] == [1, 2]
    again = ledger.submissions.retry_failed(access, first.batch_id, shard_size=100, now=LATER)
    assert again is not None
    assert (again.calls, again.shards) == (0, ()), "what is tried already is not tried twice"
    assert_sound(ledger)


def test_a_retry_tells_how_many_rows_were_rejected_and_have_nothing_to_try(ledger: Ledger) -> None:
    access = an_access(ledger)
    accepted = an_accepted_batch(
        ledger, a_call(0, "bad"), a_call(1, "x", problem="ROW_INVALID"), a_call(2), tenant=access.tenant
    )
    run(ledger, accepted.shards[0], failing={"bad": AudioInvalid()})
    retried = ledger.submissions.retry_failed(access, accepted.batch_id, shard_size=100, now=LATER)
    assert retried is not None
    assert (retried.calls, retried.without_data) == (1, 1)


def test_retries_at_once_are_one(ledger: Ledger) -> None:
    access = an_access(ledger)
    first = submit(ledger, access, a_call(0, "bad"))
    run(ledger, first.shards[0], failing={"bad": AudioInvalid()})

    def retry() -> int:
        retried = ledger.submissions.retry_failed(access, first.batch_id, shard_size=100, now=LATER)
        return retried.calls if retried else -1

    assert sorted(at_once([retry] * 8)) == [0] * 7 + [1]
    assert_sound(ledger)


def test_a_retry_by_the_id_of_a_duplicate_retries_the_batch_that_has_the_content(ledger: Ledger) -> None:
    access, content = an_access(ledger), a_submission(a_call(0, "c"), digest="same")
    first, second = received(ledger, tenant=access.tenant), received(ledger, tenant=access.tenant)
    accepted = accept(ledger, first, content)
    accept(ledger, second, content)
    run(ledger, accepted.shards[0], failing={"c": AudioInvalid()})
    retried = ledger.submissions.retry_failed(access, second.id, shard_size=100, now=LATER)
    assert retried is not None
    assert (retried.batch_id, retried.calls) == (first.id, 1)


def test_a_batch_of_another_tenant_is_no_batch_to_retry(ledger: Ledger) -> None:
    first = submit(ledger, an_access(ledger), a_call(0, "bad"))
    run(ledger, first.shards[0], failing={"bad": AudioInvalid()})
    for batch_id in (first.batch_id, "batch_nobody"):
        retried = ledger.submissions.retry_failed(an_access(ledger, "globex"), batch_id, shard_size=9, now=LATER)
        assert retried is None
    assert rows(ledger, calls)[0].status == CallStatus.FAILED


def test_an_upload_becomes_one_batch_however_often_and_by_how_many_it_is_submitted(ledger: Ledger) -> None:
    access = an_access(ledger)
    upload = an_upload(ledger, access)
    assert ledger.submissions.of_upload(upload) is None

    def third_step() -> tuple[str, bool]:
        submitted = ledger.submissions.submit_pair(access, upload, sources=[], rows=3, now=NOW)
        return submitted.batch_id, submitted.standing is not None

    done = at_once([third_step] * 8)
    assert len({batch_id for batch_id, _ in done}) == 1
    assert sum(counted for _, counted in done) == 1, "only one of them counts"
    assert ledger.submissions.of_upload(upload) == done[0][0]
    (row,) = rows(ledger, batches)
    assert (row.state, row.counted_calls) == ("received", 3)


def test_what_was_counted_is_written_whole_or_not_at_all(ledger: Ledger) -> None:
    """The process dies in the middle of the transaction: nothing of the submission is there."""
    access = an_access(ledger)

    def die(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO attempts"):
            raise KeyboardInterrupt

    sa.event.listen(ledger.database.engine, "before_cursor_execute", die)
    with pytest.raises(KeyboardInterrupt):
        submit(ledger, access, a_call(0, "c"))
    sa.event.remove(ledger.database.engine, "before_cursor_execute", die)
    assert [rows(ledger, table) for table in (batches, calls, batch_calls, shards)] == [[], [], [], []]
    submit(ledger, access, a_call(0, "c"))
    a_worker(ledger, rows(ledger, shards)[0].id)
    assert_sound(ledger)
