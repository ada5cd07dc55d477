"""`aila keys`: a key is shown once, opens the API in its tenant's name, and can be closed for good."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline_tests.cli.conftest import Aila

WHO = ("--country", "kz", "--firm", "acme", "--user", "ops@acme.example")


def test_the_key_is_alone_on_standard_output_and_opens_the_api(aila: Aila, home: Path, ledger: Ledger) -> None:
    said = aila("keys", "create", *WHO, "--home", home)
    assert said.code == 0
    (key,) = said.out.splitlines()
    access = ledger.keys.find(key)
    assert access is not None
    assert (access.tenant.country, access.tenant.firm) == ("kz", "acme")


def test_a_key_before_anything_else_makes_the_ledger(aila: Aila, tmp_path: Path) -> None:
    said = aila("keys", "create", *WHO, "--home", tmp_path / "fresh")
    assert said.code == 0
    assert aila("db", "--check", "--home", tmp_path / "fresh").code == 0
    assert len(aila("keys", "list", "--json", "--home", tmp_path / "fresh").json) == 1


def test_a_ledger_of_another_version_is_left_to_whoever_runs_it(aila: Aila, home: Path) -> None:
    with sqlite3.connect(home / "ledger.db") as database:
        database.execute("update aila_ledger_version set version_num = '0001'")
    database.close()
    said = aila("keys", "create", *WHO, "--home", home)
    assert said.code == 2
    assert "run `aila db`" in said.error


def test_a_second_key_of_a_user_makes_no_second_user(aila: Aila, home: Path) -> None:
    keys = {aila("keys", "create", *WHO, "--home", home).out for _ in range(2)}
    assert len(keys) == 2
    listed = aila("keys", "list", "--json", "--home", home).json
    assert {(each["tenant"], each["user"]) for each in listed} == {("kz/acme", "ops@acme.example")}
    assert len({each["id"] for each in listed}) == 2


def test_a_list_never_holds_a_key(aila: Aila, home: Path) -> None:
    """Of the key itself only the last four characters, by which a person tells two keys apart."""
    key = aila("keys", "create", *WHO, "--home", home).out.strip()
    for arguments in (["keys", "list"], ["keys", "list", "--json"]):
        said = aila(*arguments, "--home", home)
        assert key not in said.out
        assert f"…{key[-4:]}" in said.out
        assert "ops@acme.example" in said.out


def test_a_revoked_key_opens_nothing_and_is_still_listed(aila: Aila, home: Path, ledger: Ledger) -> None:
    key = aila("keys", "create", *WHO, "--home", home).out.strip()
    (listed,) = aila("keys", "list", "--json", "--home", home).json
    assert listed["revoked_at"] is None
    assert aila("keys", "revoke", listed["id"], "--home", home).code == 0
    assert ledger.keys.find(key) is None
    (listed,) = aila("keys", "list", "--json", "--home", home).json
    assert listed["revoked_at"] is not None
    again = aila("keys", "revoke", listed["id"], "--home", home)
    assert again.code == 0
    assert "was revoked before" in again.out


def test_revoking_what_is_no_key_is_told(aila: Aila, home: Path) -> None:
    said = aila("keys", "revoke", "key_unknown", "--home", home)
    assert said.code == 1
    assert "there is no key of this id; `aila keys list`" in said.error


def test_without_keys_the_list_says_how_to_make_one(aila: Aila, home: Path) -> None:
    assert "`aila keys create` makes one" in aila("keys", "list", "--home", home).out
    assert aila("keys", "list", "--json", "--home", home).json == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--country", "KZ!", "--firm", "acme", "--user", "ops@acme.example"), "--country"),
        (("--country", "kz", "--firm", "a/b", "--user", "ops@acme.example"), "--firm"),
        (("--country", "kz", "--firm", "acme", "--user", "not an address"), "--user"),
        (("--country", "kz", "--firm", "acme"), "--user"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_made(
    aila: Aila, tmp_path: Path, options: tuple[str, ...], named: str
) -> None:
    said = aila("keys", "create", *options, "--home", tmp_path / "fresh")
    assert said.code == 2
    assert named in said.error
    assert not (tmp_path / "fresh").exists()
