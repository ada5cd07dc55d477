"""Table of model requests: what was asked of a language model, with tokens and cost.

A row is written before the request is sent, with the most that it can cost, and settled afterwards: what a batch has
spent and what is under way are one sum, so that a budget holds however many ask at once.

Lives here: columns and constraints. Does not: queries, asking.
"""

from __future__ import annotations

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.schema import key, metadata, time

model_requests = sa.Table(
    "model_requests",
    metadata,
    key("id", primary_key=True),
    key("tenant_id", "tenants.id"),
    key("batch_id", "batches.id"),
    key("call_id", "calls.id"),
    sa.Column("model", sa.String(200), nullable=False),
    # `reserved` until an answer or a failure is known; then `answered`, `failed` or, when its worker died, `lost`.
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("prompt_tokens", sa.Integer),
    sa.Column("completion_tokens", sa.Integer),
    # Millionths of the currency that the prices are in. While `reserved`: the most it can become.
    sa.Column("cost_micros", sa.BigInteger, nullable=False),
    time("created_at", nullable=False),
    time("ended_at"),
    sa.Index(None, "batch_id"),
    sa.Index(None, "call_id"),
)
