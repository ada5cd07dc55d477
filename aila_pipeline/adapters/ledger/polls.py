"""Polls: who asks for which batch, in one question, because that is what many clients ask every few seconds.

Lives here: a key, its tenant, the tenant's batch and the first of its shards that is open, found together. Does not:
the batch's calls (batch_pages.py), what is shown (batch_views.py). On PostgreSQL each question more costs a round trip.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.batch_views import BATCHES, SHARD
from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.keys import ACCESS, Access, access_of, key_id_of
from aila_pipeline.adapters.ledger.tables import api_keys, batches, shards, tenants

_BATCH = tuple(BATCHES.selected_columns)
_BatchRow = namedtuple("_BatchRow", [column.name for column in _BATCH])  # type: ignore[misc]  # named by the query
_ShardRow = namedtuple("_ShardRow", [column.name for column in SHARD])  # type: ignore[misc]  # as above


@dataclass(frozen=True)
class Polled:
    """A batch as a row of `BATCHES`, and the first of its shards that has not ended, if there is one."""

    batch: Any
    shard: Any | None


class Polls:
    """What is found by a key and the id of a batch."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: str, batch_id: str) -> tuple[Access | None, Polled | None]:
        """In whose name is asked, and the batch, if it is one of that tenant's. Without the first never the second."""
        key_id = key_id_of(key)
        if key_id is None:
            return None, None
        asked = {"key_id": key_id, "batch": batch_id}
        row = self._database.glance(lambda connection: connection.execute(_HEAD, asked).one_or_none())
        access = access_of(row, key)
        if row is None or access is None:
            return None, None
        batch: Any = _BatchRow._make(row[len(ACCESS) : len(ACCESS) + len(_BATCH)])
        shard: Any = _ShardRow._make(row[len(ACCESS) + len(_BATCH) :])
        known = Polled(batch, shard if shard.batch_id is not None else None)
        return access, known if batch.id is not None else None


_first = (
    sa.select(shards.c.id)
    .where(shards.c.batch_id == batches.c.id, shards.c.state != "ended")
    .order_by(shards.c.number)
    .limit(1)
    .correlate(batches)
    .scalar_subquery()
)
_own = sa.and_(batches.c.id == sa.bindparam("batch"), batches.c.tenant_id == api_keys.c.tenant_id)
# Labelled by place: several of the tables have columns of the same name.
_HEAD = (
    sa.select(*ACCESS, *(column.label(f"_{place}") for place, column in enumerate((*_BATCH, *SHARD))))
    .select_from(api_keys)
    .join(tenants, tenants.c.id == api_keys.c.tenant_id)
    .outerjoin(batches, _own)
    .outerjoin(shards, shards.c.id == _first)
    .where(api_keys.c.id == sa.bindparam("key_id"))
)
