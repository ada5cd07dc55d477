"""The ledger's schema, version by version. `migrate` brings a database to the newest one.

Lives here: Alembic's environment and the versions. Alembic's table is named `aila_ledger_version`, because Dagster
keeps an `alembic_version` of its own and both may share one PostgreSQL database.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from aila_pipeline.adapters.ledger.database import Database

VERSION_TABLE = "aila_ledger_version"
# Any number will do, as long as nothing else in the database uses it: two processes that start at once take turns.
_MIGRATION = 0x61696C61


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def migrate(database: Database) -> None:
    """Bring the schema to the newest version; safe to run by several processes at once, and at every start."""
    config = _config()

    def change(connection: sa.Connection) -> None:
        database.take_turns(connection, _MIGRATION)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    database.write(change)


def versions(database: Database) -> tuple[str | None, str | None]:
    """The schema version the database has, and the newest one there is."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()

    def question(connection: sa.Connection) -> str | None:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return context.get_current_revision()

    return database.read(question), newest
