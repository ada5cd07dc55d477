"""The ledger (SQLAlchemy and Alembic; SQLite embedded, PostgreSQL in production). Import `Ledger` from here."""

from aila_pipeline.adapters.ledger.ledger import Ledger

__all__ = ["Ledger"]
