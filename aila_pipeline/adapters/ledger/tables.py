"""The ledger's tables. Unique constraints and compare-and-swap updates on them make things happen once.

    tenants 1-n users                 who submits, and who speaks for the tenant
    tenants 1-n batches 1-n shards    what was submitted, and how it is cut into runs
    batches n-m calls (batch_calls)   a call is a thing of its own; a batch links it at a position
    calls 1-n attempts                one try each; the newest decides the call's status
    calls 1-n stage_results           what each stage found, with the version that found it
    events                            what is to be told to Dagster, once each
    users 1-n api_keys                who may ask the API, as SHA-256 alone
    users 1-n uploads                 keys of the store that were issued for a pair
    tenants 1-n idempotency_keys      the first answer to each, for as long as it is remembered

Lives here: columns and constraints. Does not: queries. A change here needs a migration beside it (a test compares).
"""

from __future__ import annotations

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.schema import key, metadata, time

tenants = sa.Table(
    "tenants",
    metadata,
    key("id", primary_key=True),
    sa.Column("country", sa.String(63), nullable=False),
    sa.Column("firm", sa.String(63), nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    time("created_at", nullable=False),
    sa.UniqueConstraint("country", "firm"),
)

users = sa.Table(
    "users",
    metadata,
    key("id", primary_key=True),
    key("tenant_id", "tenants.id"),
    # Whoever was only met in calls signs in nowhere, and has the id here.
    sa.Column("login", sa.String(254), nullable=False),
    sa.Column("email", sa.String(254)),
    sa.Column("name", sa.Text),
    # The name without regard to case and blanks; finds a user where a call has no email.
    sa.Column("name_key", sa.String(200)),
    # The same, of a user who was made from a name alone: of two shards that meet the name at once, one makes the user.
    sa.Column("only_name", sa.String(200)),
    sa.Column("user_group", sa.Text),
    time("created_at", nullable=False),
    sa.UniqueConstraint("tenant_id", "login"),
    # Indexes and not constraints, because SQLite cannot add a constraint to a table.
    sa.Index(None, "tenant_id", "email", unique=True),
    sa.Index(None, "tenant_id", "only_name", unique=True),
    sa.Index(None, "tenant_id", "name_key"),
    # Older ids of users do not sort by time, so a list pages by both.
    sa.Index(None, "tenant_id", "created_at", "id"),
)

batches = sa.Table(
    "batches",
    metadata,
    key("id", primary_key=True),
    key("tenant_id", "tenants.id"),
    key("user_id", "users.id"),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("door", sa.String(10), nullable=False, default="drop-zone", server_default="drop-zone"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("priority", sa.String(10), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False, unique=True),
    sa.Column("digest", sa.String(64)),
    key("duplicate_of", "batches.id", nullable=True),
    sa.Column("sources", sa.JSON, nullable=False),
    sa.Column("problem", sa.JSON(none_as_null=True)),
    sa.Column("total_calls", sa.Integer, nullable=False, default=0),
    # What came through the API counts towards the tenant's limits: the calls of this submission, else nothing.
    sa.Column("counted_calls", sa.Integer),
    # As they were when the batch last ended, so that a list of batches need not count calls.
    sa.Column("completed_calls", sa.Integer),
    sa.Column("failed_calls", sa.Integer),
    sa.Column("warnings", sa.JSON, nullable=False),
    sa.Column("launches", sa.Integer, nullable=False, default=0),
    sa.Column("closings", sa.Integer, nullable=False, default=0),
    sa.Column("touched", sa.Integer, nullable=False, default=0),
    time("not_before"),
    time("received_at", nullable=False),
    time("accepted_at"),
    time("started_at"),
    time("ended_at"),
    # The same content again is the same batch: the second one keeps no digest but points to the first.
    sa.UniqueConstraint("tenant_id", "digest"),
    sa.Index(None, "state"),
    sa.Index(None, "received_at"),
    sa.Index(None, "tenant_id", "received_at"),
    sa.Index(
        "ix_batches_open",
        "tenant_id",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    ),
)

calls = sa.Table(
    "calls",
    metadata,
    key("id", primary_key=True),
    key("tenant_id", "tenants.id"),
    key("batch_id", "batches.id"),
    sa.Column("external_id", sa.String(255)),
    sa.Column("fingerprint", sa.String(64)),
    sa.Column("details", sa.JSON(none_as_null=True)),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("stage", sa.String(12), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("error_code", sa.String(40)),
    sa.Column("error_message", sa.Text),
    sa.Column("retryable", sa.Boolean, nullable=False, default=False),
    sa.Column("warnings", sa.JSON, nullable=False),
    # Whom the call was matched with; see people_tables.py.
    key("user_id", "users.id", nullable=True),
    key("contact_id", "contacts.id", nullable=True),
    time("created_at", nullable=False),
    time("ended_at"),
    sa.UniqueConstraint("tenant_id", "external_id"),
    sa.Index(None, "status", "ended_at"),
    # Ids sort by time, so these two page through a tenant's calls, newest first.
    sa.Index(None, "tenant_id", "id"),
    sa.Index(None, "tenant_id", "status", "id"),
    sa.Index(None, "user_id", "id"),
    sa.Index(None, "contact_id", "id"),
)

batch_calls = sa.Table(
    "batch_calls",
    metadata,
    key("batch_id", "batches.id", primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    key("call_id", "calls.id"),
    sa.Column("external_id", sa.String(255)),
    sa.UniqueConstraint("batch_id", "call_id"),
    sa.Index(None, "call_id"),
)

shards = sa.Table(
    "shards",
    metadata,
    key("id", primary_key=True),
    key("batch_id", "batches.id"),
    key("tenant_id", "tenants.id"),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("priority", sa.String(10), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("lease_token", sa.String(64)),
    sa.Column("lease_epoch", sa.Integer, nullable=False, default=0),
    time("lease_expires_at"),
    sa.Column("run_id", sa.String(64)),
    sa.Column("in_hand", sa.String(200)),
    sa.Column("launches", sa.Integer, nullable=False, default=0),
    sa.Column("fruitless", sa.Integer, nullable=False, default=0),
    sa.Column("last_error", sa.Text),
    time("not_before"),
    time("created_at", nullable=False),
    time("admitted_at"),
    time("ended_at"),
    sa.UniqueConstraint("batch_id", "number"),
    sa.Index(None, "state", "priority"),
)

attempts = sa.Table(
    "attempts",
    metadata,
    key("call_id", "calls.id", primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    key("batch_id", "batches.id"),
    key("shard_id", "shards.id", nullable=True),
    sa.Column("outcome", sa.String(10)),
    sa.Column("stage", sa.String(12), nullable=False),
    sa.Column("error_code", sa.String(40)),
    sa.Column("error_message", sa.Text),
    sa.Column("retryable", sa.Boolean, nullable=False, default=False),
    sa.Column("crashes", sa.Integer, nullable=False, default=0),
    sa.Column("run_id", sa.String(64)),
    time("created_at", nullable=False),
    time("started_at"),
    time("ended_at"),
    sa.CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended_with_outcome"),
    sa.Index(None, "shard_id"),
    sa.Index(None, "batch_id"),
    # One open attempt a call, guaranteed by the database and not by care.
    sa.Index(
        "uq_attempts_open",
        "call_id",
        unique=True,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    ),
)

stage_results = sa.Table(
    "stage_results",
    metadata,
    key("call_id", "calls.id", primary_key=True),
    sa.Column("stage", sa.String(12), primary_key=True),
    sa.Column("version", sa.String(64), nullable=False),
    sa.Column("made_by", sa.String(200), nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("run_id", sa.String(64)),
    time("created_at", nullable=False),
    sa.Index(None, "stage", "made_by"),
    sa.Index(None, "created_at"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("kind", sa.String(10), primary_key=True),
    key("subject_id", primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    key("shard_id", nullable=True),
    sa.Column("payload", sa.JSON, nullable=False),
    time("created_at", nullable=False),
    sa.Column("claim_token", sa.String(64)),
    time("claimed_until"),
    time("emitted_at"),
    sa.Index(
        "ix_events_waiting",
        "created_at",
        sqlite_where=sa.text("emitted_at IS NULL"),
        postgresql_where=sa.text("emitted_at IS NULL"),
    ),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    key("id", primary_key=True),
    key("tenant_id", "tenants.id"),
    key("user_id", "users.id"),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("hint", sa.String(8), nullable=False),
    time("created_at", nullable=False),
    time("last_used_at"),
    time("revoked_at"),
    sa.Index(None, "tenant_id"),
)

uploads = sa.Table(
    "uploads",
    metadata,
    key("id", primary_key=True),
    key("tenant_id", "tenants.id"),
    key("user_id", "users.id"),
    sa.Column("metadata_key", sa.String(1024), nullable=False),
    sa.Column("audios_key", sa.String(1024), nullable=False),
    time("created_at", nullable=False),
    time("expires_at", nullable=False),
    sa.Index(None, "expires_at"),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    key("tenant_id", "tenants.id", primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("request", sa.String(64), nullable=False),
    sa.Column("claim_token", sa.String(64), nullable=False),
    time("claimed_until", nullable=False),
    sa.Column("answer_status", sa.Integer),
    sa.Column("answer", sa.JSON(none_as_null=True)),
    time("created_at", nullable=False),
    sa.Index(None, "created_at"),
)
