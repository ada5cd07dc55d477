"""Health: whether the process lives, whether what it depends on answers, and how much there is to do.

Lives here: `/healthz`, `/readyz` and `/metrics`, which need no key and tell of no tenant. Does not: asking
(readiness.py), figures (metrics.py).
"""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from aila_pipeline.api.access import Held
from aila_pipeline.api.envelopes import answer
from aila_pipeline.api.lanes import Lane
from aila_pipeline.api.readiness import OK

router = APIRouter(tags=["operations"])

_LANE = Lane("metrics", 1)  # counting a million calls takes a thread for a while, and never two

_NEEDED = ("ledger", "store")
"""Without Dagster submissions are accepted all the same: its sensors launch them later."""


@router.get("/healthz")
async def healthz() -> Response:
    """The process answers."""
    return answer(200, {"status": "ok"})


@router.get("/readyz")
async def readyz(held: Held) -> Response:
    """Whether requests can be carried out: 200 when ledger and store answer, else 503."""
    parts = await held.readiness.look()
    ready = all(parts[name].state == OK for name in _NEEDED)
    whole = OK if all(part.state == OK for part in parts.values()) else "degraded" if ready else "failed"
    states = {name: part.state for name, part in parts.items()}
    reasons = {name: part.reason for name, part in parts.items() if part.reason}
    return answer(200 if ready else 503, {"status": whole, **states, "reasons": reasons})


@router.get("/metrics", response_class=Response)
async def metrics(held: Held) -> Response:
    """Figures for Prometheus, in its text format."""
    return Response(await _LANE.run(held.metrics.page), media_type=CONTENT_TYPE_LATEST)
