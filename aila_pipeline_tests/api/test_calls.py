"""`GET /calls` and `GET /calls/{id}`: what a client is shown of calls, and what it is not (contracts, gap 5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aila_pipeline.adapters.analysis import Analysis
from aila_pipeline.adapters.call_objects import recognition_key, save_recognition
from aila_pipeline.adapters.checklists import ChecklistsInForce
from aila_pipeline.api import cursors
from aila_pipeline.domain import ids
from aila_pipeline.domain.models import (
    ArchiveSource,
    AudioFacts,
    CallDetails,
    Direction,
    Role,
    SubmittedCall,
    TenantSettings,
    UrlSource,
)
from aila_pipeline.domain.status import CallStatus, Stage
from aila_pipeline.errors import AudioInvalid, SourceUnavailable
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    SOURCES,
    a_call,
    a_submission,
    a_version,
    an_accepted_batch,
    hexdigest,
    holding,
    received,
    run,
)
from aila_pipeline_tests.adapters.ledger.test_people import versions
from aila_pipeline_tests.api.conftest import Party, Site, a_site, settings_for
from aila_pipeline_tests.domain.conversations import CHECKLISTS, heard, words

MINUTE = timedelta(minutes=1)
PREFIXES = ["/api/v1", "/v1"]
SIGNED = "https://audio.example.org/one.mp3?X-Amz-Signature=0123456789abcdef"
SHA = "5e" * 32


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    """With a Dagster whose URL holds a password; nothing listens there."""
    with a_site(settings_for(home, dagster_url="http://ops:hunter2@127.0.0.1:9", probe_seconds=0)) as made:
        yield made


def data(party: Party, address: str, **params: Any) -> dict[str, Any]:
    """The data of a 200 under contract A's prefix."""
    answer = party.get(f"/api/v1{address}", params=params)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()["data"]
    return told


def refused(party: Party, **params: Any) -> dict[str, str]:
    """The fields of a 422."""
    answer = party.get("/v1/calls", params=params)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    fields: dict[str, str] = error["details"]["fields"]
    return fields


def some_calls(site: Site, count: int = 5) -> str:
    """A batch of acme's for each minute, the last one's id."""
    tenant = site.acme.access.tenant
    made = [
        an_accepted_batch(site.ledger, a_call(0, f"c-{n}"), tenant=tenant, now=NOW + n * MINUTE) for n in range(count)
    ]
    return made[-1].batch_id


def external_ids(page: dict[str, Any]) -> list[str]:
    return [call["external_id"] for call in page["calls"]]


def a_rich_call(source: ArchiveSource | UrlSource) -> SubmittedCall:
    """A call with everything that a submission can say."""
    details = CallDetails(
        source=source,
        external_id="call_12345",
        started_at=NOW,
        segment_type="sales",
        left_channel=Role.CLIENT,
        right_channel=Role.OPERATOR,
        direction=Direction.OUTBOUND,
        partner_call_id="CALL-001",
        contact_phone="+77012345678",
        contact_name="Ann Lee",
        contact_email="ann@example.org",
        user_name="John Smith",
        user_email="john@acme.example",
        user_group="north",
        disconnect_reason="hangup",
        metadata={"campaign": "Q1 2025"},
    )
    return SubmittedCall(position=0, external_id="call_12345", details=details)


def a_whole_call(site: Site, source: ArchiveSource | UrlSource | None = None) -> str:
    """The id of a completed call of acme's, with a transcript, insights and a score made by the pipeline's own code."""
    tenant = site.acme.access.tenant
    submission = a_submission(a_rich_call(source or UrlSource(url=SIGNED)))
    accepted = site.ledger.batches.accept(
        received(site.ledger, tenant=tenant),
        submission,
        sources=SOURCES,
        fingerprints={0: hexdigest("one")},
        shard_size=100,
        now=NOW,
    )
    key = recognition_key(tenant.id, SHA, "test")
    save_recognition(
        site.store, key, heard(words(1, 3, "hello I need a price"), words(4, 7, "good morning how can I help you"))
    )
    facts = AudioFacts(
        sha256=SHA, size_bytes=9, format="mp3", codec="mp3", channels=2, sample_rate_hz=8000, seconds=60.0
    )
    analysis = Analysis(site.store, ChecklistsInForce.now(CHECKLISTS, site.ledger))
    with holding(site.ledger, accepted.shards[0], run_id="run-7") as work:
        work.enter(Stage.CALL_AUDIO)
        (call,) = work.calls()
        work.save(call, a_version(Stage.CALL_AUDIO), facts.model_dump(mode="json"), seconds=0.1)
        found = {"key": key, "words": 12, "language": "en", "model": "test", "reused": False}
        work.save(call, a_version(Stage.TRANSCRIPTS), found, seconds=0.2, warnings=["SILENT_CHANNEL"])
        work.flush()
        (call,) = work.calls(Stage.TRANSCRIPTS)
        insights = analysis.insights(call)
        score = analysis.score(call, insights)
        work.save(call, a_version(Stage.INSIGHTS), insights, seconds=0.1)
        work.save(call, a_version(Stage.SCORES), score, seconds=0.1)
        site.ledger.people.match(work, versions([call]))
        work.end([(call, {})])
    return call.id


@pytest.mark.parametrize("prefix", PREFIXES)
def test_each_prefix_answers_in_its_own_envelope(site: Site, prefix: str) -> None:
    """Gap 2."""
    some_calls(site, 1)
    told = site.acme.get(f"{prefix}/calls").json()
    if prefix == "/v1":
        assert told["success"] is True
        assert external_ids(told) == ["c-0"]
    else:
        assert told["status"] == "success"
        assert external_ids(told["data"]) == ["c-0"]


def test_a_row_tells_what_a_list_needs_and_no_signature(site: Site) -> None:
    tenant = site.acme.access.tenant
    batch = an_accepted_batch(site.ledger, a_call(0, "c", url=SIGNED), tenant=tenant).batch_id
    (row,) = data(site.acme, "/calls")["calls"]
    assert row.pop("id").startswith("aila_")
    assert row == {
        "external_id": "c",
        "batch_id": batch,
        "audio_file_name": None,
        "audio_url": "https://audio.example.org/one.mp3",
        "status": "pending",
        "progress": "pending",
        "error": None,
        "warnings": [],
        "attempt": 1,
        "created_at": "2026-01-15T12:00:00Z",
        "ended_at": None,
    }


def test_an_ended_call_has_no_progress_and_a_failed_one_its_reason(site: Site) -> None:
    """Gap 14."""
    accepted = an_accepted_batch(site.ledger, a_call(0, "good"), a_call(1, "bad"), tenant=site.acme.access.tenant)
    run(site.ledger, accepted.shards[0], failing={"bad": SourceUnavailable()})
    rows = {row["external_id"]: row for row in data(site.acme, "/calls")["calls"]}
    assert (rows["good"]["status"], rows["good"]["progress"], rows["good"]["error"]) == ("completed", None, None)
    assert rows["bad"]["error"]["code"] == "SOURCE_UNAVAILABLE"
    assert rows["bad"]["error"]["retryable"] is True
    assert rows["bad"]["ended_at"]


def test_pages_follow_each_other_newest_first_to_the_end(site: Site) -> None:
    some_calls(site, 5)
    found, cursor = [], None
    while True:
        page = data(site.acme, "/calls", limit=2, **({"cursor": cursor} if cursor else {}))
        found += external_ids(page)
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == ["c-4", "c-3", "c-2", "c-1", "c-0"]


def test_a_call_that_arrives_between_two_pages_moves_none(site: Site) -> None:
    some_calls(site, 4)
    first = data(site.acme, "/calls", limit=2)
    an_accepted_batch(site.ledger, a_call(0, "late"), tenant=site.acme.access.tenant, now=NOW + 9 * MINUTE)
    assert external_ids(data(site.acme, "/calls", limit=2, cursor=first["next_cursor"])) == ["c-1", "c-0"]


@pytest.mark.parametrize("given", [["pending", "failed"], ["pending,failed"], ["pending,", "failed"]])
def test_statuses_are_repeated_or_separated_by_commas(site: Site, given: list[str]) -> None:
    accepted = an_accepted_batch(site.ledger, a_call(0, "a"), a_call(1, "b"), tenant=site.acme.access.tenant)
    run(site.ledger, accepted.shards[0], failing={"b": AudioInvalid()})
    some_calls(site, 1)
    assert sorted(external_ids(data(site.acme, "/calls", status=given))) == ["b", "c-0"]


def test_an_unknown_status_is_refused_with_the_list_of_all(site: Site) -> None:
    """Gap 5."""
    told = refused(site.acme, status="done-+77012345678")["status"]
    assert all(str(status) in told for status in CallStatus)
    assert "7701" not in told


def test_empty_parameters_ask_for_everything(site: Site) -> None:
    """As a client that fills in a template leaves them."""
    some_calls(site, 2)
    address = "/api/v1/calls?status=&batch_id=&external_id=&from=&to=&cursor=&limit=10"
    assert len(site.acme.get(address).json()["data"]["calls"]) == 2


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 501},
        {"limit": "ten"},
        {"from": "yesterday"},
        {"to": "2026-13-01T00:00:00Z"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"external_id": "x" * 256},
        {"external_id": "a\0b"},
        {"status": "pending\0"},
        {"cursor": "made-up"},
        {"cursor": "é"},
        {"cursor": "A" * 5000},
    ],
    ids=str,
)
def test_a_bad_parameter_is_named_and_not_quoted(site: Site, params: dict[str, Any]) -> None:
    ((name, value),) = params.items()
    fields = refused(site.acme, **params)
    assert list(fields) == [name]
    assert len(str(value)) < 4 or str(value) not in fields[name]


def test_times_are_of_acceptance_from_inclusive_to_exclusive(site: Site) -> None:
    some_calls(site, 5)
    page = data(site.acme, "/calls", **{"from": "2026-01-15T12:01:00Z", "to": "2026-01-15T12:03:00Z"})
    assert external_ids(page) == ["c-2", "c-1"]


@pytest.mark.parametrize(
    "query", ["from=2026-01-15T17:03:00%2B05:00", "from=2026-01-15T17:03:00+05:00", "from=2026-01-15T17:03:00"]
)
def test_a_time_may_have_a_zone_a_lost_plus_or_the_tenants_zone(site: Site, query: str) -> None:
    tenant = site.acme.access.tenant
    site.ledger.tenants.change_settings(tenant, TenantSettings(timezone="Asia/Tashkent"))
    some_calls(site, 5)
    assert external_ids(site.acme.get(f"/v1/calls?{query}").json()) == ["c-4", "c-3"]


def test_an_external_id_finds_its_call(site: Site) -> None:
    some_calls(site, 3)
    assert external_ids(data(site.acme, "/calls", external_id="c-1")) == ["c-1"]
    assert external_ids(data(site.acme, "/calls", external_id="c-1", status="failed")) == []
    assert external_ids(data(site.acme, "/calls", external_id="nobody")) == []


def test_a_batch_shows_its_calls_in_order_page_by_page(site: Site) -> None:
    tenant = site.acme.access.tenant
    batch = an_accepted_batch(site.ledger, *(a_call(n, f"c-{n}") for n in range(5)), tenant=tenant).batch_id
    first = data(site.acme, "/calls", batch_id=batch, limit=3)
    second = data(site.acme, "/calls", batch_id=batch, limit=3, cursor=first["next_cursor"])
    assert external_ids(first) + external_ids(second) == [f"c-{n}" for n in range(5)]
    assert second["next_cursor"] is None


def test_a_cursor_belongs_to_its_list_and_filters(site: Site) -> None:
    batch = some_calls(site, 4)
    cursor = data(site.acme, "/calls", limit=1)["next_cursor"]
    assert list(refused(site.acme, cursor=cursor, status="pending")) == ["cursor"]
    assert list(refused(site.acme, cursor=cursor, batch_id=batch)) == ["cursor"]
    assert list(refused(site.other, cursor=cursor)) == ["cursor"]
    assert data(site.acme, "/calls", limit=3, cursor=cursor)["calls"]


def test_a_cursor_with_any_character_changed_is_refused(site: Site) -> None:
    some_calls(site, 2)
    cursor = data(site.acme, "/calls", limit=1)["next_cursor"]
    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        assert site.acme.get("/v1/calls", params={"cursor": changed}).status_code == 422, place


def test_a_well_made_cursor_to_an_impossible_place_is_refused(site: Site) -> None:
    """Whoever reads this program can make one; it must not reach the database."""
    batch = some_calls(site, 1)
    query: tuple[object, ...] = (site.acme.tenant_id, batch, [], "", None, None)
    assert list(refused(site.acme, batch_id=batch, cursor=cursors.cursor_of("9" * 30, *query))) == ["cursor"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_foreign_id_and_an_unknown_one_get_the_same_answer(site: Site, prefix: str) -> None:
    foreign = some_calls(site, 1)
    call = data(site.acme, "/calls")["calls"][0]["id"]
    for foreign_path, unknown_path in (
        (f"/calls/{call}", f"/calls/{ids.call_id()}"),
        (f"/calls/{call}", "/calls/%00"),
        (f"/calls?batch_id={foreign}", f"/calls?batch_id={ids.batch_id()}"),
        (f"/calls?batch_id={foreign}", "/calls?batch_id=%00"),
    ):
        theirs, nobodys = site.other.get(prefix + foreign_path), site.other.get(prefix + unknown_path)
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.content == nobodys.content
        assert {**theirs.headers, "x-request-id": ""} == {**nobodys.headers, "x-request-id": ""}


def test_no_key_no_calls(site: Site) -> None:
    call = a_whole_call(site)
    for address in ("/v1/calls", f"/v1/calls/{call}", "/v1/calls?limit=0"):
        assert site.stranger.get(address).status_code == 401


def test_a_call_in_full_has_all_that_was_said_and_found(site: Site) -> None:
    call = data(site.acme, f"/calls/{a_whole_call(site)}")
    assert (call["status"], call["progress"], call["error"]) == ("completed", None, None)
    assert (call["external_id"], call["partner_call_id"]) == ("call_12345", "CALL-001")
    (user,) = data(site.acme, "/users", email="john@acme.example")["users"]
    (contact,) = data(site.acme, "/contacts")["contacts"]
    assert call["user"] == {"id": user["id"], "name": "John Smith", "email": "john@acme.example", "group": "north"}
    assert call["contact"] == {
        "id": contact["id"],
        "name": "Ann Lee",
        "phone": "+77012345678",
        "email": "ann@example.org",
    }
    assert (call["call_date"], call["direction"], call["segment_type"]) == ("2026-01-15T12:00:00Z", "outbound", "sales")
    assert call["metadata"] == {"campaign": "Q1 2025"}
    assert call["audio"] == {"sha256": SHA, "seconds": 60.0, "channels": 2, "format": "mp3"}
    assert call["transcript"]["language"] == "en"
    assert [(turn["role"], turn["text"]) for turn in call["transcript"]["turns"]] == [
        ("client", "hello I need a price"),
        ("operator", "good morning how can I help you"),
    ]
    assert call["transcript"]["turns"][0]["words"][0]["probability"] == 0.9
    assert call["insights"]["turns"] == {"operator": 1, "client": 1, "unknown": 0}
    assert call["score"]["checklist"] == "sales"
    assert {"id", "verdict", "weight", "evidence"} <= call["score"]["items"][0].keys()
    heard_in = [item["evidence"][0] for item in call["score"]["items"] if item["evidence"]]
    assert heard_in
    assert {"start", "quote"} <= heard_in[0].keys()
    assert call["warnings"] == ["SILENT_CHANNEL"]


def test_both_databases_tell_the_same(either_site: Site) -> None:
    call = data(either_site.acme, f"/calls/{a_whole_call(either_site)}")
    (row,) = data(either_site.acme, "/calls", status="completed,failed", external_id="call_12345")["calls"]
    assert {name: row[name] for name in row if name != "ended_at"} == {
        name: call[name] for name in row if name != "ended_at"
    }
    assert row["ended_at"] == call["processed_at"]
    assert data(either_site.acme, "/calls", batch_id=call["batch_id"])["calls"] == [row]


def test_a_call_in_full_tells_when_and_by_which_run(site: Site) -> None:
    call = data(site.acme, f"/calls/{a_whole_call(site)}")
    assert call["batch_ids"] == [call["batch_id"]]
    assert call["created_at"] == "2026-01-15T12:00:00Z"
    assert call["created_at"] <= call["started_at"] <= call["processed_at"]
    assert (call["attempt"], [each["outcome"] for each in call["attempts"]]) == (1, ["completed"])
    assert call["dagster_run_id"] == "run-7"
    assert call["dagster_run_url"] == "http://127.0.0.1:9/runs/run-7"


def test_no_signature_and_no_password_is_shown(site: Site) -> None:
    shown = json.dumps(data(site.acme, f"/calls/{a_whole_call(site)}"))
    assert "https://audio.example.org/one.mp3" in shown
    assert "Signature" not in shown
    assert "hunter2" not in shown


def test_a_call_from_an_archive_has_a_file_name_instead_of_a_url(site: Site) -> None:
    call = data(site.acme, f"/calls/{a_whole_call(site, ArchiveSource(name='call_001.wav'))}")
    assert (call["audio_file_name"], call["audio_url"]) == ("call_001.wav", None)
    (row,) = data(site.acme, "/calls")["calls"]
    assert (row["audio_file_name"], row["audio_url"]) == ("call_001.wav", None)


def test_what_is_not_there_yet_is_null(site: Site) -> None:
    some_calls(site, 1)
    (row,) = data(site.acme, "/calls")["calls"]
    call = data(site.acme, f"/calls/{row['id']}")
    nothing = ("audio", "transcript", "insights", "score", "started_at", "processed_at", "dagster_run_id")
    assert [call[name] for name in (*nothing, "dagster_run_url")] == [None] * 8
    assert (call["status"], call["progress"], call["attempt"]) == ("pending", "pending", 1)


def test_a_rejected_row_has_its_reason_and_no_details(site: Site) -> None:
    an_accepted_batch(site.ledger, a_call(0, problem="ROW_INVALID"), tenant=site.acme.access.tenant)
    (row,) = data(site.acme, "/calls", status="failed")["calls"]
    call = data(site.acme, f"/calls/{row['id']}")
    assert call["error"] == {"code": "ROW_INVALID", "message": "is no time", "retryable": False}
    assert (call["user"]["name"], call["call_date"], call["metadata"]) == (None, None, {})


def test_every_batch_that_links_a_call_is_named(site: Site) -> None:
    """Gap 20: a batch is a submission, and links calls."""
    tenant = site.acme.access.tenant
    first = an_accepted_batch(site.ledger, a_call(0, "a"), tenant=tenant).batch_id
    second = an_accepted_batch(site.ledger, a_call(0, "a"), tenant=tenant, now=NOW + MINUTE).batch_id
    (row,) = data(site.acme, "/calls")["calls"]
    call = data(site.acme, f"/calls/{row['id']}")
    assert (call["batch_id"], call["batch_ids"]) == (first, [first, second])


def test_a_call_whose_transcript_is_lost_is_shown_without_it(site: Site) -> None:
    """`aila verify` tells of the loss; a client still gets the rest."""
    call_id = a_whole_call(site)
    site.store.delete(recognition_key(site.acme.tenant_id, SHA, "test"))
    call = data(site.acme, f"/calls/{call_id}")
    assert call["transcript"] is None
    assert call["score"]["checklist"] == "sales"


def test_a_second_attempt_is_told_beside_the_first(site: Site) -> None:
    tenant = site.acme.access.tenant
    first = an_accepted_batch(site.ledger, a_call(0, "a"), tenant=tenant)
    run(site.ledger, first.shards[0], failing={"a": AudioInvalid()}, run_id="run-1")
    again = an_accepted_batch(site.ledger, a_call(0, "a"), tenant=tenant, now=datetime.now(UTC))
    (row,) = data(site.acme, "/calls")["calls"]
    assert row["attempt"] == 2
    call = data(site.acme, f"/calls/{row['id']}")
    assert call["batch_id"] == again.batch_id
    assert [(each["n"], each["outcome"]) for each in call["attempts"]] == [(1, "failed"), (2, None)]
    assert call["attempts"][0]["error"]["code"] == "AUDIO_INVALID"
    assert call["error"] is None
