"""Tables of people: the contacts of a tenant, and what calls said of people that is not what is known of them.

    tenants 1-n contacts 1-n calls           who was spoken with; users (tables.py) are who spoke for the tenant
    contacts, users 1-n observations         another name, email or number than the one that is kept

Lives here: columns and constraints. Does not: matching (domain/people.py), queries.
"""

from __future__ import annotations

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.schema import key, metadata, time

contacts = sa.Table(
    "contacts",
    metadata,
    key("id", primary_key=True),
    key("tenant_id", "tenants.id"),
    # E.164. What was given as a number and cannot be one tells nobody from another: the call keeps it as given.
    sa.Column("phone", sa.String(64)),
    sa.Column("email", sa.String(254)),
    sa.Column("name", sa.Text),
    time("created_at", nullable=False),
    sa.UniqueConstraint("tenant_id", "phone"),
    sa.UniqueConstraint("tenant_id", "email"),
    sa.Index(None, "tenant_id", "created_at", "id"),
)

observations = sa.Table(
    "observations",
    metadata,
    key("id", primary_key=True),
    key("tenant_id", "tenants.id"),
    key("user_id", "users.id", nullable=True),
    key("contact_id", "contacts.id", nullable=True),
    sa.Column("field", sa.String(20), nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    # SHA-256 of the value without regard to case and blanks: texts of any length must fit the unique constraint.
    sa.Column("digest", sa.String(64), nullable=False),
    # The call that said so first.
    key("call_id", "calls.id"),
    time("created_at", nullable=False),
    sa.UniqueConstraint("user_id", "field", "digest"),
    sa.UniqueConstraint("contact_id", "field", "digest"),
    sa.CheckConstraint("(user_id IS NULL) <> (contact_id IS NULL)", name="of_one_person"),
)
