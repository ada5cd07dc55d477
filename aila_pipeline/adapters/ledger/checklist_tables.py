"""Tables of checklists: each version that was imported for a tenant, and which one scores which segment.

Lives here: columns and constraints. Does not: what a checklist may say (domain/scoring), queries.
"""

from __future__ import annotations

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.schema import key, metadata, time

checklists = sa.Table(
    "checklists",
    metadata,
    key("tenant_id", "tenants.id", primary_key=True),
    # The checklist's own id and version, as its YAML has them.
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("version", sa.String(64), primary_key=True),
    # SHA-256 of what it asks: the same version cannot come to mean something else.
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    # The YAML as it was imported, with its comments.
    sa.Column("source", sa.Text, nullable=False),
    time("imported_at", nullable=False),
)

active_checklists = sa.Table(
    "active_checklists",
    metadata,
    key("tenant_id", "tenants.id", primary_key=True),
    # `segment_type` of the calls, casefolded; `*`: all that no other is active for.
    sa.Column("segment", sa.String(200), primary_key=True),
    sa.Column("checklist_id", sa.String(64), nullable=False),
    sa.Column("version", sa.String(64), nullable=False),
    time("activated_at", nullable=False),
    sa.ForeignKeyConstraint(
        ["tenant_id", "checklist_id", "version"], ["checklists.tenant_id", "checklists.id", "checklists.version"]
    ),
)
