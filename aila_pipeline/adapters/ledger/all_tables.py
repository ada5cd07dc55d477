"""All tables: the whole schema, for those who compare it with a database.

Lives here: that every table is known to `metadata`. Does not: any table.
"""

from __future__ import annotations

from aila_pipeline.adapters.ledger import checklist_tables, model_tables, outbox_tables, people_tables, tables
from aila_pipeline.adapters.ledger.schema import metadata

__all__ = ["checklist_tables", "metadata", "model_tables", "outbox_tables", "people_tables", "tables"]
