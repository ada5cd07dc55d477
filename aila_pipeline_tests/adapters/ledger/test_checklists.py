"""Imported versions never change, and what is active is one checklist a segment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.checklist_tables import checklists
from aila_pipeline.domain.scoring import Selection
from aila_pipeline.errors import ChecklistConflict, ChecklistInvalid, ChecklistUnknown
from aila_pipeline_tests.adapters.ledger.builders import NOW, a_tenant, rows
from aila_pipeline_tests.adapters.ledger.completed import a_checklist, active, imported, made_unreadable, yaml_of


def test_the_same_version_again_changes_nothing(ledger: Ledger) -> None:
    tenant, checklist = a_tenant(ledger), a_checklist("sales")
    first = ledger.checklists.import_version(tenant, checklist, yaml_of("sales"), now=NOW)
    again = ledger.checklists.import_version(tenant, checklist, "# with a comment\n" + yaml_of("sales"), now=NOW)
    assert (first, again) == (True, False)
    (kept,) = ledger.checklists.versions(tenant)
    assert (kept.checklist, kept.source) == (checklist, yaml_of("sales"))


def test_the_same_version_with_another_content_is_refused_and_the_first_stays_active(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    first = active(ledger, tenant, "sales")
    with pytest.raises(ChecklistConflict, match="sales version 1"):
        imported(ledger, tenant, "sales", phrase="good evening")
    assert ledger.checklists.active(tenant.id) == {"sales": first}


def test_one_version_imported_by_many_at_once_is_kept_once(ledger: Ledger) -> None:
    tenant, checklist = a_tenant(ledger), a_checklist("sales")
    with ThreadPoolExecutor(8) as pool:
        kept = list(
            pool.map(
                lambda _: ledger.checklists.import_version(tenant, checklist, yaml_of("sales"), now=NOW), range(16)
            )
        )
    assert kept.count(True) == 1
    assert len(rows(ledger, checklists)) == 1


def test_a_version_scores_the_segments_that_it_names(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    checklist = a_checklist("deals", segments=["Sales ", "upsell", "*"])
    ledger.checklists.import_version(tenant, checklist, "", now=NOW)
    assert ledger.checklists.active(tenant.id) == {}
    assert ledger.checklists.activate(tenant, "deals", "1", now=NOW) == ("sales", "upsell", "*")
    assert ledger.checklists.active(tenant.id) == {"sales": checklist, "upsell": checklist, "*": checklist}


def test_the_next_version_takes_the_segments_that_are_named_and_no_other(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    first, second = imported(ledger, tenant, "sales"), imported(ledger, tenant, "sales", 2, phrase="hello")
    ledger.checklists.activate(tenant, "sales", "1", ["sales", "Upsell"], now=NOW)
    assert ledger.checklists.activate(tenant, "sales", "2", now=NOW) == ("sales",)
    assert ledger.checklists.active(tenant.id) == {"sales": second, "upsell": first}
    assert {each.version: each.active_for for each in ledger.checklists.versions(tenant)} == {
        "1": ("upsell",),
        "2": ("sales",),
    }


def test_what_is_deactivated_scores_nothing_and_stays_imported(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    imported(ledger, tenant, "sales")
    ledger.checklists.activate(tenant, "sales", "1", ["sales", "upsell", "*"], now=NOW)
    assert ledger.checklists.deactivate(tenant, "sales", ["Upsell", "support"]) == ("upsell",)
    assert ledger.checklists.deactivate(tenant, "sales") == ("*", "sales")
    assert ledger.checklists.deactivate(tenant, "sales") == ()
    assert ledger.checklists.active(tenant.id) == {}
    assert ledger.checklists.find(tenant, "sales").active_for == ()


def test_tenants_have_checklists_of_their_own(ledger: Ledger) -> None:
    one, other = a_tenant(ledger, "acme"), a_tenant(ledger, "bolt")
    mine, theirs = active(ledger, one, "sales"), active(ledger, other, "sales", phrase="good evening")
    assert ledger.checklists.active(one.id) == {"sales": mine}
    assert ledger.checklists.active(other.id) == {"sales": theirs}
    assert len(ledger.checklists.versions()) == 2
    assert len(ledger.checklists.versions(one)) == 1


def test_the_active_version_is_found_before_the_newest(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    active(ledger, tenant, "sales")
    imported(ledger, tenant, "sales", 2)
    assert ledger.checklists.find(tenant, "sales").version == "1"
    assert ledger.checklists.newest(tenant, "sales").version == "2"


@pytest.mark.parametrize(("name", "version"), [("support", "1"), ("sales", "9")])
def test_what_was_never_imported_cannot_be_activated(ledger: Ledger, name: str, version: str) -> None:
    tenant = a_tenant(ledger)
    imported(ledger, tenant, "sales")
    with pytest.raises(ChecklistUnknown):
        ledger.checklists.activate(tenant, name, version, now=NOW)
    with pytest.raises(ChecklistUnknown):
        ledger.checklists.activate(a_tenant(ledger, "bolt"), "sales", "1", now=NOW)


@pytest.mark.parametrize("segment", ["", "  ", "x" * 201])
def test_what_no_call_can_name_is_no_segment(ledger: Ledger, segment: str) -> None:
    tenant = a_tenant(ledger)
    imported(ledger, tenant, "sales")
    with pytest.raises(ChecklistInvalid):
        ledger.checklists.activate(tenant, "sales", "1", ["sales", segment], now=NOW)
    assert ledger.checklists.active(tenant.id) == {}


def test_a_document_that_this_program_cannot_read_is_told_and_keeps_no_other_segment_from_its_own(
    ledger: Ledger,
) -> None:
    acme, bolt = a_tenant(ledger, "acme"), a_tenant(ledger, "bolt")
    active(ledger, acme, "sales")
    support, theirs = active(ledger, acme, "support"), active(ledger, bolt, "sales")
    assert ledger.checklists.unusable() == []
    made_unreadable(ledger, acme, "sales")
    chosen = Selection((), ledger.checklists.active(acme.id))
    with pytest.raises(ChecklistInvalid, match="sales version 1 was imported by another release"):
        chosen.of("sales")
    assert (chosen.of("support"), chosen.of("other")) == (support, None)
    assert ledger.checklists.active(bolt.id) == {"sales": theirs}
    assert ledger.checklists.unusable() == ["acme/sales 1"]


def test_a_document_that_nobody_is_scored_by_any_more_is_not_called_unusable(ledger: Ledger) -> None:
    tenant = a_tenant(ledger)
    active(ledger, tenant, "sales")
    made_unreadable(ledger, tenant, "sales")
    ledger.checklists.deactivate(tenant, "sales")
    assert ledger.checklists.unusable() == []
