"""Views: what people and clients are shown of batches and calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.tables import batches, shards
from aila_pipeline.adapters.ledger.views import BatchView, CallView
from aila_pipeline.domain.status import BatchStatus, CallStatus, Stage
from aila_pipeline.errors import AudioInvalid, SourceUnavailable
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_submission,
    a_tenant,
    a_version,
    a_worker,
    accept,
    an_accepted_batch,
    holding,
    received,
    rows,
    run,
)

SECOND = timedelta(seconds=1)


def shown(ledger: Ledger, batch_id: str) -> BatchView:
    view = ledger.views.batch(batch_id)
    assert view is not None
    return view


def shown_call(ledger: Ledger, batch_id: str, place: int = 0) -> CallView:
    return ledger.views.calls_of(batch_id)[place]


def test_a_batch_has_contract_b_s_fields(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0, "good"), a_call(1, "bad"), a_call(2, "x", problem="ROW_INVALID"))
    document = shown(ledger, accepted.batch_id).document(NOW)
    expected = {"batch_id": accepted.batch_id, "submitted_at": "2026-01-15T12:00:00Z", "total_calls": 3}
    assert document == document | expected | {"processed": 0, "failed": 1, "pending": 2, "terminal": False}
    run(ledger, accepted.shards[0], failing={"bad": AudioInvalid()})
    document = shown(ledger, accepted.batch_id).document(NOW)
    assert document == document | expected | {"processed": 1, "failed": 2, "pending": 0, "terminal": True}
    assert document["status"] == "partial"
    assert document["tenant"] == "kz/acme"


def test_a_batch_is_submitted_until_its_first_run_has_started(ledger: Ledger) -> None:
    batch = received(ledger)
    assert shown(ledger, batch.id).status == BatchStatus.SUBMITTED
    accepted = accept(ledger, batch, a_submission(a_call(0), a_call(1)))
    assert shown(ledger, batch.id).status == BatchStatus.SUBMITTED
    ledger.shards.admit(most_in_flight=1, now=NOW)
    assert shown(ledger, batch.id).status == BatchStatus.SUBMITTED
    a_worker(ledger, accepted.shards[0])
    assert shown(ledger, batch.id).status == BatchStatus.PROCESSING


def test_a_call_has_contract_b_s_fields(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0, "good"), a_call(1, "bad"))
    with holding(ledger, accepted.shards[0]) as work:
        work.enter(Stage.TRANSCRIPTS)
        good, bad = work.calls()
        assert shown_call(ledger, accepted.batch_id).document() == {
            "external_id": "good",
            "status": "transcribing",
            "progress": "transcribing",
            "aila_call_id": good.id,
            "warnings": [],
        }
        work.fail(bad, Stage.TRANSCRIPTS, SourceUnavailable())
        work.save(good, a_version(Stage.SCORES), {}, seconds=0.1, warnings=["MONO_AUDIO"])
        work.end([(good, {})])
    done, failed = (call.document() for call in ledger.views.calls_of(accepted.batch_id))
    assert (done["status"], done["warnings"]) == ("completed", ["MONO_AUDIO"])
    assert "progress" not in done
    assert datetime.fromisoformat(done["processed_at"]).tzinfo is not None
    error = SourceUnavailable()
    assert failed["error"] == {"code": "SOURCE_UNAVAILABLE", "message": error.message, "retryable": True}


def test_calls_are_shown_in_the_order_of_their_rows(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, *(a_call(n, f"c-{n}") for n in (7, 2, 11)))
    assert [call.position for call in ledger.views.calls_of(accepted.batch_id)] == [2, 7, 11]


def test_a_duplicate_shows_the_batch_it_duplicates(ledger: Ledger) -> None:
    content = a_submission(a_call(0, "c"), digest="same")
    first, again = received(ledger), received(ledger, now=NOW + SECOND)
    accept(ledger, first, content)
    accept(ledger, again, content)
    assert shown(ledger, again.id).id == first.id
    assert [view.id for view in ledger.views.recent()] == [first.id]


def test_a_retry_of_a_duplicate_retries_the_batch_it_duplicates(ledger: Ledger) -> None:
    """A client knows its second submission by its own id."""
    content = a_submission(a_call(0, "c"), digest="same")
    first, again = received(ledger), received(ledger)
    accepted = accept(ledger, first, content)
    accept(ledger, again, content)
    run(ledger, accepted.shards[0], failing={"c": AudioInvalid()})
    (key,) = ledger.batches.retry(again.id, shard_size=100, now=NOW)
    assert first.id in key


def test_the_newest_batches_come_first(ledger: Ledger) -> None:
    ids = [received(ledger, now=NOW + n * SECOND).id for n in range(4)]
    assert [view.id for view in ledger.views.recent(limit=3)] == ids[:0:-1]


def test_unknown_ids_show_nothing(ledger: Ledger) -> None:
    assert ledger.views.batch("batch_x") is None
    assert ledger.views.calls_of("batch_x") == []
    assert ledger.views.story("aila_x") == []
    assert ledger.views.tenant_of("aila_x") is None
    assert ledger.batches.get("batch_x") is None


def test_a_call_belongs_to_its_tenant(ledger: Ledger) -> None:
    tenant = a_tenant(ledger, "globex")
    accepted = an_accepted_batch(ledger, tenant=tenant)
    assert ledger.views.tenant_of(shown_call(ledger, accepted.batch_id).id) == tenant.id


def test_the_time_left_follows_the_pace_so_far(ledger: Ledger) -> None:
    """One of four calls in ten seconds: three times ten are left."""
    accepted = an_accepted_batch(ledger, *(a_call(n) for n in range(4)))
    assert shown(ledger, accepted.batch_id).eta_seconds(NOW + 10 * SECOND) is None
    work = a_worker(ledger, accepted.shards[0])
    found = work.calls()
    assert shown(ledger, accepted.batch_id).eta_seconds(NOW + 10 * SECOND) is None
    work.end([(found[0], {})])
    assert shown(ledger, accepted.batch_id).eta_seconds(NOW + 10 * SECOND) == 30.0
    work.end([(call, {}) for call in found[1:]])
    assert shown(ledger, accepted.batch_id).eta_seconds(NOW + 10 * SECOND) is None


def test_a_story_is_told_in_the_order_of_time(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger, a_call(0, "c"))
    ledger.shards.admit(most_in_flight=1, now=NOW)
    run(ledger, accepted.shards[0], failing={"c": AudioInvalid()}, run_id="run-1")
    (key,) = ledger.batches.retry(accepted.batch_id, shard_size=100, now=datetime.now(UTC))
    run(ledger, key, run_id="run-2")
    story = ledger.views.story(shown_call(ledger, accepted.batch_id).id)
    assert [step.at for step in story] == sorted(step.at for step in story)
    told = [step.what for step in story]
    expected = [
        f"batch {accepted.batch_id} received",
        f"attempt 1 opened in shard {accepted.shards[0]}",
        "attempt 1 started",
        "attempt 1 failed: AUDIO_INVALID",
        f"attempt 2 opened in shard {key}",
        "call_audio done",
        "attempt 2 completed",
    ]
    places = [next(n for n, line in enumerate(told) if line.startswith(start)) for start in expected]
    assert places == sorted(places)
    assert {step.run_id for step in story} == {None, "run-1", "run-2"}


def test_a_story_tells_what_an_open_call_waits_for(ledger: Ledger) -> None:
    accepted = an_accepted_batch(ledger)
    call_id = shown_call(ledger, accepted.batch_id).id

    def last() -> str:
        assert (
            ledger.views.story(call_id)[-1].what.removeprefix("attempt 1 ")
            == shown(ledger, accepted.batch_id).waits_for
        )
        return ledger.views.story(call_id)[-1].what

    assert "waits to be admitted" in last()
    ledger.shards.admit(most_in_flight=1, now=NOW)
    assert "waits for its run to start (launch 1)" in last()
    work = a_worker(ledger, accepted.shards[0])
    work.take(work.calls()[0])
    assert "is being worked on" in last()
    for _ in range(2):
        (seen,) = ledger.shards.admitted(now=NOW)
        ledger.shards.recover(seen, now=NOW)
        ledger.shards.admit(most_in_flight=1, now=NOW + SECOND)
    assert "not before 12:00:05 UTC" in last()
    assert any("1 workers died on it" in step.what for step in ledger.views.story(call_id))
    ledger.database.write(lambda c: c.execute(sa.update(shards).values(last_error="STORE")))
    assert last().endswith("the last run stopped: STORE")


def test_an_accepted_batch_without_calls_is_shown_as_it_was_closed(ledger: Ledger) -> None:
    """Intake refuses empty submissions; one that got through must not look open for ever."""
    accepted = accept(ledger, received(ledger), a_submission())
    view = shown(ledger, accepted.batch_id)
    assert rows(ledger, batches)[0].ended_at == NOW
    assert view.document(NOW)["terminal"]


def test_a_linked_call_is_counted_in_each_of_its_batches(ledger: Ledger) -> None:
    first = an_accepted_batch(ledger, a_call(0, "c"))
    second = an_accepted_batch(ledger, a_call(0, "c"), a_call(1, "d"))
    run(ledger, first.shards[0])
    assert shown(ledger, first.batch_id).counts == {CallStatus.COMPLETED: 1}
    assert shown(ledger, second.batch_id).counts == {CallStatus.COMPLETED: 1, CallStatus.PENDING: 1}
