"""Arrivals: which batches the files in the drop zone belong to already. Reading only, many files at a time.

Lives here: finding batches by fingerprint and by name. Does not: receiving (batches.py), what lies in the drop zone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.batches import batch_of, tenant_by_id
from aila_pipeline.adapters.ledger.database import Database, in_groups
from aila_pipeline.adapters.ledger.records import Batch
from aila_pipeline.adapters.ledger.tables import batches

DONE = ("accepted", "duplicate", "refused")
"""States in which nothing of the batch has to lie in the drop zone any more."""


class Arrivals:
    """Looks for what is known."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_fingerprint(self, fingerprints: Iterable[str]) -> dict[str, Batch]:
        """The batches that were received with these fingerprints."""

        def question(connection: sa.Connection) -> dict[str, Batch]:
            found: dict[str, Batch] = {}
            for group in in_groups(fingerprints):
                rows = connection.execute(sa.select(batches).where(batches.c.fingerprint.in_(group))).all()
                found.update((row.fingerprint, _with_tenant(connection, row)) for row in rows)
            return found

        return self._database.read(question)

    def last_done(self, names: Iterable[str], *, most: int = 5) -> list[Batch]:
        """Of each tenant and name, the newest batches that need nothing of the drop zone any more."""
        place = sa.func.row_number().over(
            partition_by=[batches.c.tenant_id, batches.c.name], order_by=batches.c.received_at.desc()
        )

        def question(connection: sa.Connection) -> list[Batch]:
            found = []
            for group in in_groups(sorted(set(names))):
                newest = (
                    sa.select(batches.c.id, place.label("place"))
                    .where(batches.c.name.in_(group), batches.c.state.in_(DONE))
                    .subquery()
                )
                ids = sa.select(newest.c.id).where(newest.c.place <= most)
                rows = connection.execute(sa.select(batches).where(batches.c.id.in_(ids))).all()
                found += [_with_tenant(connection, row) for row in rows]
            return found

        return self._database.read(question)


def _with_tenant(connection: sa.Connection, row: sa.Row[Any]) -> Batch:
    return batch_of(row, tenant_by_id(connection, row.tenant_id))
