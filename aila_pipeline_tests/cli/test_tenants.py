"""`aila tenants`: settings are shown by name and changed by name, and nothing that cannot work is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline_tests.cli.conftest import Aila

TENANT = ("--country", "kz", "--firm", "acme")


@pytest.fixture
def acme(home: Path, ledger: Ledger) -> Path:
    """A home with the tenant in it."""
    ledger.tenants.ensure("kz", "acme")
    return home


def settings(aila: Aila, home: Path) -> dict[str, Any]:
    (listed,) = aila("tenants", "list", "--json", "--home", home).json
    assert listed["tenant"] == "kz/acme"
    found: dict[str, Any] = listed["settings"]
    return found


def test_what_is_set_is_listed_and_the_rest_stays(aila: Aila, acme: Path) -> None:
    before = settings(aila, acme)
    said = aila("tenants", "set", *TENANT, "calls_per_hour=20000", "timezone=Asia/Almaty", "--home", acme)
    assert said.code == 0
    assert "  timezone=Asia/Almaty" in said.out.splitlines()
    assert settings(aila, acme) == before | {"calls_per_hour": 20_000, "timezone": "Asia/Almaty"}
    assert said.out == aila("tenants", "list", "--home", acme).out


def test_a_switch_is_shown_as_it_is_set(aila: Aila, acme: Path) -> None:
    said = aila("tenants", "set", *TENANT, "create_users=off", "--home", acme)
    assert "  create_users=false" in said.out.splitlines()
    assert settings(aila, acme)["create_users"] is False


def test_a_list_has_commas_and_an_empty_value_takes_it_away(aila: Aila, acme: Path) -> None:
    places = "s3://partner/calls, s3://other"
    aila("tenants", "set", *TENANT, f"allowed_sources={places}", "language=ru", "--home", acme)
    assert settings(aila, acme)["allowed_sources"] == ["s3://partner/calls", "s3://other"]
    aila("tenants", "set", *TENANT, "allowed_sources=", "language=", "--home", acme)
    found = settings(aila, acme)
    assert (found["allowed_sources"], found["language"]) == ([], None)


def test_a_value_that_cannot_work_is_named_and_nothing_is_changed(aila: Aila, acme: Path) -> None:
    before = settings(aila, acme)
    said = aila("tenants", "set", *TENANT, "calls_per_hour=5", "batches_per_hour=many", "--home", acme)
    assert said.code == 2
    assert "batches_per_hour" in said.error
    assert settings(aila, acme) == before


@pytest.mark.parametrize("value", ["timezone", "=5", ""])
def test_what_is_no_assignment_is_refused(aila: Aila, acme: Path, value: str) -> None:
    said = aila("tenants", "set", *TENANT, value, "--home", acme)
    assert said.code == 2
    assert "NAME=VALUE" in said.error


def test_a_tenant_that_is_not_there_is_not_made_by_a_typing_error(aila: Aila, acme: Path) -> None:
    said = aila("tenants", "set", "--country", "kz", "--firm", "acmee", "timezone=UTC", "--home", acme)
    assert said.code == 2
    assert "there is no tenant kz/acmee; `aila keys create` makes one" in said.error
    assert len(aila("tenants", "list", "--json", "--home", acme).json) == 1


def test_without_tenants_the_list_says_where_they_come_from(aila: Aila, home: Path) -> None:
    assert "the first key or the first drop makes one" in aila("tenants", "list", "--home", home).out
