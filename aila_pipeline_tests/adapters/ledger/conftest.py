"""Ledgers to test with: a SQLite file of one's own, or a schema of one's own in PostgreSQL.

Lives here: making and removing databases. Does not: filling them (builders.py).
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.all_tables import metadata

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)]


@contextmanager
def a_schema() -> Iterator[str]:
    """The URL of an empty schema in the PostgreSQL for tests; it is dropped at the end."""
    server = os.environ.get("AILA_TEST_DATABASE_URL")
    if not server:
        pytest.fail("AILA_TEST_DATABASE_URL names no PostgreSQL; tools/services/run starts one")
    name = f"test_{secrets.token_hex(6)}"
    engine = sa.create_engine(server)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(name))
    url = sa.make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.execute(sa.schema.DropSchema(name, cascade=True))
        engine.dispose()


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty' / 'ledger.db'}"
    else:
        with a_schema() as url:
            yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema, to copy: migrating anew for each test would double the suite's time."""
    path = tmp_path_factory.mktemp("ledger") / "template.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.migrate()
    ledger.close()
    return path


@pytest.fixture(scope="session")
def migrated_schema() -> Iterator[str]:
    """A PostgreSQL schema with the newest tables, emptied by each test that used it."""
    with a_schema() as url:
        ledger = Ledger(url)
        ledger.migrate()
        ledger.close()
        yield url


@pytest.fixture(params=BOTH)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger with the newest schema."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "ledger.db")
        ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    else:
        ledger = Ledger(request.getfixturevalue("migrated_schema"))
    yield ledger
    if request.param == "postgresql":
        wipe(ledger)
    ledger.close()


def wipe(ledger: Ledger) -> None:
    """Remove every row."""

    def change(connection: sa.Connection) -> None:
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.delete(table))

    ledger.database.write(change)
