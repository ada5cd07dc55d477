"""Contract B: the status of a batch, the list of batches, and retries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aila_pipeline.errors import AudioInvalid, SourceUnavailable
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_submission,
    accept,
    an_accepted_batch,
    received,
)
from aila_pipeline_tests.api.conftest import Party, Site, a_site, settings_for
from aila_pipeline_tests.api.lists import LIST, an_item, shown, submitted, work_off


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    """A site that asks no host whether its audio is there."""
    with a_site(settings_for(home, probe_seconds=0.0)) as made:
        yield made


def test_a_batch_under_way_is_shown_as_the_contract_prints_it(site: Site) -> None:
    batch_id = submitted(site.acme, an_item("a"), an_item("b"))["batch_id"]
    told = shown(site.acme, batch_id)
    first = told["calls"][0]
    assert (told["success"], told["batch_id"], told["status"]) == (True, batch_id, "submitted")
    assert (told["total_calls"], told["processed"], told["failed"], told["pending"]) == (2, 0, 0, 2)
    assert told["submitted_at"].endswith("Z")
    assert (first["external_id"], first["status"], first["progress"]) == ("a", "pending", "pending")
    assert first["aila_call_id"].startswith("aila_")
    assert "processed_at" not in first
    more = {"terminal": False, "eta_seconds": None, "ended_at": None, "next_cursor": None, "error": None}
    assert told == told | more | {"name": "batch-upload", "kind": "manifest", "warnings": []}
    assert told["waits_for"].startswith("waits ")


def test_an_ended_batch_tells_each_call_s_end(site: Site) -> None:
    batch_id = submitted(site.acme, an_item("good"), an_item("bad"))["batch_id"]
    work_off(site.ledger, bad=SourceUnavailable())
    told = shown(site.acme, batch_id)
    assert (told["status"], told["terminal"]) == ("partial", True)
    assert (told["processed"], told["failed"], told["pending"]) == (1, 1, 0)
    assert told["ended_at"].endswith("Z")
    good, bad = told["calls"]
    assert (good["status"], bad["status"]) == ("completed", "failed")
    assert good["processed_at"].endswith("Z")
    assert "progress" not in good
    assert (bad["error"]["code"], bad["error"]["retryable"]) == ("SOURCE_UNAVAILABLE", True)
    assert "tenant" not in told


def test_calls_are_shown_in_pages_when_there_are_many(site: Site) -> None:
    batch_id = submitted(site.acme, *(an_item(f"c-{n}") for n in range(7)))["batch_id"]
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        told = shown(site.acme, batch_id, limit=3, cursor=cursor)
        assert told["total_calls"] == 7
        seen += [call["external_id"] for call in told["calls"]]
        cursor = told["next_cursor"]
    assert seen == [f"c-{n}" for n in range(7)]


@pytest.mark.parametrize(("limit", "field"), [(0, "limit"), (1001, "limit"), ("x", "limit")])
def test_a_limit_out_of_bounds_is_refused_by_name(site: Site, limit: object, field: str) -> None:
    batch_id = submitted(site.acme)["batch_id"]
    answer = site.acme.get(f"{LIST}/{batch_id}", params={"limit": str(limit)})
    assert (answer.status_code, list(answer.json()["error"]["details"]["fields"])) == (422, [field])


def test_a_made_up_cursor_or_that_of_another_batch_is_refused(site: Site) -> None:
    one = submitted(site.acme, *(an_item(f"a-{n}") for n in range(2)))["batch_id"]
    two = submitted(site.acme, *(an_item(f"b-{n}") for n in range(2)))["batch_id"]
    cursor = shown(site.acme, one, limit=1)["next_cursor"]
    for batch_id, given in ((two, cursor), (one, "x"), (one, cursor + "A"), (one, "0"), (one, "ключ")):
        answer = site.acme.get(f"{LIST}/{batch_id}", params={"cursor": given})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")


def foreign_and_unknown(site: Site) -> list[str]:
    foreign = submitted(site.other)["batch_id"]
    return [foreign, "batch_01jd0000000000000000000000", "batch_", "x", "batch_%00", "aila_1"]


@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
@pytest.mark.parametrize("tail", ["", "/retry"])
def test_a_foreign_batch_is_answered_byte_for_byte_as_one_that_does_not_exist(
    site: Site, prefix: str, tail: str
) -> None:
    ids = foreign_and_unknown(site)
    method = "POST" if tail else "GET"
    answers = [site.acme.request(method, f"{prefix}/calls/batch-upload/{each}{tail}") for each in ids]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    told = [{k: v for k, v in answer.headers.items() if k != "x-request-id"} for answer in answers]
    assert all(headers == told[0] for headers in told)


def test_batches_of_the_drop_zone_are_shown_too(site: Site) -> None:
    tenant = site.acme.access.tenant
    accepted = an_accepted_batch(site.ledger, a_call(0), a_call(1, "x", problem="ROW_INVALID"), tenant=tenant)
    told = shown(site.acme, accepted.batch_id)
    assert (told["kind"], told["total_calls"], told["failed"]) == ("manifest", 2, 1)
    assert told["calls"][1]["error"]["code"] == "ROW_INVALID"


def test_a_duplicate_is_shown_under_the_id_that_was_asked_for(site: Site) -> None:
    tenant, content = site.acme.access.tenant, a_submission(a_call(0, "c"), digest="same")
    first, again = received(site.ledger, tenant=tenant), received(site.ledger, tenant=tenant)
    accept(site.ledger, first, content)
    accept(site.ledger, again, content)
    told = shown(site.acme, again.id)
    assert (told["batch_id"], told["duplicate_of"], len(told["calls"])) == (again.id, first.id, 1)
    assert "duplicate_of" not in shown(site.acme, first.id)


def test_a_refused_submission_tells_why_without_our_own_paths(site: Site) -> None:
    batch = received(site.ledger, tenant=site.acme.access.tenant)
    problem = {"code": "CSV_EMPTY", "message": "the CSV has no rows", "folder": "_aila/rejected/kz/acme/x/"}
    site.ledger.batches.refuse(batch.id, problem, now=NOW)
    told = shown(site.acme, batch.id)
    assert (told["status"], told["terminal"], told["calls"]) == ("failed", True, [])
    assert told["error"] == {"code": "CSV_EMPTY", "message": "the CSV has no rows"}


def listed(party: Party, **params: Any) -> list[str]:
    """All pages of the list."""
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        answer = party.get(LIST, params=params | {"cursor": cursor})
        assert answer.status_code == 200, answer.text
        found += [batch["batch_id"] for batch in answer.json()["batches"]]
        cursor = answer.json()["next_cursor"]
    return found


def test_the_list_shows_the_tenant_s_own_batches_newest_first(site: Site) -> None:
    made = [submitted(site.acme, an_item(f"c-{n}"))["batch_id"] for n in range(5)]
    submitted(site.other)
    for limit in (1, 2, 5, 100):
        found = listed(site.acme, limit=limit)
        assert [each[:16] for each in found] == sorted((each[:16] for each in made), reverse=True)
        assert sorted(found) == sorted(made)


def test_a_batch_in_the_list_has_the_contract_s_fields_and_no_calls(site: Site) -> None:
    batch_id = submitted(site.acme)["batch_id"]
    (in_list,) = site.acme.get(LIST).json()["batches"]
    alone = shown(site.acme, batch_id)
    # What it waits for may change between the two questions.
    passing = {"success", "calls", "next_cursor", "waits_for"}
    del in_list["waits_for"]
    assert in_list == {name: alone[name] for name in alone if name not in passing}


def test_the_list_can_be_asked_for_some_statuses(site: Site) -> None:
    done = submitted(site.acme, an_item("done"))["batch_id"]
    work_off(site.ledger)
    waiting = submitted(site.acme, an_item("waiting"))["batch_id"]
    assert listed(site.acme, status="completed") == [done]
    assert listed(site.acme, status="submitted,processing") == [waiting]
    assert set(listed(site.acme, status=["completed", "submitted"])) == {done, waiting}
    assert listed(site.acme, status="failed") == []


def test_an_unknown_status_is_refused_with_the_list_of_those_there_are(site: Site) -> None:
    answer = site.acme.get(LIST, params={"status": "transcribing"})
    assert answer.status_code == 422
    told = answer.json()["error"]["details"]["fields"]["status"]
    assert told == "must be among submitted, processing, completed, partial, failed"


def test_a_retry_tries_failed_calls_alone_and_again_changes_nothing(site: Site) -> None:
    batch_id = submitted(site.acme, an_item("good"), an_item("bad"))["batch_id"]
    work_off(site.ledger, bad=AudioInvalid())
    answer = site.acme.post(f"{LIST}/{batch_id}/retry")
    assert answer.json() == {
        "success": True,
        "batch_id": batch_id,
        "calls_retried": 1,
        "calls_not_retriable": 0,
        "status": "processing",
    }
    assert site.acme.post(f"{LIST}/{batch_id}/retry").json()["calls_retried"] == 0
    work_off(site.ledger)
    assert shown(site.acme, batch_id)["status"] == "completed"


def test_a_retry_with_nothing_failed_is_a_200_with_nothing(site: Site) -> None:
    batch_id = submitted(site.acme)["batch_id"]
    answer = site.acme.post(f"{LIST}/{batch_id}/retry")
    assert (answer.status_code, answer.json()["calls_retried"]) == (200, 0)


def test_rejected_rows_are_told_as_not_retriable(site: Site) -> None:
    accepted = an_accepted_batch(site.ledger, a_call(0, "x", problem="ROW_INVALID"), tenant=site.acme.access.tenant)
    answer = site.acme.post(f"{LIST}/{accepted.batch_id}/retry").json()
    assert (answer["calls_retried"], answer["calls_not_retriable"], answer["status"]) == (0, 1, "failed")
