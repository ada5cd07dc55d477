"""People, checklists, destinations with their outbox, and what is asked of a language model"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEY = sa.String(length=200)
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Forward."""
    _people()
    _checklists()
    _outbox()
    _model_requests()


def _people() -> None:
    op.create_table(
        "contacts",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("tenant_id", _KEY, nullable=False),
        sa.Column("phone", sa.String(length=64), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_contacts_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("tenant_id", "phone", name=op.f("uq_contacts_tenant_id_phone")),
        sa.UniqueConstraint("tenant_id", "email", name=op.f("uq_contacts_tenant_id_email")),
    )
    op.create_index(op.f("ix_contacts_tenant_id_created_at_id"), "contacts", ["tenant_id", "created_at", "id"])
    for name, kind in (
        ("email", sa.String(length=254)),
        ("name", sa.Text()),
        ("name_key", sa.String(length=200)),
        ("only_name", sa.String(length=200)),
        ("user_group", sa.Text()),
    ):
        op.add_column("users", sa.Column(name, kind, nullable=True))
    op.create_index(op.f("ix_users_tenant_id_email"), "users", ["tenant_id", "email"], unique=True)
    op.create_index(op.f("ix_users_tenant_id_only_name"), "users", ["tenant_id", "only_name"], unique=True)
    op.create_index(op.f("ix_users_tenant_id_name_key"), "users", ["tenant_id", "name_key"])
    op.create_index(op.f("ix_users_tenant_id_created_at_id"), "users", ["tenant_id", "created_at", "id"])
    # Who signs in by e-mail is met in calls by the same address. Of two that differ in case alone, the first has it.
    op.execute(
        "UPDATE users SET email = lower(login) WHERE login LIKE '%_@_%' AND NOT EXISTS (SELECT 1 FROM users AS other"
        " WHERE other.tenant_id = users.tenant_id AND lower(other.login) = lower(users.login) AND other.id < users.id)"
    )
    for column, table in (("user_id", "users"), ("contact_id", "contacts")):
        # In words that both databases know: Alembic would copy all of a table for it on SQLite.
        op.execute(
            f"ALTER TABLE calls ADD COLUMN {column} VARCHAR(200) CONSTRAINT fk_calls_{column} REFERENCES {table} (id)"
        )
        op.create_index(op.f(f"ix_calls_{column}_id"), "calls", [column, "id"])
    op.create_table(
        "observations",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("tenant_id", _KEY, nullable=False),
        sa.Column("user_id", _KEY, nullable=True),
        sa.Column("contact_id", _KEY, nullable=True),
        sa.Column("field", sa.String(length=20), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("call_id", _KEY, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_observations_tenant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_observations_user_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_observations_contact_id")),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_observations_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
        sa.UniqueConstraint("user_id", "field", "digest", name=op.f("uq_observations_user_id_field_digest")),
        sa.UniqueConstraint("contact_id", "field", "digest", name=op.f("uq_observations_contact_id_field_digest")),
        sa.CheckConstraint("(user_id IS NULL) <> (contact_id IS NULL)", name="of_one_person"),
    )


def _checklists() -> None:
    op.create_table(
        "checklists",
        sa.Column("tenant_id", _KEY, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("imported_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_checklists_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "id", "version", name=op.f("pk_checklists")),
    )
    op.create_table(
        "active_checklists",
        sa.Column("tenant_id", _KEY, nullable=False),
        sa.Column("segment", _KEY, nullable=False),
        sa.Column("checklist_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("activated_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_active_checklists_tenant_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "checklist_id", "version"],
            ["checklists.tenant_id", "checklists.id", "checklists.version"],
            name=op.f("fk_active_checklists_tenant_id_checklist_id_version"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "segment", name=op.f("pk_active_checklists")),
    )


def _outbox() -> None:
    op.create_table(
        "destinations",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("tenant_id", _KEY, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("paused_until", _MOMENT, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("removed_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_destinations_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destinations")),
    )
    _partial_index("ix_destinations_live", "destinations", ["tenant_id"], "removed_at IS NULL")
    op.create_table(
        "outbox",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("tenant_id", _KEY, nullable=False),
        sa.Column("destination_id", _KEY, nullable=False),
        sa.Column("event", sa.String(length=20), nullable=False),
        sa.Column("subject_id", _KEY, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("not_before", _MOMENT, nullable=False),
        sa.Column("claim_token", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", _MOMENT, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_outbox_tenant_id")),
        sa.ForeignKeyConstraint(["destination_id"], ["destinations.id"], name=op.f("fk_outbox_destination_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint(
            "destination_id", "event", "subject_id", "n", name=op.f("uq_outbox_destination_id_event_subject_id_n")
        ),
        sa.CheckConstraint("state IN ('waiting', 'delivered', 'dead')", name="known_state"),
    )
    op.create_index(op.f("ix_outbox_state_ended_at"), "outbox", ["state", "ended_at"])
    op.create_index(op.f("ix_outbox_subject_id_destination_id_n"), "outbox", ["subject_id", "destination_id", "n"])
    _partial_index("ix_outbox_waiting", "outbox", ["destination_id", "not_before"], "state = 'waiting'")
    op.create_table(
        "remote_records",
        sa.Column("destination_id", _KEY, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", _KEY, nullable=False),
        sa.Column("remote_id", sa.String(length=200), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["destination_id"], ["destinations.id"], name=op.f("fk_remote_records_destination_id")),
        sa.PrimaryKeyConstraint("destination_id", "kind", "subject_id", name=op.f("pk_remote_records")),
    )


def _model_requests() -> None:
    op.create_table(
        "model_requests",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("tenant_id", _KEY, nullable=False),
        sa.Column("batch_id", _KEY, nullable=False),
        sa.Column("call_id", _KEY, nullable=False),
        sa.Column("model", _KEY, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=True),
        sa.Column("completion_tokens", sa.Integer(), nullable=True),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_model_requests_tenant_id")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_model_requests_batch_id")),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_model_requests_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_requests")),
    )
    op.create_index(op.f("ix_model_requests_batch_id"), "model_requests", ["batch_id"])
    op.create_index(op.f("ix_model_requests_call_id"), "model_requests", ["call_id"])


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    """Back."""
    for table in ("model_requests", "remote_records", "outbox", "destinations"):
        op.drop_table(table)
    for table in ("active_checklists", "checklists", "observations"):
        op.drop_table(table)
    with op.batch_alter_table("calls") as calls:
        for column in ("contact_id", "user_id"):
            calls.drop_index(op.f(f"ix_calls_{column}_id"))
            calls.drop_column(column)
    for name in ("created_at_id", "name_key", "only_name", "email"):
        op.drop_index(op.f(f"ix_users_tenant_id_{name}"), "users")
    for column in ("user_group", "only_name", "name_key", "name", "email"):
        op.drop_column("users", column)
    op.drop_table("contacts")
