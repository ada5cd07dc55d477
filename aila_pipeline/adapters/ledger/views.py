"""Views: what the ledger shows to people. Reading only.

Lives here: the room through which batches, calls and stories are read, as `aila status`, `aila trace` and the report
show them. Does not: how they are shown (batch_views.py, call_views.py, stories.py), pages for clients (batch_pages.py,
call_pages.py), or holding the ledger against Dagster and the store (audit.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.batch_views import BATCHES, BatchView, batch_views
from aila_pipeline.adapters.ledger.call_views import CALLS, CallView, call_view
from aila_pipeline.adapters.ledger.database import Database, in_groups
from aila_pipeline.adapters.ledger.records import StageResult
from aila_pipeline.adapters.ledger.stories import Step, story
from aila_pipeline.adapters.ledger.tables import batch_calls, batches, calls, stage_results, tenants
from aila_pipeline.domain.status import Stage

__all__ = ["BatchView", "CallView", "Step", "Views"]


class Views:
    """Reading."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recent(self, limit: int = 20) -> list[BatchView]:
        """The newest batches; those that turned out to be another batch's content are not batches of their own."""
        query = BATCHES.where(batches.c.state.not_in(("duplicate", "withdrawn")))
        query = query.order_by(batches.c.received_at.desc(), batches.c.id.desc()).limit(limit)
        return self._database.read(lambda connection: batch_views(connection, connection.execute(query).all()))

    def batch(self, batch_id: str) -> BatchView | None:
        """One batch; the id of a duplicate gives the batch it duplicates."""

        def question(connection: sa.Connection) -> BatchView | None:
            row = connection.execute(BATCHES.where(batches.c.id == batch_id)).one_or_none()
            if row is not None and row.duplicate_of:
                row = connection.execute(BATCHES.where(batches.c.id == row.duplicate_of)).one()
            return batch_views(connection, [row])[0] if row is not None else None

        return self._database.read(question)

    def named(self, country: str, firm: str, name: str) -> list[str]:
        """Ids of the tenant's submissions of this name, the newest first; those that were duplicates too."""
        query = (
            sa.select(batches.c.id)
            .join(tenants, tenants.c.id == batches.c.tenant_id)
            .where(tenants.c.country == country, tenants.c.firm == firm, batches.c.name == name)
            .where(batches.c.state != "withdrawn")
            .order_by(batches.c.received_at.desc(), batches.c.id.desc())
        )
        return self._database.read(lambda connection: list(connection.scalars(query)))

    def audio_seconds(self, batch_ids: Sequence[str]) -> dict[str, float]:
        """How much audio each batch has, as far as it has been looked at; batches without any are left out."""
        length = stage_results.c.document["seconds"].as_float()
        query = (
            sa.select(batch_calls.c.batch_id, sa.func.sum(length))
            .join(stage_results, stage_results.c.call_id == batch_calls.c.call_id)
            .where(batch_calls.c.batch_id.in_(batch_ids), stage_results.c.stage == Stage.CALL_AUDIO)
            .group_by(batch_calls.c.batch_id)
        )
        return self._database.read(lambda c: {batch_id: float(total or 0) for batch_id, total in c.execute(query)})

    def call(self, call_id: str) -> CallView | None:
        """One call, at the place that the batch which brought it first gave it; None when there is no such call."""
        query = CALLS.where(calls.c.id == call_id).order_by(batch_calls.c.batch_id).limit(1)

        def question(connection: sa.Connection) -> CallView | None:
            row = connection.execute(query).one_or_none()
            return call_view(row) if row is not None else None

        return self._database.read(question)

    def calls_of(self, batch_id: str) -> list[CallView]:
        """The batch's calls in the order of its rows or items."""
        query = CALLS.where(batch_calls.c.batch_id == batch_id).order_by(batch_calls.c.position)
        return self._database.read(lambda connection: [call_view(row) for row in connection.execute(query)])

    def results(self, call_ids: list[str], *stages: Stage) -> dict[str, dict[Stage, StageResult]]:
        """What the stages found about these calls."""

        def question(connection: sa.Connection) -> dict[str, dict[Stage, StageResult]]:
            found: dict[str, dict[Stage, StageResult]] = {call_id: {} for call_id in call_ids}
            for group in in_groups(call_ids):
                query = sa.select(stage_results).where(
                    stage_results.c.call_id.in_(group), stage_results.c.stage.in_(stages)
                )
                for row in connection.execute(query):
                    found[row.call_id][Stage(row.stage)] = StageResult(row.version, row.document, row.seconds)
            return found

        return self._database.read(question)

    def tenant_of(self, call_id: str) -> str | None:
        """The id of the tenant that owns the call, or None when there is no such call."""
        return self._database.read(lambda c: c.scalar(sa.select(calls.c.tenant_id).where(calls.c.id == call_id)))

    def story(self, call_id: str) -> list[Step]:
        """All that the ledger knows about a call, in time order; empty when there is no such call."""
        return self._database.read(lambda connection: story(connection, call_id))
