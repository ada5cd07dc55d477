"""Limits as a client sees them: headers on every answer, a 429 that says how long to wait (contracts, gap 23).

Lives here: HTTP. Does not: the counting itself (adapters/ledger/test_limits.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aila_pipeline.adapters.ledger.tables import batches, calls, shards
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline_tests.adapters.ledger.builders import rows, run
from aila_pipeline_tests.adapters.ledger.conftest import wipe
from aila_pipeline_tests.adapters.ledger.test_two_at_once import at_once
from aila_pipeline_tests.adapters.web_server import a_web_server, file
from aila_pipeline_tests.api.conftest import Site, a_site, settings_for
from aila_pipeline_tests.api.lists import LIST, a_list, an_item, shown, submitted

POLICY = '100;w=3600;name="batches", 10000;w=3600;name="calls", 10;name="concurrent"'


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def site(request: pytest.FixtureRequest, home: Path) -> Iterator[Site]:
    """A site that asks no host whether its audio is there, on either database."""
    url = None if request.param == "sqlite" else request.getfixturevalue("migrated_schema")
    with a_site(settings_for(home, probe_seconds=0.0, database_url=url)) as made:
        yield made
        if url:
            wipe(made.ledger)


def limited(site: Site, **limits: int) -> None:
    site.ledger.tenants.change_settings(site.acme.access.tenant, TenantSettings(**limits))


def test_each_submission_is_answered_with_the_tightest_limit_and_the_policy(site: Site) -> None:
    limited(site, concurrent_batches=3, batches_per_hour=50)
    left = []
    for n in range(3):
        headers = site.acme.post(LIST, json=a_list(an_item(f"c-{n}"))).headers
        left.append((headers["RateLimit-Limit"], headers["RateLimit-Remaining"]))
    assert left == [("3", "2"), ("3", "1"), ("3", "0")]
    assert headers["RateLimit-Policy"] == '50;w=3600;name="batches", 10000;w=3600;name="calls", 3;name="concurrent"'


def test_the_default_policy_is_the_contract_s(site: Site) -> None:
    headers = site.acme.post(LIST, json=a_list()).headers
    assert headers["RateLimit-Policy"] == POLICY
    assert 0 < int(headers["RateLimit-Reset"]) <= 3600


def test_a_429_tells_how_long_to_wait_and_counts_nothing(site: Site) -> None:
    limited(site, batches_per_hour=1)
    submitted(site.acme)
    for _ in range(3):
        refused = site.acme.post(LIST, json=a_list(an_item("b")))
        assert refused.status_code == 429
        error = refused.json()["error"]
        assert (error["code"], error["details"]["limit"]) == ("RATE_LIMIT_EXCEEDED", "1 batches per hour")
        wait = int(refused.headers["Retry-After"])
        assert 3590 <= wait <= 3600
        assert error["details"]["retry_after_seconds"] == int(refused.headers["RateLimit-Reset"]) == wait
        assert (refused.headers["RateLimit-Limit"], refused.headers["RateLimit-Remaining"]) == ("1", "0")
    assert len(rows(site.ledger, batches)) == 1


def test_a_429_of_contract_a_is_in_its_own_envelope(site: Site) -> None:
    limited(site, batches_per_hour=0)
    refused = site.acme.post(f"/api{LIST}", json=a_list()).json()
    assert (refused["status"], refused["error"]["code"]) == ("error", "RATE_LIMIT_EXCEEDED")


def test_polling_does_not_count(site: Site) -> None:
    limited(site, batches_per_hour=1)
    batch_id = submitted(site.acme)["batch_id"]
    for _ in range(30):
        shown(site.acme, batch_id)
        assert site.acme.get(LIST).status_code == 200


def test_a_dry_run_counts_nothing_but_tells_the_limit_that_would_refuse(site: Site) -> None:
    limited(site, batches_per_hour=1)
    for _ in range(5):
        assert site.acme.post(f"{LIST}?dry_run=true", json=a_list()).status_code == 200
    submitted(site.acme)
    assert site.acme.post(f"{LIST}?dry_run=true", json=a_list(an_item("b"))).status_code == 429


def test_who_is_over_the_limit_makes_us_ask_no_host(home: Path) -> None:
    with a_web_server() as web, a_site(settings_for(home, fetch_allow=(web.place,))) as site:
        web.pages["/a.mp3"] = file(b"x" * 100)
        limited(site, batches_per_hour=0)
        for tail in ("", "?dry_run=true"):
            answer = site.acme.post(LIST + tail, json=a_list(an_item(audio_url=web.url("/a.mp3"))))
            assert answer.status_code == 429
        assert web.connections == 0


def test_an_answer_that_is_given_again_counts_once(site: Site) -> None:
    limited(site, batches_per_hour=2)
    for _ in range(5):
        submitted(site.acme, idempotency_key="k")
    submitted(site.acme, an_item("b"))


def test_32_clients_at_once_get_exactly_as_many_batches_as_may_be_under_way(site: Site) -> None:
    def client(number: int) -> list[int]:
        items = [a_list(an_item(f"c-{number}-{n}")) for n in range(2)]
        return [site.acme.post(LIST, json=item).status_code for item in items]

    done = at_once([lambda number=number: client(number) for number in range(32)])  # type: ignore[misc]
    told = [code for codes in done for code in codes]
    assert (told.count(200), told.count(429)) == (10, 54)
    assert len(rows(site.ledger, batches)) == len(rows(site.ledger, calls)) == 10


def test_room_is_made_by_a_batch_that_ends(site: Site) -> None:
    limited(site, concurrent_batches=1)
    submitted(site.acme, an_item("a"))
    assert site.acme.post(LIST, json=a_list(an_item("b"))).status_code == 429
    run(site.ledger, rows(site.ledger, shards)[0].id)
    submitted(site.acme, an_item("b"))
