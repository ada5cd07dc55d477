"""Model requests: what was asked of a language model, so that a batch's budget holds and its cost can be told.

Lives here: reserving what a request can cost at most before it is sent, settling it afterwards, sums. Does not: prices
(domain/summary/costs.py), asking (adapters/summarising.py).

The budget is exact however many ask at once: a reservation sums up what the batch has spent and reserved while it
holds the batch's row. A worker that died left a reservation behind; its request may have been answered and billed, so
it counts for ever as what it could cost at most. After a while it is called `lost`, so that one can see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.model_tables import model_requests
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.ledger.tables import batches
from aila_pipeline.domain.ids import ulid

LOST_AFTER = timedelta(hours=1)
"""No request takes so long: an answer has AILA_LLM_TIMEOUT_SECONDS."""

_MICROS = Decimal(10**6)


@dataclass(frozen=True)
class Usage:
    """What was asked and what it cost; an unanswered request that may have been billed counts with its cost."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int = 0
    """Millionths of the currency that the prices are in."""

    def __add__(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost_micros + other.cost_micros,
        )

    @property
    def cost(self) -> float:
        """In the currency itself, to the millionth."""
        return float(self.cost_micros / _MICROS)

    def document(self) -> dict[str, Any]:
        """As clients and people are shown it."""
        return {
            "requests": self.requests,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": self.cost,
        }


class ModelRequests:
    """The requests of all calls. Threads may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(
        self, call: WorkCall, model: str, *, most_micros: int, budget_micros: int | None, now: datetime
    ) -> str | None:
        """Note a request before it is sent; its id, or None if the batch's budget does not reach for it."""
        row = {
            "id": f"request_{ulid(now)}",
            "tenant_id": call.tenant.id,
            "batch_id": call.batch_id,
            "call_id": call.id,
            "model": model[:200],
            "state": "reserved",
            "cost_micros": most_micros,
            "created_at": now,
        }

        def change(connection: sa.Connection) -> str | None:
            if budget_micros is not None:
                # Whoever reserves for the same batch waits here; FOR NO KEY UPDATE, so that new calls do not.
                connection.execute(
                    sa.select(batches.c.id).where(batches.c.id == call.batch_id).with_for_update(key_share=True)
                )
                taken = connection.scalar(_sum(model_requests.c.batch_id == call.batch_id)) or 0
                if taken + most_micros > budget_micros:
                    return None
            connection.execute(sa.insert(model_requests).values(**row))
            return str(row["id"])

        return self._database.write(change)

    def answered(
        self,
        request_id: str,
        *,
        prompt_tokens: int | None,
        completion_tokens: int | None,
        cost_micros: int,
        now: datetime,
    ) -> None:
        """Settle a request that was answered."""
        told = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        self._settle(request_id, {"state": "answered", "cost_micros": cost_micros, "ended_at": now, **told})

    def failed(self, request_id: str, *, billed: bool, now: datetime) -> None:
        """Settle one that was not; if it may be `billed` all the same, it keeps the most that it can cost."""
        self._settle(request_id, {"state": "failed", "ended_at": now} | ({} if billed else {"cost_micros": 0}))

    def mark_lost(self, now: datetime) -> int:
        """Call reservations `lost` that no living worker can have; returns how many. Their cost stays."""
        old = (model_requests.c.state == "reserved") & (model_requests.c.created_at < now - LOST_AFTER)
        lost = sa.update(model_requests).where(old).values(state="lost", ended_at=now)
        return self._database.write(lambda connection: connection.execute(lost).rowcount)

    def of_call(self, call_id: str) -> Usage:
        """What asking about the call has cost, over all its attempts."""
        return self._database.read(lambda connection: usage_of_call(connection, call_id))

    def of_batch(self, batch_id: str) -> Usage:
        """What the batch's calls have cost so far, with what is reserved."""
        query = sa.select(*_FIGURES).where(model_requests.c.batch_id == batch_id)
        return _usage(self._database.read(lambda connection: connection.execute(query).one()))

    def _settle(self, request_id: str, values: dict[str, Any]) -> None:
        open_ = (model_requests.c.id == request_id) & model_requests.c.state.in_(["reserved", "lost"])
        self._database.write(
            lambda connection: connection.execute(sa.update(model_requests).where(open_).values(**values))
        )


_FIGURES = (
    sa.func.count(),
    sa.func.coalesce(sa.func.sum(model_requests.c.prompt_tokens), 0),
    sa.func.coalesce(sa.func.sum(model_requests.c.completion_tokens), 0),
    sa.func.coalesce(sa.func.sum(model_requests.c.cost_micros), 0),
)


def usage_of_call(connection: sa.Connection, call_id: str) -> Usage:
    """What asking about the call has cost, over all its attempts."""
    query = sa.select(*_FIGURES).where(model_requests.c.call_id == call_id)
    return _usage(connection.execute(query).one())


def _sum(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(sa.func.sum(model_requests.c.cost_micros)).where(condition)


def _usage(figures: Sequence[Any]) -> Usage:
    # PostgreSQL sums BigInteger as Decimal.
    return Usage(*(int(figure) for figure in figures))
