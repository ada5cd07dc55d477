"""Records: what the ledger hands out. Frozen, typed, free of SQL.

Lives here: the shapes. Does not: how they are read (batches.py, shards.py, views.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aila_pipeline.domain.models import CallDetails, Priority, TenantSettings
from aila_pipeline.domain.status import Stage


@dataclass(frozen=True)
class Tenant:
    """A firm in a country."""

    id: str
    country: str
    firm: str
    settings: TenantSettings


@dataclass(frozen=True)
class Batch:
    """One submission, as far as its `submission` run and its shards need it.

    `sources` are the pinned objects it came as (key, size_bytes, etag, modified, version_id); a list of calls that
    came through the API has none. `door` is `drop-zone` or `api`.
    """

    id: str
    tenant: Tenant
    kind: str
    name: str
    priority: Priority
    state: str
    sources: tuple[dict[str, Any], ...]
    problem: dict[str, Any] | None
    duplicate_of: str | None
    received_at: datetime
    door: str = "drop-zone"


@dataclass(frozen=True)
class Accepted:
    """What became of a batch when it was accepted.

    `state` is `accepted`, or `duplicate` when its content was submitted before; `shards` are the new ones.
    """

    batch_id: str
    state: str
    shards: tuple[str, ...]
    calls: int
    failed: int


@dataclass(frozen=True)
class StageResult:
    """What a stage found about a call, and the version that found it."""

    version: str
    document: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class WorkCall:
    """One call of a shard. `open`: its attempt `n` is still to be ended; so many workers have died with it in hand."""

    id: str
    n: int
    open: bool
    status: str
    batch_id: str
    position: int
    tenant: Tenant
    details: CallDetails | None
    warnings: tuple[str, ...]
    results: dict[Stage, StageResult] = field(default_factory=dict)
    error_code: str | None = None
    crashes: int = 0


@dataclass(frozen=True)
class WaitingEvent:
    """An event that Dagster has not been told yet."""

    kind: str
    subject_id: str
    n: int
    payload: dict[str, Any]


@dataclass(frozen=True)
class NotedEvent:
    """An event of the ledger, and whether Dagster was told."""

    kind: str
    subject_id: str
    n: int
    created_at: datetime
    emitted: bool


@dataclass(frozen=True)
class Launch:
    """A partition that should run now; `n` counts its launches, so that each has a run key of its own."""

    key: str
    n: int
    priority: Priority
    tenant: str

    @property
    def run_key(self) -> str:
        """Dagster starts at most one run per run key."""
        return f"{self.key}:{self.n}"


@dataclass(frozen=True)
class AdmittedShard:
    """A shard that should be running. `held_by` is the run with its lease, if any; `expired` whether that ran out."""

    id: str
    epoch: int
    launch: int
    admitted_at: datetime
    held_by: str | None
    expired: bool
