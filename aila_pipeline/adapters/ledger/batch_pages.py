"""Batches for clients: one with a page of its calls, or a tenant's list of them.

Lives here: what a client polls, from few and narrow rows. Does not: the fields (batch_views.py, call_views.py), who
asks (polls.py), the cursors as clients see them (api).

A page continues after a key (a call's position, a batch's time and id), so the last page costs what the first does.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.batch_views import (
    BATCHES,
    BatchView,
    Pace,
    Row,
    batch_view,
    batch_views,
    counted,
    first_open_shards,
    kept_counts,
    pace_since,
)
from aila_pipeline.adapters.ledger.call_views import LINKED_CALLS
from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.tables import batch_calls, batches
from aila_pipeline.domain.status import BatchStatus

_CHUNK = 500
"""Batches looked at in one go when a status is asked for; what the status is, is only known when they are counted."""


@dataclass(frozen=True)
class BatchPage:
    """A batch and some of its calls, as rows of `LINKED_CALLS`; `after` is where the next page begins, if there is one.

    `duplicate_of` is the batch's own id where another was asked for, whose content it has.
    """

    view: BatchView
    calls: tuple[Row, ...]
    after: int | None
    duplicate_of: str | None


@dataclass(frozen=True)
class Place:
    """Where in a list of batches a page ended."""

    received_at: datetime
    batch_id: str


class BatchPages:
    """Reading, for clients. A batch of another tenant is like one that does not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def one(self, tenant_id: str, batch_id: str, *, after: int, limit: int) -> BatchPage | None:
        """The batch and its calls behind the position `after` (-1: from the start); None when there is none."""

        def question(connection: sa.Connection) -> BatchPage | None:
            row = connection.execute(_OWN, {"batch": batch_id, "tenant": tenant_id}).one_or_none()
            duplicate_of = row.duplicate_of if row is not None else None
            if duplicate_of is not None:
                row = connection.execute(_OWN, {"batch": duplicate_of, "tenant": tenant_id}).one_or_none()
            if row is None:
                return None
            found = connection.execute(PAGE, {"batch": row.id, "after": after, "limit": limit + 1}).all()
            every_call = after < 0 and len(found) <= limit
            if every_call:
                shard = first_open_shards(connection, [row.id]).get(row.id) if kept_counts(row) is None else None
                view = _view(row, found, shard)
            else:
                view = batch_views(connection, [row])[0]
            return _page(view, found, limit, duplicate_of)

        return self._database.glance(question)

    def first(self, row: Any, found: Sequence[Any], shard: Any | None, *, limit: int) -> BatchPage:
        """The first page of the batch in `row`, from up to `limit` + 1 calls and its first open shard."""
        if len(found) <= limit:
            return _page(_view(row, found, shard), found, limit)
        view: BatchView = self._database.glance(lambda connection: batch_views(connection, [row])[0])
        return _page(view, found, limit)

    def newest(
        self, tenant_id: str, *, statuses: Set[BatchStatus] = frozenset(), after: Place | None = None, limit: int
    ) -> tuple[list[BatchView], Place | None]:
        """The tenant's batches, newest first, and where the next page begins, if there is one.

        Those that turned out to be another batch's content are not batches of their own.
        """

        def question(connection: sa.Connection) -> tuple[list[BatchView], Place | None]:
            found: list[BatchView] = []
            place: Place | None = after
            while len(found) <= limit:
                query = _list(tenant_id, statuses, place).limit(_CHUNK if statuses else limit + 1)
                rows = connection.execute(query).all()
                views = batch_views(connection, rows)
                found += [view for view in views if not statuses or view.status in statuses]
                if not statuses or len(rows) < _CHUNK:
                    break
                place = Place(rows[-1].received_at, rows[-1].id)
            if len(found) <= limit:
                return found, None
            last = found[limit - 1]
            return found[:limit], Place(last.received_at, last.id)

        return self._database.read(question)


def _page(view: BatchView, found: Sequence[Any], limit: int, duplicate_of: str | None = None) -> BatchPage:
    following = found[limit - 1].position if len(found) > limit else None
    return BatchPage(view, tuple(found[:limit]), following, duplicate_of)


def _view(row: Any, every_call: Sequence[Any], shard: Any | None) -> BatchView:
    """The batch's view, counted from all its calls, which have been read anyway."""
    kept = kept_counts(row)
    if kept is not None:
        return batch_view(row, kept)
    since = pace_since(row, shard)
    counts, ended = counted(every_call, since)
    return batch_view(row, counts, shard=shard, pace=Pace(since, ended) if since is not None else None)


def _list(tenant_id: str, statuses: Set[BatchStatus], after: Place | None) -> sa.Select[*tuple[object, ...]]:
    query = BATCHES.where(batches.c.tenant_id == tenant_id, batches.c.state.not_in(("duplicate", "withdrawn")))
    if statuses:
        query = query.where(_may_have(statuses))
    if after is not None:
        at, batch_id = after.received_at, after.batch_id
        query = query.where(batches.c.received_at <= at, sa.or_(batches.c.received_at < at, batches.c.id < batch_id))
    return query.order_by(batches.c.received_at.desc(), batches.c.id.desc())


def _may_have(statuses: Set[BatchStatus]) -> sa.ColumnElement[bool]:
    """Batches that may have one of the statuses: those that go on must be counted, the ended ones kept their counts."""
    completed, failed = batches.c.completed_calls, batches.c.failed_calls
    kept = {
        BatchStatus.COMPLETED: sa.and_(completed > 0, failed == 0),
        BatchStatus.PARTIAL: sa.and_(completed > 0, failed > 0),
        BatchStatus.FAILED: completed == 0,
    }
    wanted = [rule for status, rule in kept.items() if status in statuses]
    return sa.or_(batches.c.ended_at.is_(None), completed.is_(None), *wanted)


_OWN = BATCHES.where(batches.c.id == sa.bindparam("batch"), batches.c.tenant_id == sa.bindparam("tenant"))
PAGE = (
    LINKED_CALLS.where(batch_calls.c.batch_id == sa.bindparam("batch"))
    .where(batch_calls.c.position > sa.bindparam("after"))
    .order_by(batch_calls.c.position)
    .limit(sa.bindparam("limit"))
)
