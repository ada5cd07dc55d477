"""Polls: who asks for which batch, in one go, because that is what many clients ask every few seconds.

Lives here: a key, its tenant, the tenant's batch, the first of its shards that is open, and its first calls, asked for
together. Does not: further pages (batch_pages.py), what is shown (batch_views.py).
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.batch_pages import PAGE, BatchPage, BatchPages
from aila_pipeline.adapters.ledger.batch_views import BATCHES, SHARD
from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.keys import ACCESS, Access, access_of, key_id_of
from aila_pipeline.adapters.ledger.prepared import Prepared
from aila_pipeline.adapters.ledger.tables import api_keys, batches, shards, tenants

_BATCH = tuple(BATCHES.selected_columns)
# What the queries name: mypy cannot read them.
_AccessRow = namedtuple("_AccessRow", [column.name for column in ACCESS])  # type: ignore[misc]
_BatchRow = namedtuple("_BatchRow", [column.name for column in _BATCH])  # type: ignore[misc]
_ShardRow = namedtuple("_ShardRow", [column.name for column in SHARD])  # type: ignore[misc]
_CallRow = namedtuple("_CallRow", [column.name for column in PAGE.selected_columns])  # type: ignore[misc]


@dataclass(frozen=True)
class _Head:
    """A key with its tenant; the batch, all None where it is not the tenant's; its first open shard, if any."""

    access: Any
    batch: Any
    shard: Any | None

    @classmethod
    def of(cls, values: Sequence[Any]) -> _Head:
        behind = len(ACCESS) + len(_BATCH)
        shard: Any = _ShardRow._make(values[behind:])
        batch: Any = _BatchRow._make(values[len(ACCESS) : behind])
        return cls(_AccessRow._make(values[: len(ACCESS)]), batch, shard if shard.batch_id is not None else None)


class Polls:
    """What is found by a key and the id of a batch."""

    def __init__(self, database: Database, pages: BatchPages) -> None:
        self._database, self._pages = database, pages
        dialect = database.engine.dialect
        self._head: Prepared[_Head] = Prepared(_HEAD, dialect, _Head.of)
        self._calls: Prepared[_CallRow] = Prepared(PAGE, dialect, _CallRow._make)

    def find(self, key: str, batch_id: str, *, limit: int) -> tuple[Access | None, BatchPage | None]:
        """In whose name is asked, and the first page of the batch, if it is one of that tenant's.

        Both questions go off together; without the first the answer to the second is shown to nobody.
        """
        key_id = key_id_of(key)
        if key_id is None:
            return None, None
        heads, found = self._database.ask(
            (self._head, {"key_id": key_id, "batch": batch_id}),
            (self._calls, {"batch": batch_id, "after": -1, "limit": limit + 1}),
        )
        head: _Head | None = heads[0] if heads else None
        access = access_of(head.access if head else None, key)
        if head is None or access is None:
            return None, None
        if head.batch.id is None:
            return access, None
        if head.batch.duplicate_of is not None:
            return access, self._pages.one(access.tenant.id, batch_id, after=-1, limit=limit)
        return access, self._pages.first(head.batch, found, head.shard, limit=limit)


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
