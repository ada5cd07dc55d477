"""Alembic's entry: runs the versions on the connection that `migrate` hands in, inside its transaction."""

from __future__ import annotations

from alembic import context

from aila_pipeline.adapters.ledger.all_tables import metadata
from aila_pipeline.adapters.ledger.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
