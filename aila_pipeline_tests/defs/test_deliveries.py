"""`notices` and `crm_sync` in Dagster: they deliver, count, warn, and are started when something is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from aila_pipeline.adapters.ledger.outbox_tables import outbox
from aila_pipeline.defs import schedules, sensors
from aila_pipeline.domain.deliveries import Notice
from aila_pipeline_tests.adapters.ledger.builders import NOW
from aila_pipeline_tests.adapters.ledger.outbox_builders import a_crm, a_webhook, ended_calls, messages
from aila_pipeline_tests.adapters.receiver import Receiver, a_receiver, status
from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as made:
        yield made


@pytest.fixture
def pipeline(tmp_path: Path, receiver: Receiver) -> Iterator[Pipeline]:
    """A home whose webhooks go to the receiver."""
    options: dict[str, Any] = {"fetch_allow": (receiver.place,), "delivery_linger_seconds": 0}
    with a_pipeline(tmp_path / "home", **options) as made:
        yield made


def a_hook(pipeline: Pipeline, receiver: Receiver, *events: Notice) -> None:
    receiver.secrets["/hook"] = a_webhook(pipeline.ledger, *events, url=receiver.url()).secret


def delivered(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """Run the job; what its two assets tell."""
    result = pipeline.execute("deliver")
    assert result.success
    return {
        event.asset_key.to_user_string(): {name: found.value for name, found in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def checks(pipeline: Pipeline) -> dict[str, bool]:
    result = pipeline.execute("deliver")
    return {
        f"{each.asset_key.to_user_string()}/{each.check_name}": each.passed
        for each in result.get_asset_check_evaluations()
    }


def tick(pipeline: Pipeline) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(instance=pipeline.instance)
    result = sensors.outbox_delivery(context, settings=pipeline.settings, ledger=pipeline.ledger)
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result


def test_what_a_run_delivered_and_how_the_outbox_stands_is_told(pipeline: Pipeline, receiver: Receiver) -> None:
    a_hook(pipeline, receiver)
    ended_calls(pipeline.ledger, "a", "b")
    told = delivered(pipeline)
    assert set(told) == {"notices", "crm_sync"}
    assert told["notices"]["run/delivered"] == 3
    assert (told["notices"]["waiting"], told["notices"]["dead_letters"], told["notices"]["destinations"]) == (0, 0, 1)
    assert told["crm_sync"]["run/delivered"] == 0
    assert len(receiver.effects) == 3
    assert all(checks(pipeline).values())


def test_dead_letters_show_with_their_reason_and_fail_their_check(pipeline: Pipeline, receiver: Receiver) -> None:
    a_hook(pipeline, receiver, Notice.CALL_COMPLETED)
    receiver.answering["/hook"] = status(410)
    ended_calls(pipeline.ledger, "a")
    told = delivered(pipeline)["notices"]
    (row,) = messages(pipeline.ledger)
    assert (told["run/dead"], told["dead_letters"]) == (1, 1)
    for shown in (row.id, row.subject_id, row.destination_id, "HTTP 410"):
        assert shown in told["dead_letters_table"]
    assert "HTTP 410" in told["failing_destinations"]
    assert {name for name, passed in checks(pipeline).items() if not passed} == {"notices/no_dead_letters"}
    del receiver.answering["/hook"]
    assert pipeline.ledger.outbox.replay(now=NOW) == 1
    assert delivered(pipeline)["notices"]["run/delivered"] == 1
    assert all(checks(pipeline).values())


def test_a_message_that_waits_long_fails_its_check(pipeline: Pipeline, receiver: Receiver) -> None:
    a_hook(pipeline, receiver, Notice.CALL_COMPLETED)
    receiver.answering["/hook"] = status(503)
    ended_calls(pipeline.ledger, "a")
    assert all(checks(pipeline).values())
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    pipeline.ledger.database.write(lambda c: c.execute(outbox.update().values(created_at=long_ago)))
    assert {name for name, passed in checks(pipeline).items() if not passed} == {"notices/nothing_waits_long"}


def test_one_asset_alone_delivers_its_own_messages_alone(pipeline: Pipeline, receiver: Receiver) -> None:
    a_hook(pipeline, receiver, Notice.CALL_COMPLETED)
    # Nobody listens there: were it asked, the try would show.
    a_crm(pipeline.ledger, url="http://127.0.0.1:9")
    ended_calls(pipeline.ledger, "a")
    job = pipeline.defs.resolve_job_def("deliver")
    result = job.execute_in_process(instance=pipeline.instance, asset_selection=[dg.AssetKey("notices")])
    assert result.success
    assert {(row.state, row.tries) for row in messages(pipeline.ledger)} == {("delivered", 1), ("waiting", 0)}


def test_the_sensor_starts_one_run_when_something_is_due(pipeline: Pipeline, receiver: Receiver) -> None:
    assert isinstance(tick(pipeline), dg.SkipReason)
    a_hook(pipeline, receiver, Notice.CALL_COMPLETED)
    ended_calls(pipeline.ledger, "a")
    assert isinstance(tick(pipeline), dg.RunRequest)
    job = pipeline.defs.resolve_job_def("deliver")
    run = pipeline.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    skipped = tick(pipeline)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "a delivery is under way"
    pipeline.instance.report_run_failed(run)
    assert isinstance(tick(pipeline), dg.RunRequest)
    delivered(pipeline)
    assert isinstance(tick(pipeline), dg.SkipReason)


def test_the_schedule_runs_while_anything_waits_or_was_given_up(pipeline: Pipeline, receiver: Receiver) -> None:
    def look() -> dg.RunRequest | dg.SkipReason:
        context = dg.build_schedule_context(
            instance=pipeline.instance, scheduled_execution_time=datetime(2026, 1, 15, 12, 7, tzinfo=UTC)
        )
        result = schedules.delivery_of_what_waits(context, ledger=pipeline.ledger)
        assert isinstance(result, dg.RunRequest | dg.SkipReason)
        return result

    a_hook(pipeline, receiver, Notice.CALL_COMPLETED)
    assert isinstance(look(), dg.SkipReason)
    ended_calls(pipeline.ledger, "a")
    assert isinstance(look(), dg.RunRequest)
    delivered(pipeline)
    assert isinstance(look(), dg.SkipReason)


def test_pruning_forgets_what_was_delivered_long_ago(pipeline: Pipeline, receiver: Receiver) -> None:
    a_hook(pipeline, receiver, Notice.CALL_COMPLETED)
    ended_calls(pipeline.ledger, "a")
    delivered(pipeline)
    assert pipeline.execute("prune").success
    assert len(messages(pipeline.ledger)) == 1
    long_ago = datetime.now(UTC) - timedelta(days=31)
    pipeline.ledger.database.write(lambda c: c.execute(outbox.update().values(ended_at=long_ago)))
    assert pipeline.execute("prune").success
    assert messages(pipeline.ledger) == []


def test_no_event_of_dagster_holds_where_messages_go_or_what_signs_them(pipeline: Pipeline, receiver: Receiver) -> None:
    a_hook(pipeline, receiver)
    receiver.answering["/hook"] = status(500)
    ended_calls(pipeline.ledger, "a")
    result = pipeline.execute("deliver")
    told = repr(result.all_events)
    assert "postponed" in told
    assert receiver.place not in told
    assert receiver.secrets["/hook"][6:] not in told
