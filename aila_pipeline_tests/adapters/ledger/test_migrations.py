"""Migrations: they lead to exactly the tables that the program is written for, whoever runs them and how often."""

from __future__ import annotations

import multiprocessing

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.all_tables import metadata
from aila_pipeline.adapters.ledger.migrations import VERSION_TABLE, config, versions
from aila_pipeline.adapters.ledger.tables import users
from aila_pipeline.errors import SettingInvalid
from aila_pipeline_tests.adapters.ledger.builders import an_accepted_batch, rows, run
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound


def differences(ledger: Ledger) -> list[object]:
    def question(connection: sa.Connection) -> list[object]:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    return ledger.database.read(question)


def tables_of(ledger: Ledger) -> set[str]:
    return set(ledger.database.read(lambda connection: sa.inspect(connection).get_table_names()))


def test_migrations_lead_to_exactly_the_tables_of_the_program(empty_url: str) -> None:
    ledger = Ledger(empty_url)
    ledger.migrate()
    assert differences(ledger) == []
    assert tables_of(ledger) == {*metadata.tables, VERSION_TABLE}
    ledger.close()


def test_checks_and_partial_indexes_are_there(empty_url: str) -> None:
    """The comparison above does not look at these, and without them things happen twice."""
    ledger = Ledger(empty_url)
    ledger.migrate()

    def question(connection: sa.Connection) -> tuple[list[str | None], dict[str | None, bool]]:
        inspector = sa.inspect(connection)
        checks = [check["name"] for check in inspector.get_check_constraints("attempts")]
        return checks, {index["name"]: bool(index["unique"]) for index in inspector.get_indexes("attempts")}

    checks, indexes = ledger.database.read(question)
    assert checks == ["ended_with_outcome"]
    assert indexes["uq_attempts_open"]
    ledger.close()


def test_migrating_again_changes_nothing(empty_url: str) -> None:
    ledger = Ledger(empty_url)
    ledger.migrate()
    run(ledger, an_accepted_batch(ledger).shards[0])
    ledger.migrate()
    assert_sound(ledger)
    assert len(ledger.views.recent()) == 1
    ledger.close()


def test_a_schema_of_another_version_is_told(empty_url: str) -> None:
    ledger = Ledger(empty_url)
    with pytest.raises(SettingInvalid, match="schema none"):
        ledger.require_schema()
    ledger.migrate()
    ledger.require_schema()
    ledger.database.write(lambda c: c.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(SettingInvalid, match="schema 9999"):
        ledger.require_schema()
    ledger.close()


def test_a_ledger_of_a_newer_program_is_not_migrated(empty_url: str) -> None:
    """After a downgrade of the program: one line for the operator, and no stack trace."""
    ledger = Ledger(empty_url)
    ledger.migrate()
    ledger.database.write(lambda c: c.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(SettingInvalid, match="schema 9999"):
        ledger.migrate()
    ledger.close()


def test_migrations_lead_back_to_an_empty_database_and_forth_again(empty_url: str) -> None:
    ledger = Ledger(empty_url)
    ledger.migrate()

    def down(connection: sa.Connection) -> None:
        command.downgrade(config(connection), "base")

    ledger.database.write(down)
    assert tables_of(ledger) == {VERSION_TABLE}
    assert versions(ledger.database)[0] is None
    ledger.migrate()
    assert differences(ledger) == []
    ledger.close()


def test_who_signed_in_by_email_before_is_met_in_calls_by_that_address(empty_url: str) -> None:
    """Of two logins that differ in case alone one has it; whoever else signs in has none."""
    ledger = Ledger(empty_url)
    logins = {"u1": "Ops@Acme.example", "u2": "ops@acme.EXAMPLE", "u3": "drop-zone", "u4": "eve@acme.example"}

    def before(connection: sa.Connection) -> None:
        command.upgrade(config(connection), "0002")
        connection.execute(
            sa.text(
                "INSERT INTO tenants (id, country, firm, settings, created_at) VALUES ('t', 'kz', 'acme', '{}', :at)"
            ),
            {"at": "2026-01-15 12:00:00"},
        )
        for name, login in logins.items():
            connection.execute(
                sa.text("INSERT INTO users (id, tenant_id, login, created_at) VALUES (:id, 't', :login, :at)"),
                {"id": name, "login": login, "at": "2026-01-15 12:00:00"},
            )

    ledger.database.write(before)
    ledger.migrate()
    found = {row.id: (row.login, row.email) for row in rows(ledger, users)}
    emails = {"u1": "ops@acme.example", "u4": "eve@acme.example"}
    assert found == {name: (login, emails.get(name)) for name, login in logins.items()}
    ledger.close()


def test_the_ledger_leaves_other_tables_of_the_database_alone(empty_url: str) -> None:
    """Dagster keeps its own `alembic_version` in the same PostgreSQL."""
    ledger = Ledger(empty_url)
    ledger.database.write(lambda c: c.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
    ledger.migrate()
    assert "alembic_version" in tables_of(ledger)
    ledger.close()


def _migrate_in_a_process(url: str) -> None:
    ledger = Ledger(url)
    ledger.migrate()
    ledger.require_schema()
    ledger.close()


@pytest.mark.slow
def test_several_processes_may_migrate_at_once(empty_url: str) -> None:
    """Daemon, webserver and code location start together on an empty home."""
    context = multiprocessing.get_context("spawn")
    starters = [context.Process(target=_migrate_in_a_process, args=(empty_url,)) for _ in range(4)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join(60)
    assert [starter.exitcode for starter in starters] == [0] * 4
    ledger = Ledger(empty_url)
    assert differences(ledger) == []
    ledger.close()
