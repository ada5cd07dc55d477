"""A site to test the API on: a fresh home with a migrated ledger, the app, and two tenants with keys.

    def test_…(site: Site) -> None:
        answer = site.acme.post("/v1/calls/batch-upload", json={"calls": []})

Lives here: making and closing it. Does not: requests of any one address.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.keys import Access
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.api.app import create_app
from aila_pipeline.api.services import Services
from aila_pipeline.settings import Settings
from aila_pipeline_tests.adapters.ledger.conftest import BOTH, migrated_file, migrated_schema, wipe

__all__ = ["migrated_file", "migrated_schema"]

NOBODYS_PORT = "http://127.0.0.1:9"
"""Dagster's address in these tests: nothing listens there. Tests that need a Dagster set their own."""


class Party(TestClient):
    """A client that sends one tenant's key with each request."""

    def __init__(self, app: FastAPI, key: str, access: Access) -> None:
        super().__init__(app, headers={"Authorization": f"Bearer {key}"}, raise_server_exceptions=False)
        self.key, self.access = key, access

    @property
    def tenant_id(self) -> str:
        """The tenant whose key it is."""
        return self.access.tenant.id


@dataclass(frozen=True)
class Site:
    """One running app. `acme` and `other` are tenants of the same country, `stranger` sends no key."""

    settings: Settings
    app: FastAPI
    stranger: TestClient
    acme: Party
    other: Party

    @property
    def services(self) -> Services:
        """What the app itself holds."""
        services: Services = self.app.state.services
        return services

    @property
    def ledger(self) -> Ledger:
        """The app's ledger."""
        return self.services.ledger

    @property
    def store(self) -> ObjectStore:
        """The app's store."""
        return self.services.store


@contextmanager
def a_site(settings: Settings) -> Iterator[Site]:
    """The app on these settings, whose ledger must have its schema, started and with its two tenants."""
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as stranger:
        ledger: Ledger = app.state.services.ledger
        yield Site(settings, app, stranger, a_party(app, ledger, "acme"), a_party(app, ledger, "other"))


def a_party(app: FastAPI, ledger: Ledger, firm: str) -> Party:
    """A firm with a user and a key, made where missing."""
    tenant = ledger.tenants.ensure("kz", firm)
    key = ledger.keys.create(tenant, ledger.tenants.ensure_user(tenant, f"ops@{firm}.example"), now=datetime.now(UTC))
    access = ledger.keys.find(key)
    assert access is not None
    return Party(app, key, access)


def settings_for(home: Path, **changed: Any) -> Settings:
    """Settings of a home of its own; `changed` replace what a test needs replaced."""
    values: dict[str, Any] = {"home": home, "whisper_model": "demo", "demo": True, "dagster_url": NOBODYS_PORT}
    return Settings(**values | changed)


@pytest.fixture
def home(tmp_path: Path, migrated_file: Path) -> Path:
    """A home whose SQLite ledger is migrated and empty."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(migrated_file, home / "ledger.db")
    return home


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    """On SQLite and a directory."""
    with a_site(settings_for(home)) as made:
        yield made


@pytest.fixture(params=BOTH)
def either_site(request: pytest.FixtureRequest, home: Path) -> Iterator[Site]:
    """On SQLite and on PostgreSQL in turn: for what rests on transactions."""
    if request.param == "sqlite":
        with a_site(settings_for(home)) as made:
            yield made
        return
    with a_site(settings_for(home, database_url=request.getfixturevalue("migrated_schema"))) as made:
        yield made
        wipe(made.ledger)
