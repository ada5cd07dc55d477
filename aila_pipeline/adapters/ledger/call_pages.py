"""Pages of calls: a tenant's or a person's calls newest first, or one batch's calls in their order.

Lives here: reading pages by key, so that the last page of a million calls costs what the first does. Does not: one
call in full (whole_calls.py), cursors as clients see them (api/cursors.py).

Ids sort by time of acceptance, so a page continues after an id, and times are bounds of ids. Each status has its own
run of the index (tenant, status, id); several of them are merged here, a page of each at most.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.tables import batch_calls, batches, calls
from aila_pipeline.domain.ids import call_ids_from
from aila_pipeline.domain.status import CallStatus


@dataclass(frozen=True)
class Wanted:
    """Which calls are asked for; what is empty or None asks for all.

    `since` (inclusive) and `before` (exclusive) are times of acceptance, to the millisecond.
    """

    statuses: frozenset[CallStatus] = frozenset()
    external_id: str | None = None
    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True)
class ListedCall:
    """One call as a list shows it. `position` is its place in the batch that was asked for, if one was."""

    id: str
    external_id: str | None
    batch_id: str
    position: int | None
    status: CallStatus
    attempt: int
    error_code: str | None
    error_message: str | None
    retryable: bool
    warnings: tuple[str, ...]
    audio_file_name: str | None
    audio_url: str | None
    """As it was submitted, signature and all."""
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class CallPage:
    """Calls in order; `more` tells whether others follow."""

    calls: tuple[ListedCall, ...]
    more: bool


class CallPages:
    """Reading pages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, tenant_id: str, wanted: Wanted, *, after: str | None = None, limit: int) -> CallPage:
        """The tenant's calls, newest first, beginning after the call of this id."""
        everyone = not wanted.statuses or wanted.statuses == frozenset(CallStatus)
        statuses = [None] if everyone else sorted(wanted.statuses)
        if wanted.external_id is not None:
            runs = [_named(tenant_id, wanted, after)]
        else:
            runs = [_newest(tenant_id, status, wanted, after, limit + 1) for status in statuses]
        # One statement: between two, a call that changes its status would be in both runs or in none.
        query = runs[0] if len(runs) == 1 else sa.union_all(*(run.subquery().select() for run in runs))
        found = self._database.read(lambda connection: [_listed(row) for row in connection.execute(query)])
        return _page(sorted(found, key=lambda call: call.id, reverse=True), limit)

    def of_batch(
        self, tenant_id: str, batch_id: str, wanted: Wanted, *, after: int | None = None, limit: int
    ) -> CallPage | None:
        """The batch's calls in the order of its rows or items, beginning after this position.

        None when the tenant has no such batch. The id of a duplicate gives the calls of the batch it duplicates.
        """
        mine = sa.select(batches.c.id, batches.c.duplicate_of)
        mine = mine.where(batches.c.id == batch_id, batches.c.tenant_id == tenant_id)

        def question(connection: sa.Connection) -> list[ListedCall] | None:
            batch = connection.execute(mine).one_or_none()
            if batch is None:
                return None
            rows = connection.execute(_of_batch(batch.duplicate_of or batch.id, wanted, after, limit + 1))
            return [replace(_listed(row), position=row.position, external_id=row.submitted_id) for row in rows]

        found = self._database.read(question)
        return None if found is None else _page(found, limit)

    def of_user(self, tenant_id: str, user_id: str, *, after: str | None = None, limit: int) -> CallPage:
        """The calls that were matched with this user, newest first, beginning after the call of this id."""
        return self._of_person(calls.c.user_id, tenant_id, user_id, after, limit)

    def of_contact(self, tenant_id: str, contact_id: str, *, after: str | None = None, limit: int) -> CallPage:
        """As `of_user`, those with this contact."""
        return self._of_person(calls.c.contact_id, tenant_id, contact_id, after, limit)

    def _of_person(
        self, column: sa.Column[Any], tenant_id: str, person_id: str, after: str | None, limit: int
    ) -> CallPage:
        # The last condition for the index on person and id, as in `_newest`.
        before = sa.tuple_(column, calls.c.id) < sa.tuple_(sa.literal(person_id), sa.literal(after or _BEYOND))
        query: sa.Select[*tuple[Any, ...]] = sa.select(*_SHOWN)
        query = query.where(column == person_id, calls.c.tenant_id == tenant_id, before)
        query = query.where(calls.c.id < (after or _BEYOND)).order_by(calls.c.id.desc()).limit(limit + 1)
        return _page(self._database.read(lambda c: [_listed(row) for row in c.execute(query)]), limit)


_BEYOND = "b"
"""After every id of a call, in any collation: they begin with `aila_`."""

_SHOWN = (
    calls.c.id,
    calls.c.external_id,
    calls.c.batch_id,
    calls.c.status,
    calls.c.attempt,
    calls.c.error_code,
    calls.c.error_message,
    calls.c.retryable,
    calls.c.warnings,
    # Of the details only these: a client's own metadata may be large, and no list shows it.
    calls.c.details[("source", "name")].as_string().label("audio_file_name"),
    calls.c.details[("source", "url")].as_string().label("audio_url"),
    calls.c.created_at,
    calls.c.ended_at,
)


def _newest(
    tenant_id: str, status: CallStatus | None, wanted: Wanted, after: str | None, limit: int
) -> sa.Select[*tuple[Any, ...]]:
    """One run of an index, backwards.

    The last condition says nothing new, but only this index can use it. Without it PostgreSQL 15 walks the primary key
    and drops what does not fit, which takes as long as there are newer calls of other statuses: 150 ms for 100,000.
    """
    where = {calls.c.tenant_id: tenant_id} | ({calls.c.status: status} if status is not None else {})
    first, end = _bounds(wanted, after)
    key = sa.tuple_(*where, calls.c.id) < sa.tuple_(*(sa.literal(value) for value in (*where.values(), end)))
    query = sa.select(*_SHOWN).where(*(column == value for column, value in where.items()), key)
    return query.where(calls.c.id >= first, calls.c.id < end).order_by(calls.c.id.desc()).limit(limit)


def _named(tenant_id: str, wanted: Wanted, after: str | None) -> sa.Select[*tuple[Any, ...]]:
    """The one call of an external id, if it is among the others that are asked for."""
    first, end = _bounds(wanted, after)
    query = sa.select(*_SHOWN).where(calls.c.tenant_id == tenant_id, calls.c.external_id == wanted.external_id)
    query = query.where(calls.c.id >= first, calls.c.id < end)
    return query.where(calls.c.status.in_(sorted(wanted.statuses))) if wanted.statuses else query


def _of_batch(batch_id: str, wanted: Wanted, after: int | None, limit: int) -> sa.Select[*tuple[Any, ...]]:
    query = (
        sa.select(*_SHOWN, batch_calls.c.position, batch_calls.c.external_id.label("submitted_id"))
        .join_from(batch_calls, calls, calls.c.id == batch_calls.c.call_id)
        .where(batch_calls.c.batch_id == batch_id)
    )
    if wanted.since is not None or wanted.before is not None:
        first, end = _bounds(wanted, None)
        query = query.where(calls.c.id >= first, calls.c.id < end)
    if wanted.statuses:
        query = query.where(calls.c.status.in_(sorted(wanted.statuses)))
    if wanted.external_id is not None:
        query = query.where(batch_calls.c.external_id == wanted.external_id)
    if after is not None:
        query = query.where(batch_calls.c.position > after)
    return query.order_by(batch_calls.c.position).limit(limit)


def _bounds(wanted: Wanted, after: str | None) -> tuple[str, str]:
    """Ids from the first (inclusive) to the last (exclusive)."""
    ends = [_BEYOND, *([after] if after is not None else [])]
    if wanted.before is not None:
        ends.append(call_ids_from(wanted.before))
    return call_ids_from(wanted.since) if wanted.since is not None else "", min(ends)


def _listed(row: sa.Row[Any]) -> ListedCall:
    return ListedCall(
        id=row.id,
        external_id=row.external_id,
        batch_id=row.batch_id,
        position=None,
        status=CallStatus(row.status),
        attempt=row.attempt,
        error_code=row.error_code,
        error_message=row.error_message,
        retryable=row.retryable,
        warnings=tuple(row.warnings),
        audio_file_name=row.audio_file_name,
        audio_url=row.audio_url,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def _page(found: list[ListedCall], limit: int) -> CallPage:
    return CallPage(tuple(found[:limit]), more=len(found) > limit)
