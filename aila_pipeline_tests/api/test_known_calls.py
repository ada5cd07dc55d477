"""Contract B: lists with ids that are known already (contracts, gap 20)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aila_pipeline.adapters.ledger.tables import attempts, batches, calls
from aila_pipeline.errors import AudioInvalid
from aila_pipeline_tests.adapters.ledger.builders import (
    rows,
)
from aila_pipeline_tests.api.conftest import Site, a_site, settings_for
from aila_pipeline_tests.api.lists import an_item, errors_of, shown, submitted, work_off


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    """A site that asks no host whether its audio is there."""
    with a_site(settings_for(home, probe_seconds=0.0)) as made:
        yield made


def test_gap_20_the_printed_retry_of_failed_calls_tries_them_again(site: Site) -> None:
    """What the page's `Error Handling` example sends: the failed calls' own items."""
    items = [an_item("good"), an_item("bad")]
    first = submitted(site.acme, *items)
    work_off(site.ledger, bad=AudioInvalid())
    assert shown(site.acme, first["batch_id"])["status"] == "partial"
    again = submitted(site.acme, items[1])
    assert again["status"] == "submitted"
    assert shown(site.acme, first["batch_id"])["status"] == "processing"
    work_off(site.ledger)
    for batch in (first, again):
        assert shown(site.acme, batch["batch_id"])["status"] == "completed"


def test_gap_20_the_same_list_of_completed_calls_is_completed_at_once(site: Site) -> None:
    submitted(site.acme)
    work_off(site.ledger)
    again = submitted(site.acme)
    assert again["status"] == "completed"
    told = shown(site.acme, again["batch_id"])
    assert (told["status"], told["terminal"], told["processed"], told["total_calls"]) == ("completed", True, 1, 1)
    assert len(rows(site.ledger, attempts)) == 1


def test_gap_20_other_data_under_a_known_id_refuses_the_list_and_names_the_items(site: Site) -> None:
    submitted(site.acme, an_item("a"), an_item("b"))
    told = errors_of(
        site.acme,
        an_item("new"),
        an_item("a", audio_url="https://yourdomain.com/other.mp3"),
        an_item("b", call_date="2025-01-16T14:30:00Z"),
    )
    assert [(each["index"], each["external_id"]) for each in told] == [(1, "a"), (2, "b")]
    assert all(each["errors"][0].startswith("EXTERNAL_ID_CONFLICT: ") for each in told)
    assert len(rows(site.ledger, batches)) == 1


def test_gap_20_another_tenant_s_ids_are_its_own(site: Site) -> None:
    submitted(site.acme, an_item("a"))
    submitted(site.other, an_item("a", audio_url="https://yourdomain.com/other.mp3"))
    assert len(rows(site.ledger, calls)) == 2
