"""`aila users`: makes those who speak in calls, once each."""

from __future__ import annotations

from pathlib import Path

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.tables import users
from aila_pipeline_tests.adapters.ledger.builders import rows
from aila_pipeline_tests.cli.conftest import Aila

TENANT = ("--country", "kz", "--firm", "acme")


@pytest.fixture
def acme(home: Path, ledger: Ledger) -> Path:
    """A home with the tenant in it."""
    ledger.tenants.ensure("kz", "acme")
    return home


def test_the_id_is_alone_on_standard_output_and_the_same_the_next_time(aila: Aila, acme: Path, ledger: Ledger) -> None:
    made = aila("users", "create", *TENANT, "--name", "Ann  Lee", "--home", acme)
    again = aila("users", "create", *TENANT, "--name", "ann lee", "--email", "Ann@acme.example", "--home", acme)
    assert (made.code, again.code, again.out) == (0, 0, made.out)
    assert ("made" in made.err, "known by name" in again.err) == (True, True)
    (row,) = rows(ledger, users)
    assert (row.id, row.name, row.email) == (made.out.strip(), "Ann Lee", "ann@acme.example")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "--email or --name"),
        (("--group", "Sales"), "--email or --name"),
        (("--email", "ann"), "--email: an e-mail address"),
        (("--name", "Ann\x07"), "--name: at most 255"),
        (("--name", "x" * 256), "--name: at most 255"),
    ],
)
def test_what_would_tell_nobody_apart_is_refused(
    aila: Aila, acme: Path, ledger: Ledger, options: tuple[str, ...], told: str
) -> None:
    said = aila("users", "create", *TENANT, *options, "--home", acme)
    assert (said.code, told in said.error) == (2, True)
    assert rows(ledger, users) == []


def test_a_name_that_several_have_asks_for_an_address(aila: Aila, acme: Path) -> None:
    for email in ("a@acme.example", "b@acme.example"):
        assert aila("users", "create", *TENANT, "--name", "Ann Lee", "--email", email, "--home", acme).code == 0
    said = aila("users", "create", *TENANT, "--name", "Ann Lee", "--home", acme)
    assert (said.code, "give --email" in said.error) == (2, True)


def test_a_tenant_that_is_not_there_is_told(aila: Aila, home: Path, ledger: Ledger) -> None:
    said = aila("users", "create", *TENANT, "--name", "Ann Lee", "--home", home)
    assert (said.code, "there is no tenant kz/acme" in said.error) == (2, True)
    assert rows(ledger, users) == []
