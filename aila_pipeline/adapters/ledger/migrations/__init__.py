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
from aila_pipeline.errors import SettingInvalid

VERSION_TABLE = "aila_ledger_version"
# Any number will do, as long as nothing else in the database uses it: two processes that start at once take turns.
_MIGRATION = 0x61696C61


def config(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration; commands that touch a database need the connection to run on."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def migrate(database: Database) -> None:
    """Bring the schema to the newest version; safe to run by several processes at once, and at every start.

    Raises SettingInvalid when the schema is one that this program does not know.
    """
    script = ScriptDirectory.from_config(config())
    known = {revision.revision for revision in script.walk_revisions()}

    def change(connection: sa.Connection) -> None:
        database.take_turns(connection, _MIGRATION)
        found = _version_of(connection)
        if found is not None and found not in known:
            raise SettingInvalid(f"the ledger has schema {found}, which a newer program made: run that one")
        command.upgrade(config(connection), "head")

    database.write(change)


def versions(database: Database) -> tuple[str | None, str | None]:
    """The schema version the database has, and the newest one there is."""
    newest = ScriptDirectory.from_config(config()).get_current_head()
    return database.read(_version_of), newest


def _version_of(connection: sa.Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()
