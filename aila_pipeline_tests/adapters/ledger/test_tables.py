"""Times on their way in and out, and what a database's errors say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.all_tables import metadata
from aila_pipeline.adapters.ledger.database import Database, in_groups
from aila_pipeline.adapters.ledger.schema import UtcDateTime
from aila_pipeline.errors import LedgerUnavailable, SettingInvalid, SourceUnavailable
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_tenant,
    a_worker,
    an_accepted_batch,
    received,
    rows,
    run,
)

DIALECTS = [sqlite.dialect(), postgresql.dialect()]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_naive_time_does_not_get_in(dialect: sa.Dialect) -> None:
    with pytest.raises(ValueError, match="without a zone"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), dialect)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@given(
    moment=st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1)),
    minutes=st.integers(-14 * 60, 14 * 60),
)
def test_a_time_of_any_zone_comes_back_as_the_same_moment_in_utc(
    dialect: sa.Dialect, moment: datetime, minutes: int
) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    back = UtcDateTime().process_result_value(UtcDateTime().process_bind_param(aware, dialect), dialect)
    assert back == aware
    assert back.tzinfo is UTC


def test_the_ledger_refuses_a_naive_time(ledger: Ledger) -> None:
    with pytest.raises(sa.exc.StatementError, match="without a zone"):
        received(ledger, now=NOW.replace(tzinfo=None))


def test_no_naive_time_leaves_the_ledger(ledger: Ledger) -> None:
    """Every time of every table, after a life that fills most of them."""
    accepted = an_accepted_batch(ledger, a_call(0, "a"), a_call(1, "b"), a_call(2, problem="ROW_INVALID"))
    ledger.shards.admit(most_in_flight=1, now=NOW)
    run(ledger, accepted.shards[0], failing={"b": SourceUnavailable()})
    ledger.events.claim("teller", now=datetime.now(UTC))
    a_worker(ledger, ledger.batches.retry(accepted.batch_id, shard_size=1, now=NOW)[0])
    ledger.batches.launched([received(ledger).id], now=NOW)
    times = {
        (table.name, column.name): value
        for table in metadata.sorted_tables
        for row in rows(ledger, table)
        for column, value in zip(table.columns, row, strict=True)
        if isinstance(value, datetime)
    }
    assert len(times) > 15
    assert [name for name, value in times.items() if value.tzinfo is not UTC] == []


def test_every_time_is_kept_by_the_one_type() -> None:
    columns = [column for table in metadata.sorted_tables for column in table.columns]
    assert any(isinstance(column.type, UtcDateTime) for column in columns)
    assert [column for column in columns if isinstance(column.type, sa.DateTime)] == []


def test_a_database_error_quotes_no_value(ledger: Ledger) -> None:
    """Such an error ends in the log of a run, where names and numbers have no place."""
    tenants = metadata.tables["tenants"]
    tenant = a_tenant(ledger)
    values = {"id": tenant.id, "country": "kz", "firm": "Aigerim", "settings": {"phone": "+7701"}, "created_at": NOW}
    with pytest.raises(sa.exc.IntegrityError) as raised:
        ledger.database.write(lambda connection: connection.execute(sa.insert(tenants).values(**values)))
    assert "Aigerim" not in str(raised.value)
    assert "+7701" not in str(raised.value)


def test_a_database_that_does_not_answer_is_told_without_its_address() -> None:
    database = Database("postgresql+psycopg2://someone:secret@127.0.0.1:1/nowhere")
    with pytest.raises(LedgerUnavailable) as raised:
        database.read(lambda connection: connection.scalar(sa.select(1)))
    assert "secret" not in str(raised.value)
    assert "127.0.0.1" not in str(raised.value)
    database.close()


def test_other_kinds_of_databases_are_refused() -> None:
    with pytest.raises(SettingInvalid, match="sqlite"):
        Database("mysql://localhost/ledger")


@given(items=st.lists(st.integers()), size=st.integers(1, 7))
def test_groups_keep_everything_in_its_order(items: list[int], size: int) -> None:
    groups = list(in_groups(items, size))
    assert [item for group in groups for item in group] == items
    assert all(0 < len(group) <= size for group in groups)
