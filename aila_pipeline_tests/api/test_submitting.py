"""Contract B: what becomes of a list of calls that is sent, and what it is told when it is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from aila_pipeline.adapters.ledger.tables import attempts, batches, calls
from aila_pipeline.errors import AudioInvalid
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    rows,
)
from aila_pipeline_tests.api.conftest import Site, a_site, settings_for
from aila_pipeline_tests.api.lists import LIST, a_list, an_item, errors_of, shown, submitted, work_off

FIVE_MIB = 5 * 1024 * 1024


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    """A site that asks no host whether its audio is there."""
    with a_site(settings_for(home, probe_seconds=0.0)) as made:
        yield made


def test_a_list_is_answered_as_the_contract_prints_it(site: Site) -> None:
    answer = site.acme.post(LIST, json=a_list(an_item("call_12345"), an_item("call_12346")))
    assert answer.status_code == 200
    told = answer.json()
    assert told == {
        "success": True,
        "batch_id": told["batch_id"],
        "calls_submitted": 2,
        "status": "submitted",
        "warnings": [],
    }


def test_gap_1_and_2_each_prefix_answers_in_its_own_envelope(site: Site) -> None:
    answer = site.acme.post(f"/api{LIST}", json=a_list()).json()
    assert (answer["status"], answer["data"]["calls_submitted"]) == ("success", 1)
    refused = site.acme.post(f"/api{LIST}", json=a_list(an_item(duration=-1))).json()
    assert (refused["status"], refused["error"]["details"]["calls"][0]["index"]) == ("error", 0)
    batch_id = answer["data"]["batch_id"]
    told = site.acme.get(f"/api{LIST}/{batch_id}").json()["data"]
    # A launch may begin between the two questions.
    assert told | {"waits_for": ANY, "success": True} == shown(site.acme, batch_id)


def test_what_was_submitted_is_kept_as_it_was_told(site: Site) -> None:
    submitted(site.acme, an_item())
    (row,) = rows(site.ledger, calls)
    assert row.external_id == "call_12345"
    details = row.details
    assert (details["user_email"], details["contact_phone"]) == ("agent@company.com", "+15551234567")
    assert (details["started_at"], details["declared_seconds"]) == ("2025-01-15T14:30:00Z", 350.0)
    assert details["metadata"] == {"campaign": "Q1 2025", "product": "Enterprise Plan"}
    assert rows(site.ledger, batches)[0].user_id == site.acme.access.user_id


def test_the_required_fields_alone_are_enough(site: Site) -> None:
    optional = ("contact_name", "contact_phone", "contact_email", "direction", "duration", "metadata")
    left_out: dict[str, Any] = dict.fromkeys(optional, ...)
    submitted(site.acme, an_item(**left_out))


def test_a_hundred_calls_are_taken_and_one_more_is_not(site: Site) -> None:
    items = [an_item(f"c-{n}") for n in range(101)]
    answer = site.acme.post(LIST, json=a_list(*items))
    assert answer.status_code == 422
    assert answer.json()["error"]["details"] == {"calls": [], "body": "calls must have 1 to 100 items"}
    assert submitted(site.acme, *items[:100])["calls_submitted"] == 100


@pytest.mark.parametrize("body", [{}, {"calls": []}, {"calls": None}, {"calls": {}}, {"calls": "x"}, {"call": [1]}])
def test_a_body_without_calls_is_refused_in_the_contract_s_words(site: Site, body: Any) -> None:
    answer = site.acme.post(LIST, json=body)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["message"]) == ("VALIDATION_ERROR", "Invalid calls array")
    assert error["details"]["calls"] == []
    assert "calls" in error["details"]["body"]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"calls": [NaN]}', b'"x"', b"\xff\xfe{}"])
def test_what_is_no_json_object_is_a_400(site: Site, body: bytes) -> None:
    answer = site.acme.post(LIST, content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_JSON")


def test_a_byte_order_mark_is_no_mistake(site: Site) -> None:
    answer = site.acme.post(LIST, content=b"\xef\xbb\xbf" + json.dumps(a_list()).encode())
    assert answer.status_code == 200


def test_a_body_beyond_five_mib_is_a_413(site: Site) -> None:
    answer = site.acme.post(LIST, content=b" " * (FIVE_MIB + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_gap_19_every_problem_of_every_call_is_listed_and_nothing_is_written(site: Site) -> None:
    told = errors_of(
        site.acme,
        an_item("good"),
        an_item("call_12345", duration=-1, audio_url="ftp://host/x.mp3"),
        an_item(user_email="nobody", call_date="yesterday", direction="sideways"),
        {"external_id": 3},
        "no object",
    )
    assert [(each["index"], each["external_id"]) for each in told] == [
        (1, "call_12345"),
        (2, "call_12345"),
        (3, None),
        (4, None),
    ]
    assert "duration must be positive number" in told[0]["errors"]
    assert any(error.startswith("audio_url must be a URL") for error in told[0]["errors"])
    assert "external_id is used by more than one call of the request" in told[0]["errors"]
    assert {error.split()[0] for error in told[1]["errors"]} == {"external_id", "user_email", "call_date", "direction"}
    assert len(told[2]["errors"]) == 4
    assert told[3]["errors"] == ["each call must be an object"]
    assert rows(site.ledger, batches) == rows(site.ledger, calls) == []


def test_an_external_id_that_is_none_is_not_repeated(site: Site) -> None:
    for wrong in ("x" * 256, "", "  ", "a\nb", ["x"], None):
        (told,) = errors_of(site.acme, an_item(external_id=wrong))
        assert told["external_id"] is None


def test_gap_11_a_time_without_a_zone_is_taken_with_a_warning(site: Site) -> None:
    answer = submitted(site.acme, an_item("a", call_date="2025-01-15T14:30:00"), an_item("b"))
    assert answer["warnings"] == ["TIME_WITHOUT_ZONE: calls 0"]
    assert shown(site.acme, answer["batch_id"])["calls"][0]["warnings"] == ["TIME_WITHOUT_ZONE"]


def test_fields_that_nobody_reads_are_warned_about(site: Site) -> None:
    (warning,) = submitted(site.acme, an_item(agent="x"))["warnings"]
    assert warning.startswith("COLUMN_IGNORED")


@pytest.mark.parametrize("door", ["post", "get", "list", "retry"])
def test_nothing_is_answered_without_a_valid_key(site: Site, door: str) -> None:
    batch_id = submitted(site.acme)["batch_id"]
    address = {"get": f"{LIST}/{batch_id}", "retry": f"{LIST}/{batch_id}/retry"}.get(door, LIST)
    for key in (None, "", "Bearer", "Bearer x", f"Basic {site.acme.key}", f"Bearer {site.acme.key[:-1]}!", "Bearer  "):
        headers = {} if key is None else {"Authorization": key}
        answer = site.stranger.request("POST" if door in {"post", "retry"} else "GET", address, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_key_is_refused_from_the_next_request_on(site: Site) -> None:
    batch_id = submitted(site.acme)["batch_id"]
    site.ledger.keys.revoke(site.acme.access.key_id, now=NOW)
    assert site.acme.get(f"{LIST}/{batch_id}").status_code == 401
    assert site.acme.post(LIST, json=a_list()).status_code == 401


@pytest.mark.parametrize("flag", ["true", "1"])
def test_a_dry_run_tells_what_would_become_of_each_call_and_writes_nothing(site: Site, flag: str) -> None:
    submitted(site.acme, an_item("done"), an_item("bad"))
    work_off(site.ledger, bad=AudioInvalid())
    before = {table: rows(site.ledger, table) for table in (batches, calls, attempts)}
    items = a_list(an_item("done"), an_item("bad"), an_item("new", call_date="2025-01-15T14:30:00"))
    answer = site.acme.post(f"{LIST}?dry_run={flag}", json=items)
    assert answer.json() == {
        "success": True,
        "dry_run": True,
        "calls_submitted": 0,
        "calls_valid": 3,
        "would_be": {"new": 1, "linked": 1, "tried_again": 1},
        "warnings": ["TIME_WITHOUT_ZONE: calls 2"],
    }
    assert before == {table: rows(site.ledger, table) for table in before}


@pytest.mark.parametrize("flag", ["false", "0"])
def test_a_dry_run_that_is_denied_is_none(site: Site, flag: str) -> None:
    assert "batch_id" in site.acme.post(f"{LIST}?dry_run={flag}", json=a_list()).json()


def test_a_dry_run_flag_that_is_neither_is_refused_by_name(site: Site) -> None:
    answer = site.acme.post(f"{LIST}?dry_run=perhaps", json=a_list())
    assert answer.status_code == 422
    assert list(answer.json()["error"]["details"]["fields"]) == ["dry_run"]
    assert "perhaps" not in answer.text
    assert rows(site.ledger, batches) == []
