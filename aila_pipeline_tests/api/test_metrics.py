"""`/metrics`: what Prometheus is told, and that no client can make labels."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.figures import Figures
from aila_pipeline.api.metrics import Metrics
from aila_pipeline.domain.status import CallStatus, Stage
from aila_pipeline.errors import AudioInvalid, LedgerUnavailable
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_call, a_tenant, an_accepted_batch, received, run
from aila_pipeline_tests.adapters.ledger.outbox_builders import a_crm, a_webhook, claim, dead, ended_calls
from aila_pipeline_tests.api.conftest import Site, a_site, settings_for
from aila_pipeline_tests.api.test_openapi import a_list

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(page: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def scraped(site: Site) -> Samples:
    return samples(site.stranger.get("/metrics").text)


def of(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, tuple(sorted(labels.items()))))


def test_requests_are_counted_by_route_and_not_by_path(site: Site) -> None:
    for call in ("aila_1", "aila_2", "+77012345678"):
        site.acme.get(f"/api/v1/calls/{call}")
    site.acme.get("/v1/calls")
    site.acme.get("/v1/nowhere/at/all")
    found = scraped(site)
    assert of(found, "aila_http_requests_total", method="GET", route="/api/v1/calls/{call_id}", status="404") == 3
    assert of(found, "aila_http_requests_total", method="GET", route="/v1/calls", status="200") == 1
    assert of(found, "aila_http_requests_total", method="GET", route="(none)", status="404") == 1
    assert of(found, "aila_http_request_duration_seconds_count", method="GET", route="/v1/calls") == 1


def test_a_client_cannot_make_labels(site: Site) -> None:
    before = len(scraped(site))
    for n in range(20):
        site.acme.request(f"ODD{n}", f"/v1/odd/{n}", headers={"X-Request-Id": f"odd-{n}"})
        site.acme.get("/v1/calls", params={"status": f"odd-{n}"})
    page = site.stranger.get("/metrics").text
    assert "odd" not in page.lower()
    assert len(samples(page)) - before < 60


def test_a_wrong_method_is_counted_under_its_route(site: Site) -> None:
    site.acme.delete("/v1/calls")
    assert of(scraped(site), "aila_http_requests_total", method="DELETE", route="/v1/calls", status="405") == 1


def test_submissions_are_counted_by_what_became_of_them(home: Path) -> None:
    with a_site(settings_for(home, probe_seconds=0)) as site:
        address, key = "/v1/calls/batch-upload", {"Idempotency-Key": "one"}
        site.acme.post(address, json=a_list("a"), headers=key)
        site.acme.post("/api" + address, json=a_list("a"), headers=key)
        site.acme.post(address, json={"calls": []})
        site.acme.post(address, params={"dry_run": "true"}, json=a_list("b"))
        site.stranger.post(address, json=a_list("c"))
        site.acme.post("/v1/calls/process-upload", json={})
        found = scraped(site)
    counted = {
        (labels["kind"], labels["outcome"]): value
        for (name, pairs), value in found.items()
        if name == "aila_submissions_total" and (labels := dict(pairs))
    }
    assert counted == {
        ("manifest", "accepted"): 1,
        ("manifest", "replayed"): 1,
        ("manifest", "refused"): 1,
        ("manifest", "unauthorized"): 1,
        ("pair", "refused"): 1,
    }


def test_calls_stages_and_queues_are_told_as_the_ledger_has_them(site: Site) -> None:
    tenant = a_tenant(site.ledger)
    done = an_accepted_batch(site.ledger, a_call(0, "a"), a_call(1, "b"), tenant=tenant)
    run(site.ledger, done.shards[0], failing={"b": AudioInvalid()})
    an_accepted_batch(site.ledger, a_call(0, "c"), tenant=tenant)
    received(site.ledger, tenant=tenant)
    site.ledger.shards.admit(most_in_flight=1, now=NOW)
    an_accepted_batch(site.ledger, a_call(0, "d"), tenant=tenant)

    found = scraped(site)

    assert of(found, "aila_ledger_up") == 1
    expected = {CallStatus.COMPLETED: 1, CallStatus.FAILED: 1, CallStatus.PENDING: 2}
    for status in CallStatus:
        assert of(found, "aila_calls", status=status) == expected.get(status, 0)
    assert of(found, "aila_stage_seconds_count", stage=Stage.CALL_AUDIO) == 1
    assert of(found, "aila_stage_seconds_sum", stage=Stage.CALL_AUDIO) == pytest.approx(0.1)
    assert of(found, "aila_queue_depth", queue="shards_waiting") == 1
    assert of(found, "aila_queue_depth", queue="shards_admitted") == 1
    assert of(found, "aila_queue_depth", queue="submissions_received") == 1
    assert of(found, "aila_batches_open") == 3
    assert (of(found, "aila_oldest_waiting_call_seconds") or 0) > 1000


def test_messages_that_wait_or_were_given_up_are_told(site: Site) -> None:
    tenant = site.acme.access.tenant
    place = a_webhook(site.ledger, tenant=tenant)
    a_crm(site.ledger, tenant=tenant)
    ended_calls(site.ledger, "a", "b", tenant=tenant)
    dead(site.ledger, *claim(site.ledger, place, most=1))

    found = scraped(site)

    assert of(found, "aila_outbox_messages", to="webhook", state="waiting") == 2
    assert of(found, "aila_outbox_messages", to="webhook", state="dead") == 1
    assert of(found, "aila_outbox_messages", to="crm", state="waiting") == 2
    assert of(found, "aila_outbox_messages", to="crm", state="dead") == 0
    assert of(found, "aila_outbox_oldest_waiting_seconds", to="crm") is not None


def test_no_tenant_is_named(site: Site) -> None:
    an_accepted_batch(site.ledger, tenant=site.acme.access.tenant)
    site.acme.get("/v1/calls")
    page = site.stranger.get("/metrics").text
    assert "acme" not in page
    assert site.acme.tenant_id not in page


def test_a_ledger_that_does_not_answer_leaves_the_rest_to_be_scraped() -> None:
    def figures() -> Figures:
        raise LedgerUnavailable("OperationalError")

    metrics = Metrics(figures)
    metrics.request(method="GET", route="/v1/calls", status=503, seconds=0.1)
    found = samples(metrics.page().decode())
    assert of(found, "aila_ledger_up") == 0
    assert of(found, "aila_http_requests_total", method="GET", route="/v1/calls", status="503") == 1
    assert not [name for name, _ in found if name == "aila_calls"]


def test_figures_are_counted_once_for_many_scrapes(home: Path) -> None:
    ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
    asked = []

    def figures() -> Figures:
        asked.append(1)
        return ledger.figures.count(datetime.now(UTC))

    metrics = Metrics(figures)
    pages = {metrics.page() for _ in range(10)}
    assert (len(asked), len(pages)) == (1, 1)
    ledger.close()


def test_what_pauses_before_a_retry_does_not_wait(ledger_of_home: Ledger) -> None:
    accepted = an_accepted_batch(ledger_of_home, a_call(0, "a"))
    (shard,) = ledger_of_home.shards.admit(most_in_flight=1, now=NOW)
    assert shard.key == accepted.shards[0]
    assert ledger_of_home.figures.count(NOW + timedelta(seconds=30)).oldest_waiting_seconds == 30
    for _ in range(2):
        (admitted,) = ledger_of_home.shards.admitted(now=NOW)
        assert ledger_of_home.shards.recover(admitted, now=NOW + timedelta(seconds=30))
        ledger_of_home.shards.admit(most_in_flight=1, now=NOW + timedelta(seconds=31))
    later = ledger_of_home.figures.count(NOW + timedelta(seconds=31))
    assert (later.shards_waiting, later.oldest_waiting_seconds) == (1, 0)
    assert ledger_of_home.figures.count(NOW + timedelta(seconds=45)).oldest_waiting_seconds == 10


@pytest.fixture
def ledger_of_home(home: Path) -> Iterator[Ledger]:
    ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
    yield ledger
    ledger.close()
