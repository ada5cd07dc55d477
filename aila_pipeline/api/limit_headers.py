"""Limits in headers: where a tenant stands after a submission, so that a client can slow down before it is refused.

Lives here: the `RateLimit-*` headers of the IETF's httpapi drafts. Does not: counting (adapters/ledger/limits.py), or
`Retry-After`, which every refusal that passes has (envelopes.py).

    RateLimit-Policy: 100;w=3600;name="batches", 10000;w=3600;name="calls", 10;name="concurrent"
    RateLimit-Limit: 100        the tightest of them; the one that was reached, where one was
    RateLimit-Remaining: 97
    RateLimit-Reset: 3540       seconds until the first of it is free again
"""

from __future__ import annotations

from collections.abc import Mapping

from aila_pipeline.adapters.ledger.limits import WINDOW, Standing
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.errors import LimitReached


def standing_headers(standing: Standing) -> dict[str, str]:
    """Headers of the answer to a submission that was counted."""
    tightest = standing.tightest
    policy = _policy(standing.batches.most, standing.calls.most, standing.concurrent.most)
    return _headers(policy, tightest.most, tightest.left, tightest.reset_seconds)


def refusal_headers(error: LimitReached, settings: TenantSettings) -> Mapping[str, str]:
    """Headers of the answer to a submission that a limit refused."""
    policy = _policy(settings.batches_per_hour, settings.calls_per_hour, settings.concurrent_batches)
    return _headers(policy, error.most, error.left, error.retry_after_seconds)


def _headers(policy: str, most: int, left: int, reset_seconds: int) -> dict[str, str]:
    return {
        "RateLimit-Policy": policy,
        "RateLimit-Limit": str(most),
        "RateLimit-Remaining": str(left),
        "RateLimit-Reset": str(reset_seconds),
    }


def _policy(batches: int, calls: int, concurrent: int) -> str:
    window = int(WINDOW.total_seconds())
    return f'{batches};w={window};name="batches", {calls};w={window};name="calls", {concurrent};name="concurrent"'
