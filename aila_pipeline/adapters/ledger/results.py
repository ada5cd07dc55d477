"""Stage results: what a stage found about a call, the newest of each; and which of them are stale.

Lives here: writing a result, finding completed calls by day, counting by maker. Does not: deciding what is current
(domain/versions.py), results of calls that are under way (work.py, under a lease).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from aila_pipeline.adapters.ledger.database import Database
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
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(stage_results).values(**row)
    connection.execute(statement.on_conflict_do_update(index_elements=["call_id", "stage"], set_=row))


class Results:
    """Results of completed calls, for what is done again without an attempt: re-scoring."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def makers(self) -> dict[Stage, dict[str, int]]:
        """How many results each maker made, by stage."""
        query = sa.select(stage_results.c.stage, stage_results.c.made_by, sa.func.count()).group_by(
            stage_results.c.stage, stage_results.c.made_by
        )
        counts: dict[Stage, dict[str, int]] = {}
        for stage, made_by, count in self._database.read(lambda connection: connection.execute(query).all()):
            counts.setdefault(Stage(stage), {})[made_by] = count
        return counts

    def stale_days(self, current: Mapping[Stage, Collection[str]], *, most: int) -> list[date]:
        """The newest days (of acceptance, UTC) with completed calls whose results were made by something else."""
        stale = sa.or_(
            *(
                sa.and_(stage_results.c.stage == stage, stage_results.c.made_by.not_in(makers))
                for stage, makers in current.items()
            )
        )
        day = sa.func.date(batches.c.accepted_at) if self._database.sqlite else _pg_day()
        query = (
            sa.select(day.label("day"))
            .join(calls, calls.c.batch_id == batches.c.id)
            .join(stage_results, stage_results.c.call_id == calls.c.id)
            .where(stale, calls.c.status == CallStatus.COMPLETED)
            .distinct()
            .order_by(sa.desc("day"))
            .limit(most)
        )
        found = self._database.read(lambda connection: connection.scalars(query).all())
        return [date.fromisoformat(str(value)) for value in found]

    def completed_on(self, first: date, last: date, *stages: Stage, page: int = 500) -> Iterator[list[WorkCall]]:
        """Pages of the completed calls of batches accepted from `first` to `last` (UTC, both included)."""
        begin = datetime.combine(first, time(), UTC)
        end = datetime.combine(last, time(), UTC) + timedelta(days=1)
        after = ""
        while found := self._database.read(lambda c: self._page(c, (begin, end), after, stages, page)):  # noqa: B023
            yield found
            after = found[-1].id

    def _page(
        self, connection: sa.Connection, span: tuple[datetime, datetime], after: str, stages: Sequence[Stage], size: int
    ) -> list[WorkCall]:
        query = (
            sa.select(calls, batch_calls.c.position, tenants.c.country, tenants.c.firm, tenants.c.settings)
            .join(batches, batches.c.id == calls.c.batch_id)
            .join(batch_calls, (batch_calls.c.call_id == calls.c.id) & (batch_calls.c.batch_id == calls.c.batch_id))
            .join(tenants, tenants.c.id == calls.c.tenant_id)
            .where(batches.c.accepted_at >= span[0], batches.c.accepted_at < span[1], calls.c.id > after)
            .where(calls.c.status == CallStatus.COMPLETED)
            .order_by(calls.c.id)
            .limit(size)
        )
        rows = connection.execute(query).all()
        found: dict[str, dict[Stage, StageResult]] = {row.id: {} for row in rows}
        results = sa.select(stage_results).where(stage_results.c.call_id.in_(found), stage_results.c.stage.in_(stages))
        for result in connection.execute(results):
            found[result.call_id][Stage(result.stage)] = StageResult(result.version, result.document, result.seconds)
        return [_completed(row, found[row.id]) for row in rows]

    def replace(self, rows: Sequence[tuple[WorkCall, dict[str, Any]]]) -> int:
        """Put these results, each only if its call is still completed by the same attempt; returns how many were."""

        def change(connection: sa.Connection) -> int:
            put = 0
            for call, row in rows:
                same = sa.select(calls.c.id).where(
                    calls.c.id == call.id, calls.c.attempt == call.n, calls.c.status == CallStatus.COMPLETED
                )
                if connection.scalar(same) is not None:
                    put_result(connection, row)
                    put += 1
            return put

        return self._database.write(change)


def _pg_day() -> sa.ColumnElement[Any]:
    return sa.func.date(sa.func.timezone("UTC", batches.c.accepted_at))


def _completed(row: sa.Row[Any], results: dict[Stage, StageResult]) -> WorkCall:
    return WorkCall(
        id=row.id,
        n=row.attempt,
        open=False,
        status=row.status,
        batch_id=row.batch_id,
        position=row.position,
        tenant=Tenant(row.tenant_id, row.country, row.firm, TenantSettings.model_validate(row.settings)),
        details=CallDetails.model_validate(row.details) if row.details else None,
        warnings=tuple(row.warnings),
        results=results,
    )
