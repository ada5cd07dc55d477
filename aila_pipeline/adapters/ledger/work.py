"""Work: what a run does to the calls of its shard, under its lease.

Lives here: reading a shard's calls, saving stage results, failing and completing attempts, ending the shard. Does
not: deciding what a stage does (defs/assets), the lease's own life (leases.py).

Small results are gathered and written together (at most a second later), because a commit costs more than a score.
What a crash loses of them is done again; what was expensive (audio, recognition) lies in the object store by content.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from aila_pipeline.adapters.ledger.attempts import (
    batches_linking,
    close_batches,
    end_attempt,
    start_attempts,
)
from aila_pipeline.adapters.ledger.database import Database
from aila_pipeline.adapters.ledger.leases import Lease, Leases
from aila_pipeline.adapters.ledger.records import WorkCall
from aila_pipeline.adapters.ledger.results import add_warnings, put_result, result_row
from aila_pipeline.adapters.ledger.schema import UtcDateTime
from aila_pipeline.adapters.ledger.shard_calls import CALLS_OF_SHARD, calls_of_shard
from aila_pipeline.adapters.ledger.tables import attempts, calls, shards
from aila_pipeline.domain.status import STATUS_IN_STAGE, CallStatus, Stage
from aila_pipeline.domain.versions import Version
from aila_pipeline.errors import AilaError, CallError, LeaseLost, LedgerUnavailable

_FLUSH_SECONDS = 1.0
_FLUSH_RESULTS = 50


T = TypeVar("T")


class Work:
    """One shard, held by one run. All writes are fenced by the lease. One thread may take calls, another save them."""

    def __init__(self, database: Database, lease: Lease, run_id: str) -> None:
        self._database = database
        self._lease = lease
        self._run_id = run_id
        self._gathered: list[dict[str, Any]] = []
        self._flushed_at = time.monotonic()
        self._writing = threading.RLock()
        self.progressed_at = time.monotonic()

    @property
    def shard_id(self) -> str:
        """The shard's key."""
        return self._lease.shard_id

    @property
    def epoch(self) -> int:
        """The lease's epoch, for logs."""
        return self._lease.epoch

    @property
    def run_id(self) -> str:
        """The run that holds the shard."""
        return self._run_id

    def progress(self) -> None:
        """Say that work goes on; a worker that stops saying so loses its lease."""
        self.progressed_at = time.monotonic()

    def calls(self, *stages: Stage) -> list[WorkCall]:
        """The shard's calls with their results of the named stages, in the batch's order.

        Calls whose newest attempt is in another shard are that shard's, and left out.
        """
        self.flush()
        return self._database.read(lambda connection: calls_of_shard(connection, self.shard_id, stages))

    def enter(self, stage: Stage) -> None:
        """Show all open calls of the shard as being in this stage."""
        now = datetime.now(UTC)

        def change(connection: sa.Connection) -> None:
            # No call is in hand between two stages; who dies there must not blame the last one of the stage before.
            self._lease.hold(connection, in_hand=None)
            mine = sa.select(attempts.c.call_id).where(
                attempts.c.shard_id == self.shard_id, attempts.c.outcome.is_(None)
            )
            connection.execute(
                sa.update(calls).where(calls.c.id.in_(mine)).values(stage=stage, status=STATUS_IN_STAGE[stage])
            )
            started = sa.func.coalesce(attempts.c.started_at, sa.literal(now, UtcDateTime))
            connection.execute(
                sa.update(attempts)
                .where(attempts.c.shard_id == self.shard_id, attempts.c.outcome.is_(None))
                .values(stage=stage, run_id=self._run_id, started_at=started)
            )

        self._database.write(change)

    def take(self, call: WorkCall) -> int:
        """Note that this call is in hand now; returns how many workers died with it in hand before."""

        def change(connection: sa.Connection) -> int:
            self._write_gathered(connection)
            self._lease.hold(connection, in_hand=call.id)
            crashes = connection.scalar(
                sa.select(attempts.c.crashes).where(attempts.c.call_id == call.id, attempts.c.n == call.n)
            )
            return int(crashes or 0)

        return self._fenced(change)

    def save(
        self,
        call: WorkCall,
        version: Version,
        document: dict[str, Any],
        *,
        seconds: float,
        warnings: Iterable[str] = (),
        withdrawn: Iterable[str] = (),
    ) -> None:
        """Keep what a stage found; `seconds` is the time that was spent on it.

        `warnings` are added to the call's, `withdrawn` are taken from them: what an earlier run warned of is no more.
        """
        self.progress()
        row = result_row(call.id, version, document, seconds=seconds, run_id=self._run_id)
        with self._writing:
            self._gathered.append(row | {"warnings": list(warnings), "withdrawn": list(withdrawn)})
        if len(self._gathered) >= _FLUSH_RESULTS or time.monotonic() - self._flushed_at > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        if self._gathered:
            self._fenced(self._write_gathered)

    def write(self, change: Callable[[sa.Connection], T]) -> T:
        """Run `change` in one transaction, as Database.write does, that commits only while the shard is held."""

        def fenced(connection: sa.Connection) -> T:
            self._write_gathered(connection)
            return change(connection)

        return self._fenced(fenced)

    def fail(self, call: WorkCall, stage: Stage, error: CallError) -> None:
        """End the call's attempt as failed; the shard goes on."""
        self.progress()
        now = datetime.now(UTC)

        def change(connection: sa.Connection) -> None:
            in_hand = sa.case((shards.c.in_hand == call.id, None), else_=shards.c.in_hand)
            self._lease.hold(connection, in_hand=in_hand, fruitless=0)
            self._write_gathered(connection)
            told = (error.code, error.message, error.retryable)
            end_attempt(connection, call.id, call.n, now=now, stage=stage, error=told)

        self._fenced(change)

    def reopen(self, *, force: bool) -> int:
        """On an ended shard: a new attempt for what failed for a passing reason; with `force` for all that failed."""
        now = datetime.now(UTC)

        def change(connection: sa.Connection) -> int:
            self._lease.hold(connection)
            failed = [
                row.id
                for row in connection.execute(CALLS_OF_SHARD, {"shard": self.shard_id})
                if row.outcome == CallStatus.FAILED and row.details and (row.retryable or force)
            ]
            if failed:
                batch_id = connection.scalar(sa.select(shards.c.batch_id).where(shards.c.id == self.shard_id))
                start_attempts(connection, str(batch_id), self.shard_id, failed, now=now)
                self._lease.hold(connection, state="admitted", ended_at=None, admitted_at=now)
            return len(failed)

        return self._fenced(change)

    def end(self, completed: Sequence[tuple[WorkCall, dict[str, Any]]]) -> list[str]:
        """Complete these attempts (each with what its event tells), end the shard, close batches: one transaction.

        The shard ends only when none of its attempts is open. Returns the batches that closed.
        """
        now = datetime.now(UTC)

        def change(connection: sa.Connection) -> list[str]:
            self._lease.hold(connection, in_hand=None, fruitless=0)
            self._write_gathered(connection)
            for call, payload in completed:
                end_attempt(connection, call.id, call.n, now=now, stage=Stage.OUTCOMES, payload=payload)
            mine = attempts.c.shard_id == self.shard_id
            if connection.scalar(sa.select(attempts.c.n).where(mine, attempts.c.outcome.is_(None)).limit(1)):
                return []
            self._lease.hold(connection, state="ended", ended_at=now, last_error=None)
            ids = connection.scalars(sa.select(attempts.c.call_id).where(mine)).all()
            return close_batches(connection, batches_linking(connection, ids), now=now)

        return self._fenced(change)

    def _fenced(self, change: Callable[[sa.Connection], T]) -> T:
        with self._writing:
            result = self._database.write(change)
            self._gathered.clear()
        self._flushed_at = time.monotonic()
        self.progress()
        return result

    def _write_gathered(self, connection: sa.Connection) -> None:
        """Write the results. A call whose result is kept is not in hand any more: who dies now did not die of it."""
        kept = [row["call_id"] for row in self._gathered]
        in_hand = sa.case((shards.c.in_hand.in_(kept), None), else_=shards.c.in_hand)
        # A launch that kept a result was not fruitless: the next one need not wait.
        self._lease.hold(connection, in_hand=in_hand, **({"fruitless": 0} if kept else {}))
        for row in self._gathered:
            put_result(connection, {key: value for key, value in row.items() if key not in {"warnings", "withdrawn"}})
            if row["warnings"] or row["withdrawn"]:
                add_warnings(connection, row["call_id"], row["warnings"], row["withdrawn"])


@contextmanager
def claimed(
    database: Database, shard_id: str, *, token: str, run_id: str, lease_seconds: float, stall_seconds: float
) -> Iterator[Work]:
    """Hold a shard's lease while the body runs, renewed by a thread as long as the body makes progress.

    An open shard stays held when the body ends well, for the run's next step; an ended one is given back, and so is
    one whose body failed. LeaseLost when another run holds the shard, or takes it over.
    """
    leases = Leases(database)
    lease = leases.claim(shard_id, token=token, run_id=run_id, seconds=lease_seconds, now=datetime.now(UTC))
    work = Work(database, lease, run_id)
    done = threading.Event()

    def renew() -> None:
        while not done.wait(lease_seconds / 3):
            if time.monotonic() - work.progressed_at > stall_seconds:
                continue  # should it wake up while the shard is still its own, it is renewed again
            try:
                leases.renew(lease, seconds=lease_seconds, now=datetime.now(UTC))
            except LeaseLost:
                return
            except LedgerUnavailable:
                continue  # the lease outlives two missed renewals; the body will meet the same database

    thread = threading.Thread(target=renew, name=f"lease {shard_id}", daemon=True)
    thread.start()
    try:
        yield work
        work.flush()
    except LeaseLost:
        raise
    except BaseException as error:
        # What strangers' exceptions say may quote a call; their type does not.
        leases.release(lease, error=str(error) if isinstance(error, AilaError) else type(error).__name__)
        raise
    finally:
        done.set()
        thread.join(timeout=lease_seconds)
    if database.read(lambda c: c.scalar(sa.select(shards.c.state).where(shards.c.id == shard_id))) == "ended":
        leases.release(lease)
