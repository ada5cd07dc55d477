"""Tables of the outbox: where a tenant wants to be told, and each message with what became of it.

    tenants 1-n destinations 1-n outbox      written in the transaction that ends what is told
    destinations 1-n remote_records          what the CRM calls a call or a contact of ours

Lives here: columns and constraints. Does not: queries, delivering.
"""

from __future__ import annotations

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.schema import key, metadata, time

destinations = sa.Table(
    "destinations",
    metadata,
    key("id", primary_key=True),
    key("tenant_id", "tenants.id"),
    # `webhook`, or the name of a CRM.
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("url", sa.Text),
    # Signs a webhook, or opens the CRM.
    sa.Column("secret", sa.Text, nullable=False),
    # Which events it wants, like `call.completed`.
    sa.Column("events", sa.JSON, nullable=False),
    # Tries that failed since the last one that did not; after some of them all its messages wait for a while.
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    time("paused_until"),
    sa.Column("last_error", sa.Text),
    time("created_at", nullable=False),
    time("removed_at"),
    sa.Index(
        "ix_destinations_live",
        "tenant_id",
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    ),
)

outbox = sa.Table(
    "outbox",
    metadata,
    # `msg_…`: what the receiver is told as the message's id. Sorts in the order of writing.
    key("id", primary_key=True),
    key("tenant_id", "tenants.id"),
    key("destination_id", "destinations.id"),
    sa.Column("event", sa.String(20), nullable=False),
    # The call or batch that is told of, and its attempt or closing: told once to each destination.
    key("subject_id"),
    sa.Column("n", sa.Integer, nullable=False),
    # Facts of the moment: ids, status, error code. Never names, numbers or text.
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    time("not_before", nullable=False),
    sa.Column("claim_token", sa.String(64)),
    time("claimed_until"),
    sa.Column("last_error", sa.Text),
    time("created_at", nullable=False),
    # When it was delivered or given up.
    time("ended_at"),
    sa.UniqueConstraint("destination_id", "event", "subject_id", "n"),
    sa.CheckConstraint("state IN ('waiting', 'delivered', 'dead')", name="known_state"),
    sa.Index(None, "state", "ended_at"),
    sa.Index(None, "subject_id", "destination_id", "n"),
    sa.Index(
        "ix_outbox_waiting",
        "destination_id",
        "not_before",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    ),
)

remote_records = sa.Table(
    "remote_records",
    metadata,
    key("destination_id", "destinations.id", primary_key=True),
    # `contact` or `call`, and our id of it.
    sa.Column("kind", sa.String(20), primary_key=True),
    key("subject_id", primary_key=True),
    sa.Column("remote_id", sa.String(200), nullable=False),
    time("created_at", nullable=False),
)
