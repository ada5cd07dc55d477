"""Stage results: what a stage found about a call, the newest of each; and which of them are stale.

Lives here: writing a result, finding completed calls by day, counting by maker. Does not: deciding what is current
(domain/versions.py), results of calls that are under way (work.py, under a lease).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from aila_pipeline.adapters.ledger.database import Database, in_groups
from aila_pipeline.adapters.ledger.records import StageResult, Tenant, WorkCall
from aila_pipeline.adapters.ledger.tables import batch_calls, batches, calls, stage_results, tenants
from aila_pipeline.domain.models import CallDetails, TenantSettings
from aila_pipeline.domain.status import CallStatus, Stage
from aila_pipeline.domain.versions import Version


def result_row(
    call_id: str, version: Version, document: dict[str, Any], *, seconds: float, run_id: str
) -> dict[str, Any]:
    """A row of stage_results."""
    row: dict[str, Any] = {"call_id": call_id, "stage": version.stage, "version": version.id, "run_id": run_id}
    return row | {"made_by": version.made_by, "document": document, "seconds": seconds, "created_at": datetime.now(UTC)}


def put_result(connection: sa.Connection, row: dict[str, Any]) -> None:
    """Keep a result in the place of the one before it."""
    put_results(connection, [row])


def put_results(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep these results, each in the place of the one before it."""
    if not rows:
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(stage_results)
    new = {name: statement.excluded[name] for name in rows[0] if name not in {"call_id", "stage"}}
    connection.execute(statement.on_conflict_do_update(index_elements=["call_id", "stage"], set_=new), list(rows))


def add_warnings(
    connection: sa.Connection, call_id: str, warnings: Iterable[str], withdrawn: Collection[str] = ()
) -> None:
    """Take those that are `withdrawn` from the call's warnings, then add those that it does not have yet."""
    known = connection.scalar(sa.select(calls.c.warnings).where(calls.c.id == call_id)) or []
    merged = list(dict.fromkeys([*(warning for warning in known if warning not in withdrawn), *warnings]))
    connection.execute(sa.update(calls).where(calls.c.id == call_id).values(warnings=merged))


class Results:
    """Results of completed calls, for what is done again without an attempt: re-scoring."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def makers(self, stage: Stage) -> list[str]:
        """Who made the results of a stage that are kept. It costs one look into the index for each, not a scan."""
        made_by = stage_results.c.made_by
        least = sa.select(sa.func.min(made_by)).where(stage_results.c.stage == stage)
        found = least.correlate(None).scalar_subquery()
        makers = sa.select(found.label("made_by")).cte("makers", recursive=True)
        following = least.where(made_by > makers.c.made_by).correlate(makers).scalar_subquery()
        makers = makers.union_all(sa.select(following).where(makers.c.made_by.is_not(None)))
        query = sa.select(makers.c.made_by).where(makers.c.made_by.is_not(None))
        return list(self._database.read(lambda connection: connection.scalars(query).all()))

    def stale(self, makers: Mapping[Stage, Collection[str]]) -> dict[Stage, int]:
        """How many results of completed calls these made, by stage."""
        query = (
            sa.select(stage_results.c.stage, sa.func.count())
            .join(calls, calls.c.id == stage_results.c.call_id)
            .where(_made_by(makers), calls.c.status == CallStatus.COMPLETED)
            .group_by(stage_results.c.stage)
        )
        counts = dict.fromkeys(makers, 0)
        if any(makers.values()):
            found = self._database.read(lambda connection: connection.execute(query).all())
            counts |= {Stage(stage): count for stage, count in found}
        return counts

    def stale_days(self, makers: Mapping[Stage, Collection[str]], *, most: int) -> list[date]:
        """The newest days (of acceptance, UTC) with completed calls whose results were made by these."""
        if not any(makers.values()):
            return []
        day = sa.func.date(batches.c.accepted_at) if self._database.sqlite else _pg_day()
        query = (
            sa.select(day.label("day"))
            .join(calls, calls.c.batch_id == batches.c.id)
            .join(stage_results, stage_results.c.call_id == calls.c.id)
            .where(_made_by(makers), calls.c.status == CallStatus.COMPLETED)
            .distinct()
            .order_by(sa.desc("day"))
            .limit(most)
        )
        found = self._database.read(lambda connection: connection.scalars(query).all())
        return [date.fromisoformat(str(value)) for value in found]

    def completed_on(
        self, first: date, last: date, *stages: Stage, versions_of: Collection[Stage] = (), page: int = 500
    ) -> Iterator[list[WorkCall]]:
        """Pages of the completed calls of batches accepted from `first` to `last` (UTC, both included).

        Each with its results of `stages`, and of `versions_of` without their documents.
        """
        begin = datetime.combine(first, time(), UTC)
        end = datetime.combine(last, time(), UTC) + timedelta(days=1)
        after, tenants_known = "", dict[str, Tenant]()
        wanted = _results_of(stages, versions_of)
        while True:
            query = _completed_after(after, begin, end).limit(page)
            rows, results = self._database.read(lambda connection: _with_results(connection, query, wanted))  # noqa: B023
            if not rows:
                return
            yield [_completed(row, results[row.id], tenants_known) for row in rows]
            after = rows[-1].id

    def replace(
        self,
        rows: Sequence[tuple[WorkCall, dict[str, Any]]],
        warned: Sequence[tuple[WorkCall, Collection[str], Collection[str]]] = (),
    ) -> int:
        """Put these results, each only if its call is still completed by the same attempt; returns how many were.

        `warned` are calls with the warnings that they get and those that are taken from them, under the same condition.
        """
        ids = sorted({call.id for call, _ in rows} | {call.id for call, _, _ in warned})
        # The share lock lets nobody open another attempt of these calls before their results are in. SQLite has one
        # writer at a time and no such lock; SQLAlchemy leaves it out there.
        same = (
            sa.select(calls.c.id, calls.c.attempt)
            .where(calls.c.id.in_(ids), calls.c.status == CallStatus.COMPLETED)
            .order_by(calls.c.id)
            .with_for_update(read=True)
        )

        def change(connection: sa.Connection) -> int:
            completed_by = {row.id: row.attempt for row in connection.execute(same)}
            still = [row for call, row in rows if completed_by.get(call.id) == call.n]
            put_results(connection, still)
            for call, told, withdrawn in warned:
                if completed_by.get(call.id) == call.n:
                    add_warnings(connection, call.id, told, withdrawn)
            return len(still)

        return self._database.write(change) if ids else 0


def _made_by(makers: Mapping[Stage, Collection[str]]) -> sa.ColumnElement[bool]:
    made = (
        sa.and_(stage_results.c.stage == stage, stage_results.c.made_by.in_(list(names)))
        for stage, names in makers.items()
        if names
    )
    return sa.or_(sa.false(), *made)


def _completed_after(after: str, begin: datetime, end: datetime) -> sa.Select[Any]:
    return (
        sa.select(calls, batch_calls.c.position, tenants.c.country, tenants.c.firm, tenants.c.settings)
        .join(batches, batches.c.id == calls.c.batch_id)
        .join(batch_calls, (batch_calls.c.call_id == calls.c.id) & (batch_calls.c.batch_id == calls.c.batch_id))
        .join(tenants, tenants.c.id == calls.c.tenant_id)
        .where(batches.c.accepted_at >= begin, batches.c.accepted_at < end, calls.c.id > after)
        .where(calls.c.status == CallStatus.COMPLETED)
        .order_by(calls.c.id)
    )


def _results_of(stages: Collection[Stage], versions_of: Collection[Stage]) -> sa.Select[Any]:
    document = sa.case((stage_results.c.stage.in_(stages), stage_results.c.document), else_=sa.null())
    columns = (stage_results.c.call_id, stage_results.c.stage, stage_results.c.version, stage_results.c.seconds)
    named = stage_results.c.stage.in_([*stages, *versions_of])
    return sa.select(*columns, sa.type_coerce(document, sa.JSON).label("document")).where(named)


def _with_results(
    connection: sa.Connection, query: sa.Select[Any], results: sa.Select[Any]
) -> tuple[Sequence[sa.Row[Any]], dict[str, dict[Stage, StageResult]]]:
    rows = connection.execute(query).all()
    found: dict[str, dict[Stage, StageResult]] = {row.id: {} for row in rows}
    for group in in_groups(found):
        for result in connection.execute(results.where(stage_results.c.call_id.in_(group))):
            stored = StageResult(result.version, result.document or {}, result.seconds)
            found[result.call_id][Stage(result.stage)] = stored
    return rows, found


def _pg_day() -> sa.ColumnElement[Any]:
    return sa.func.date(sa.func.timezone("UTC", batches.c.accepted_at))


def _completed(row: sa.Row[Any], results: dict[Stage, StageResult], tenants_known: dict[str, Tenant]) -> WorkCall:
    if row.tenant_id not in tenants_known:
        settings = TenantSettings.model_validate(row.settings)
        tenants_known[row.tenant_id] = Tenant(row.tenant_id, row.country, row.firm, settings)
    return WorkCall(
        id=row.id,
        n=row.attempt,
        open=False,
        status=row.status,
        batch_id=row.batch_id,
        position=row.position,
        tenant=tenants_known[row.tenant_id],
        details=CallDetails.model_validate(row.details) if row.details else None,
        warnings=tuple(row.warnings),
        results=results,
    )
