"""People on the way of a call: who is made and matched, what the UI is told of it, and calls that it ends."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from aila_pipeline.adapters.ledger.people_tables import contacts
from aila_pipeline.adapters.ledger.tables import users
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.domain.people import UserWanted
from aila_pipeline.domain.status import CallStatus, Stage
from aila_pipeline_tests.adapters.ledger.builders import rows
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import Pipeline, zipped

pytestmark = pytest.mark.slow

JOHN, EVE = "+77012345678", "+77019999999"
BEFORE_PEOPLE = ("call_audio", "transcripts", "insights", "summaries", "scores")


def drop(pipeline: Pipeline, speech: bytes, *said: dict[str, str]) -> None:
    """A pair with one call for each, named after its place."""
    csv = a_csv(*(a_row(f"{n}.flac", **cells) for n, cells in enumerate(said)))
    pipeline.drop_pair(csv, zipped({f"{n}.flac": speech for n in range(len(said))}))


def figures(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """What the materialization of `people` tells."""
    (told,) = result.asset_materializations_for_node("people")
    return {name: value.value for name, value in told.metadata.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    found = result.get_asset_check_evaluations()
    return {each.check_name: each.passed for each in found if each.asset_key == dg.AssetKey("people")}


def taken_in(pipeline: Pipeline) -> str:
    """The shard of what was dropped, waiting to be processed."""
    (batch,) = pipeline.tick_drop_zone()
    assert pipeline.execute("take_in", batch).success
    (shard,) = pipeline.tick_admission()
    return shard


def without_new_users(pipeline: Pipeline) -> None:
    tenant = pipeline.ledger.tenants.ensure("kz", "acme")
    pipeline.ledger.tenants.change_settings(tenant, TenantSettings(create_users=False))


def test_the_people_of_a_shard_are_made_once_counted_and_checked(pipeline: Pipeline, speech: bytes) -> None:
    drop(
        pipeline,
        speech,
        {"operator_name": "Ann Lee", "client_phone_number": JOHN, "operator_group_name": "Sales"},
        {"operator_name": "ann lee", "client_phone_number": JOHN, "operator_group_name": "Support"},
        {"operator_name": "Bob Ray", "client_phone_number": EVE},
        {"operator_name": "Bob Ray", "client_phone_number": "anonymous"},
    )
    shard = taken_in(pipeline)
    first = pipeline.execute("process", shard)
    told = figures(first)
    assert {name: told[name] for name in told if name.startswith(("users", "contacts", "observations", "calls"))} == {
        "calls/done": 4,
        "calls/current": 0,
        "calls/failed": 0,
        "users/created": 2,
        "users/matched": 2,
        "users/ambiguous": 0,
        "contacts/created": 2,
        "contacts/matched": 1,
        "observations": 1,
    }
    assert told["warnings/PHONE_UNUSUAL"] == 1
    assert checks(first) == {"no_ambiguous_users": True, "every_phone_has_a_contact": False}
    assert [call.status for call in pipeline.calls()] == [CallStatus.COMPLETED] * 4
    assert [call.warnings for call in pipeline.calls()][-1] == ("PHONE_UNUSUAL",)

    again, forced = pipeline.execute("process", shard), pipeline.execute("process", shard, aila__force="yes")
    assert figures(again)["calls/current"] == 4
    assert (figures(forced)["users/matched"], figures(forced)["contacts/matched"]) == (4, 3)
    assert len(rows(pipeline.ledger, contacts)) == 2
    assert pipeline.differences() == []


def test_an_unknown_user_ends_the_call_before_recognition_is_paid_for(pipeline: Pipeline, speech: bytes) -> None:
    """Once the user is made, a retry completes it; the calls beside it never waited for that."""
    without_new_users(pipeline)
    tenant = pipeline.ledger.tenants.ensure("kz", "acme")
    pipeline.ledger.people.ensure_user(tenant, UserWanted("ann@acme.example", "Ann Lee", None))
    drop(pipeline, speech, {"operator_name": "ann lee"}, {"operator_name": "Eve Doe"})
    pipeline.run()
    known, unknown = pipeline.calls()
    assert (known.status, unknown.status) == (CallStatus.COMPLETED, CallStatus.FAILED)
    assert (unknown.error_code, unknown.stage, unknown.retryable) == ("USER_NOT_FOUND", Stage.CALL_AUDIO, False)
    assert "Eve" not in str(unknown.error_message)
    assert not pipeline.ledger.views.results([unknown.id], *Stage)[unknown.id]

    pipeline.ledger.people.ensure_user(tenant, UserWanted(None, "Eve Doe", None))
    pipeline.ledger.batches.retry(pipeline.the_batch().id, shard_size=10, now=pipeline.the_batch().received_at)
    pipeline.run()
    assert [call.status for call in pipeline.calls()] == [CallStatus.COMPLETED] * 2
    assert pipeline.differences() == []


def test_a_user_who_became_unknown_on_the_way_ends_the_call_too(pipeline: Pipeline, speech: bytes) -> None:
    drop(pipeline, speech, {"operator_name": "Eve Doe"})
    shard = taken_in(pipeline)
    job = pipeline.defs.resolve_job_def("process")
    selected = [dg.AssetKey(name) for name in BEFORE_PEOPLE]
    assert job.execute_in_process(instance=pipeline.instance, partition_key=shard, asset_selection=selected).success
    without_new_users(pipeline)
    result = pipeline.execute("process", shard)
    (call,) = pipeline.calls()
    assert (call.error_code, call.stage) == ("USER_NOT_FOUND", Stage.PEOPLE)
    assert figures(result)["failed/USER_NOT_FOUND"] == 1
    assert rows(pipeline.ledger, contacts) == []
    assert pipeline.differences() == []


def test_a_call_that_nobody_thought_of_does_not_take_the_others_with_it(pipeline: Pipeline, speech: bytes) -> None:
    """The database refuses one user for a reason of its own, and with that the transaction of all calls."""
    pipeline.ledger.database.write(lambda connection: connection.exec_driver_sql(_REFUSE_EVE))
    drop(pipeline, speech, *({"operator_name": name, "client_phone_number": JOHN} for name in ("Ann", "Eve", "Ann")))
    pipeline.run()
    ended = [(call.status, call.error_code) for call in pipeline.calls()]
    assert ended == [(CallStatus.COMPLETED, None), (CallStatus.FAILED, "UNEXPECTED"), (CallStatus.COMPLETED, None)]
    assert len(rows(pipeline.ledger, contacts)) == 1
    assert [row.name for row in rows(pipeline.ledger, users, users.c.name.is_not(None))] == ["Ann"]
    assert pipeline.differences() == []


_REFUSE_EVE = """
CREATE TRIGGER refuse_eve BEFORE INSERT ON users WHEN NEW.name = 'Eve' BEGIN SELECT RAISE(ABORT, 'not her'); END
"""
