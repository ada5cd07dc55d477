"""`Idempotency-Key`: a POST is carried out once, however often and by however many it is sent (contracts, gap 24)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aila_pipeline.adapters.ledger.tables import attempts, batches, calls, idempotency_keys
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.errors import AudioInvalid
from aila_pipeline_tests.adapters.ledger.builders import rows, run
from aila_pipeline_tests.adapters.ledger.conftest import wipe
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound
from aila_pipeline_tests.adapters.ledger.submitting import ROOMY
from aila_pipeline_tests.adapters.ledger.test_two_at_once import at_once
from aila_pipeline_tests.api.conftest import Site, a_site, settings_for
from aila_pipeline_tests.api.lists import LIST, a_list, an_item, submitted

KEY = "Idempotency-Key"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def site(request: pytest.FixtureRequest, home: Path) -> Iterator[Site]:
    """A site that asks no host whether its audio is there, on either database; acme has no limits to speak of."""
    url = None if request.param == "sqlite" else request.getfixturevalue("migrated_schema")
    with a_site(settings_for(home, probe_seconds=0.0, database_url=url)) as made:
        made.ledger.tenants.change_settings(made.acme.access.tenant, TenantSettings(**ROOMY))
        yield made
        if url:
            wipe(made.ledger)


def test_the_same_key_and_body_get_the_first_answer_again(site: Site) -> None:
    first = site.acme.post(LIST, json=a_list(), headers={KEY: "k-1"})
    assert "Idempotent-Replayed" not in first.headers
    for _ in range(2):
        again = site.acme.post(LIST, json=a_list(), headers={KEY: "k-1"})
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
    assert len(rows(site.ledger, batches)) == 1


def test_the_first_answer_stays_though_the_batch_has_moved_on(site: Site) -> None:
    first = submitted(site.acme, idempotency_key="k")
    run(site.ledger, f"{datetime.now(UTC):%Y-%m-%d}.kz-acme.{first['batch_id']}.001")
    assert submitted(site.acme, idempotency_key="k") == first


def test_the_envelope_is_that_of_the_path_that_asks(site: Site) -> None:
    first = submitted(site.acme, idempotency_key="k")
    again = site.acme.post(f"/api{LIST}", json=a_list(), headers={KEY: "k"})
    assert again.json() == {"status": "success", "data": {k: v for k, v in first.items() if k != "success"}}


def test_the_same_key_with_another_body_or_address_is_a_422(site: Site) -> None:
    batch_id = submitted(site.acme, idempotency_key="k")["batch_id"]
    others = [
        site.acme.post(LIST, json=a_list(an_item("other")), headers={KEY: "k"}),
        site.acme.post(f"{LIST}?x=1", json=a_list(), headers={KEY: "k"}),
        site.acme.post(f"{LIST}/{batch_id}/retry", json=a_list(), headers={KEY: "k"}),
    ]
    assert [(each.status_code, each.json()["error"]["code"]) for each in others] == [
        (422, "IDEMPOTENCY_KEY_REUSED")
    ] * 3
    assert len(rows(site.ledger, batches)) == 1


def test_a_request_whose_first_is_under_way_is_a_409_to_be_tried_in_a_second(site: Site) -> None:
    ahead: list[tuple[int, str, str]] = []
    submit_calls = site.ledger.submissions.submit_calls

    def meanwhile(*arguments: object, **named: object) -> object:
        answer = site.acme.post(LIST, json=a_list(), headers={KEY: "k"})
        ahead.append((answer.status_code, answer.json()["error"]["code"], answer.headers["Retry-After"]))
        return submit_calls(*arguments, **named)  # type: ignore[arg-type]

    site.ledger.submissions.submit_calls = meanwhile  # type: ignore[method-assign,assignment]
    first = site.acme.post(LIST, json=a_list(), headers={KEY: "k"})
    assert first.status_code == 200
    assert ahead == [(409, "IDEMPOTENCY_KEY_IN_USE", "1")]


def test_a_refusal_leaves_the_key_to_the_mended_request(site: Site) -> None:
    refused = site.acme.post(LIST, json=a_list(an_item(duration=-1)), headers={KEY: "k"})
    assert refused.status_code == 422
    assert rows(site.ledger, idempotency_keys) == []
    submitted(site.acme, idempotency_key="k")


def test_a_limit_that_refuses_leaves_the_key_too(site: Site) -> None:
    closed = site.ledger.tenants.change_settings(site.acme.access.tenant, TenantSettings(batches_per_hour=0))
    assert site.acme.post(LIST, json=a_list(), headers={KEY: "k"}).status_code == 429
    site.ledger.tenants.change_settings(closed, TenantSettings())
    submitted(site.acme, idempotency_key="k")


def test_an_unexpected_failure_leaves_the_key_too(site: Site) -> None:
    submit_calls = site.ledger.submissions.submit_calls

    def broken(*_: object, **__: object) -> object:
        raise ZeroDivisionError

    site.ledger.submissions.submit_calls = broken  # type: ignore[method-assign,assignment]
    assert site.acme.post(LIST, json=a_list(), headers={KEY: "k"}).status_code == 500
    site.ledger.submissions.submit_calls = submit_calls  # type: ignore[method-assign]
    submitted(site.acme, idempotency_key="k")


def test_two_tenants_may_use_the_same_key(site: Site) -> None:
    assert submitted(site.acme, idempotency_key="k") != submitted(site.other, idempotency_key="k")


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tinside", "café"])
def test_a_key_that_cannot_be_kept_is_a_422_that_names_the_header(site: Site, key: str) -> None:
    answer = site.acme.post(LIST, json=a_list(), headers=[(KEY.encode(), key.encode("latin-1"))])
    assert answer.status_code == 422
    assert list(answer.json()["error"]["details"]["fields"]) == [KEY]
    assert rows(site.ledger, batches) == []


@pytest.mark.parametrize("key", ["k", "x" * 255, "a b!~"])
def test_a_key_is_any_printable_ascii(site: Site, key: str) -> None:
    assert submitted(site.acme, idempotency_key=key) == submitted(site.acme, idempotency_key=key)


def test_two_keys_on_one_request_are_a_422(site: Site) -> None:
    answer = site.acme.post(LIST, json=a_list(), headers=[(KEY, "a"), (KEY, "b")])
    assert answer.status_code == 422


def test_a_dry_run_uses_no_key_up(site: Site) -> None:
    for _ in range(2):
        site.acme.post(f"{LIST}?dry_run=true", json=a_list(), headers={KEY: "k"})
    assert rows(site.ledger, idempotency_keys) == []
    submitted(site.acme, idempotency_key="k")


def test_an_answer_is_forgotten_after_a_day(site: Site) -> None:
    first = submitted(site.acme, idempotency_key="k")
    old = f"update idempotency_keys set created_at = '{datetime.now(UTC) - timedelta(hours=25):%Y-%m-%d %H:%M:%S}'"
    site.ledger.database.write(lambda connection: connection.exec_driver_sql(old))
    assert submitted(site.acme, idempotency_key="k")["batch_id"] != first["batch_id"]


def test_a_retry_is_answered_again_under_its_key(site: Site) -> None:
    batch_id = submitted(site.acme, an_item("bad"))["batch_id"]
    shard = f"{datetime.now(UTC):%Y-%m-%d}.kz-acme.{batch_id}.001"
    run(site.ledger, shard, failing={"bad": AudioInvalid()})
    answers = [site.acme.post(f"{LIST}/{batch_id}/retry", headers={KEY: "k"}).json() for _ in range(3)]
    assert [answer["calls_retried"] for answer in answers] == [1, 1, 1]
    assert [row.n for row in rows(site.ledger, attempts)] == [1, 2]


def test_fifty_threads_with_one_key_make_one_batch(site: Site) -> None:
    def client() -> str:
        while True:
            answer = site.acme.post(LIST, json=a_list(an_item("a"), an_item("b")), headers={KEY: "k"})
            if answer.status_code == 200:
                return str(answer.json()["batch_id"])
            assert answer.status_code == 409, answer.text

    assert len(set(at_once([client] * 50))) == 1
    assert len(rows(site.ledger, batches)) == 1
    assert_sound(site.ledger)


def test_fifty_threads_without_a_key_make_fifty_batches_and_each_call_is_processed_once(site: Site) -> None:
    made = at_once([lambda: submitted(site.acme, an_item("a"), an_item("b"))["batch_id"]] * 50)
    assert len(set(made)) == len(rows(site.ledger, batches)) == 50
    assert len(rows(site.ledger, calls)) == len(rows(site.ledger, attempts)) == 2
    assert_sound(site.ledger)
