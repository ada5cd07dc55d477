"""The database under the ledger: connections that were cut, and questions without a transaction.

Lives here: what PostgreSQL does to connections. Does not: two writers at once (test_two_at_once.py).
"""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.ledger import Ledger, database
from aila_pipeline.errors import LedgerUnavailable

pytestmark = pytest.mark.services


@pytest.fixture
def ledger(migrated_schema: str) -> Ledger:
    """On PostgreSQL: SQLite has no connections that could be cut."""
    return Ledger(migrated_schema)


def one(connection: sa.Connection) -> object:
    return connection.scalar(sa.text("select 1"))


def cut_connections(ledger: Ledger, url: str) -> None:
    """As a restart of the server does, seen from the client."""
    pid = ledger.database.read(lambda connection: connection.scalar(sa.text("select pg_backend_pid()")))
    other = Ledger(url)
    other.database.read(lambda connection: connection.execute(sa.text(f"select pg_terminate_backend({pid})")))
    other.close()


def test_a_connection_that_was_cut_while_it_lay_idle_is_replaced_unseen(
    ledger: Ledger, migrated_schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_IDLE_SECONDS", 0.0)
    for ask in (ledger.database.read, ledger.database.glance, ledger.database.write):
        cut_connections(ledger, migrated_schema)
        assert ask(one) == 1
    ledger.close()


def test_a_connection_that_was_cut_a_moment_after_its_use_costs_one_failure(
    ledger: Ledger, migrated_schema: str
) -> None:
    cut_connections(ledger, migrated_schema)
    with pytest.raises(LedgerUnavailable):
        ledger.database.read(one)
    assert ledger.database.read(one) == 1
    ledger.close()


def test_a_glance_begins_no_transaction_and_leaves_none_behind(ledger: Ledger) -> None:
    """The clock of a transaction stands still: two glances within one would tell the same time."""
    now = sa.text("select now()")
    first, second = ledger.database.glance(lambda c: (c.scalar(now), c.scalar(now)))
    assert first != second
    first, second = ledger.database.read(lambda c: (c.scalar(now), c.scalar(now)))
    assert first == second
    ledger.close()


def test_a_glance_that_fails_leaves_the_connection_fit_for_use(ledger: Ledger) -> None:
    with pytest.raises(sa.exc.DBAPIError):
        ledger.database.glance(lambda connection: connection.execute(sa.text("select 1/0")))
    assert ledger.database.write(one) == ledger.database.glance(one) == 1
    ledger.close()
