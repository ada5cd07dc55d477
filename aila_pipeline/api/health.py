"""Health: whether the process lives, and whether what it depends on answers.

Lives here: `/healthz` and `/readyz`. Does not: figures (metrics.py).
"""

from __future__ import annotations

from fastapi import APIRouter, Response

from aila_pipeline.api.envelopes import answer

router = APIRouter(tags=["operations"])


@router.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return answer(200, {"status": "ok"})
