"""Schema: what all tables of the ledger are made with.

Lives here: the one `metadata`, how constraints are named, keys and moments as columns. Does not: any table (tables.py
has the way of a call; what happens after the transcript is in people_tables.py, checklist_tables.py, outbox_tables.py
and model_tables.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(sa.TypeDecorator[datetime]):
    """Aware datetimes in UTC on every database; SQLite itself knows no zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To UTC; a naive time is a mistake of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone must not reach the ledger")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """From the database, always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def key(name: str, target: str | None = None, *, nullable: bool = False, **options: Any) -> sa.Column[str]:
    """A text key, a foreign one if `target` is given. The longest, a shard's, holds country, firm and batch id."""
    arguments = (sa.ForeignKey(target),) if target else ()
    return sa.Column(name, sa.String(200), *arguments, nullable=nullable, **options)


def time(name: str, *, nullable: bool = True) -> sa.Column[datetime]:
    """A moment, in UTC."""
    return sa.Column(name, UtcDateTime, nullable=nullable)
