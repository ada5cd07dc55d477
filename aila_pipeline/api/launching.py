"""Launching: what was just submitted starts within a second, instead of at the next tick of a sensor.

Lives here: one thread that asks Dagster for runs after the answer was given. Does not: deciding what may run (the
ledger), or making sure that it does: the sensors launch whatever was not launched here.

    submission(batch)   partition, then a `take_in` run; the sensor waits until the ledger says that it may
    shards()            the ledger admits; for each admitted shard a partition, then a `process` run

When Dagster does not answer, what was taken from the ledger is given back to it, and nothing is tried for a few
seconds. A launch whose answer came too late may have been made all the same: then two runs meet at the shard's lease,
or at the batch's acceptance, and one of them finds nothing to do.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

from aila_pipeline.adapters.dagster_names import BATCHES, PROCESS, SHARDS, TAKE_IN, shard_tags, submission_tags
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import Launch
from aila_pipeline.errors import AilaError

_log = logging.getLogger(__name__)

MOST_WAITING = 1_000
"""Submissions that wait to be launched; more are left to the sensor."""
QUIET_SECONDS = 5.0
"""After a failure nothing is tried for so long."""
_HELD = timedelta(seconds=30)
"""The sensor leaves a submission alone while it is launched here: two questions of at most 10 s each."""
_ADMITTED_SECONDS = 20.0
"""Later than this after their admission shards are not launched but given back: recovery would take them for lost."""
_CLOSE_SECONDS = 15.0


class Dagster(Protocol):
    """What is asked of Dagster; `DagsterClient` answers it. Raises DagsterUnavailable."""

    def add_partition(self, partitions_def: str, key: str) -> bool:
        """Make the key known."""

    def launch(self, job: str, partition_key: str | None = None, tags: Mapping[str, str] | None = None) -> str:
        """Queue a run."""


class Launcher:
    """A context manager; what it is asked for is done in the background, and never raises at the asker."""

    def __init__(self, ledger: Ledger, dagster: Dagster, *, most_in_flight: int) -> None:
        self._ledger, self._dagster, self._most_in_flight = ledger, dagster, most_in_flight
        self._asked = threading.Condition()
        self._submissions: deque[str] = deque()
        self._admission = self._closed = self._failing = False
        self._quiet_until = 0.0
        self._thread = threading.Thread(target=self._go, name="launcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._asked:
            self._closed = True
            self._asked.notify()
        self._thread.join(_CLOSE_SECONDS)

    def submission(self, batch_id: str) -> None:
        """Start the `take_in` run of a batch that was received through the API."""
        with self._asked:
            if len(self._submissions) < MOST_WAITING:
                self._submissions.append(batch_id)
            self._asked.notify()

    def shards(self) -> None:
        """Start `process` runs of as many waiting shards as may be in flight."""
        with self._asked:
            self._admission = True
            self._asked.notify()

    def _go(self) -> None:
        while True:
            with self._asked:
                self._asked.wait_for(lambda: self._closed or self._admission or self._submissions)
                if self._closed:
                    return
                batch_id = self._submissions.popleft() if self._submissions else None
                admission, self._admission = self._admission, False
            if time.monotonic() < self._quiet_until:
                continue
            try:
                if batch_id is not None:
                    self._launch_submission(batch_id)
                if admission:
                    self._launch_shards()
            except AilaError as error:
                self._failed(error.code)
            except Exception as error:  # noqa: BLE001 - this thread must outlive a case nobody thought of
                frames = traceback.extract_tb(error.__traceback__)
                _log.error("%s\n%s", type(error).__name__, "".join(traceback.format_list(frames)))
                self._failed(type(error).__name__)

    def _failed(self, code: str) -> None:
        """Stand back for a while; tell once until it works again."""
        self._quiet_until = time.monotonic() + QUIET_SECONDS
        if not self._failing:
            _log.warning("launching failed, %s; the sensors launch what is submitted until it works again", code)
        self._failing = True

    def _launch_submission(self, batch_id: str) -> None:
        now = datetime.now(UTC)
        launch = self._ledger.batches.begin_launch(batch_id, now=now, until=now + _HELD)
        if launch is None:
            return
        try:
            self._launch(TAKE_IN, BATCHES, launch, submission_tags(launch))
        except BaseException:
            self._ledger.batches.give_back(launch, now=datetime.now(UTC))
            raise

    def _launch_shards(self) -> None:
        launches = self._ledger.shards.admit(most_in_flight=self._most_in_flight, now=datetime.now(UTC))
        deadline = time.monotonic() + _ADMITTED_SECONDS
        waiting = deque(launches)
        try:
            while waiting and time.monotonic() < deadline and not self._closed:
                self._launch(PROCESS, SHARDS, waiting[0], shard_tags(waiting[0]))
                waiting.popleft()
        finally:
            for launch in waiting:
                self._ledger.shards.give_back(launch)

    def _launch(self, job: str, partitions: str, launch: Launch, tags: Mapping[str, str]) -> None:
        # A run for an unknown partition is accepted by Dagster, and then fails.
        self._dagster.add_partition(partitions, launch.key)
        run_id = self._dagster.launch(job, launch.key, tags)
        _log.info("%s is run %s of %s", launch.run_key, run_id, job)
        self._failing = False
