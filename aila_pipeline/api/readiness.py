"""Readiness: whether the ledger, the store and Dagster answer, each asked at the same time and for a short while.

Lives here: asking, and what an operator is told. Does not: the address that shows it (health.py).

A part that hangs holds one thread and no more: it is not asked again before it has answered. Reasons are the house's
own words; an exception's message may name hosts, paths or users.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from aila_pipeline.adapters.call_objects import OWN
from aila_pipeline.adapters.dagster_client import DagsterClient
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.errors import AilaError, DagsterUnavailable
from aila_pipeline.settings import Settings

PATIENCE_SECONDS = 3.0
HEARTBEAT_SECONDS = 120.0
"""One is due every 30 s; a machine under load may be late."""

OK, FAILED, UNREACHABLE = "ok", "failed", "unreachable"


@dataclass(frozen=True)
class State:
    """How one part is, and why it is not well."""

    state: str = OK
    reason: str | None = None


class Readiness:
    """The parts that the API depends on."""

    def __init__(
        self,
        ledger: Ledger,
        store: ObjectStore,
        dagster: DagsterClient,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._patience_seconds = patience_seconds
        self._ledger, self._store, self._dagster = ledger, store, dagster
        self._asked: dict[str, Future[State]] = {}
        self._threads = ThreadPoolExecutor(3, "readiness")
        self._parts: dict[str, Callable[[], State]] = {
            "ledger": self._ask_ledger,
            "store": self._ask_store,
            "dagster": self._ask_dagster,
        }

    async def look(self) -> dict[str, State]:
        """How each part is now; one that takes too long has failed."""
        deadline = time.monotonic() + self._patience_seconds
        for name, ask in self._parts.items():
            if name not in self._asked or self._asked[name].done():
                self._asked[name] = self._threads.submit(ask)
        return {name: await self._answer(self._asked[name], deadline) for name in self._parts}

    async def _answer(self, asked: Future[State], deadline: float) -> State:
        answer = asyncio.wrap_future(asked)
        await asyncio.wait([answer], timeout=max(0.0, deadline - time.monotonic()))
        if not answer.done():
            answer.cancel()  # only this waiting; what has begun goes on
            return State(UNREACHABLE, f"no answer within {self._patience_seconds:g} s")
        error = answer.exception()
        # Told by its type: this page is there for what nobody thought of.
        return answer.result() if error is None else State(FAILED, type(error).__name__)

    def close(self) -> None:
        """Ask no more; what hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask_ledger(self) -> State:
        return _tried(self._ledger.figures.answers)

    def _ask_store(self) -> State:
        return _tried(lambda: self._store.exists(f"{OWN}readiness"))

    def _ask_dagster(self) -> State:
        try:
            health = self._dagster.health()
        except DagsterUnavailable as error:
            return State(UNREACHABLE, error.what)
        if not health.location_loaded:
            return State(FAILED, "the code location is not loaded")
        silent = health.silent_daemons(time.time() - HEARTBEAT_SECONDS)
        return State(FAILED, f"not heard of: {', '.join(silent)}") if silent else State()


@contextmanager
def readiness(settings: Settings, ledger: Ledger, store: ObjectStore) -> Iterator[Readiness]:
    """The parts of these settings."""
    dagster = DagsterClient(settings.dagster_url, timeout_seconds=PATIENCE_SECONDS * 0.8)
    made = Readiness(ledger, store, dagster)
    try:
        yield made
    finally:
        made.close()


def _tried(ask: Callable[[], object]) -> State:
    try:
        ask()
    except AilaError as error:
        return State(FAILED, error.what)
    return State()
