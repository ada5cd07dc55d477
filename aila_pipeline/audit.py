"""The audit: ledger, Dagster's events and the store's objects held against each other; behind `aila verify`.

Lives here: finding differences, naming each, mending those that can be mended. Does not: preventing them (the ledger's
constraints do). After a crash it should find nothing once every shard has ended.

    ledger alone       shards, attempts, calls and batches agree about what has ended
    ledger = Dagster   one materialization per ended attempt and per closing of a batch
    ledger = objects   every recording, recognition, source and report that is spoken of lies in the store
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg

from aila_pipeline.adapters.batch_report import report_key, write_report
from aila_pipeline.adapters.drop_zone import DropZone
from aila_pipeline.adapters.intake import Intake
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.arrivals import DONE
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.defs.emission import NUMBER, tell_waiting
from aila_pipeline.settings import Settings

_PAGE = 1000
Told = Counter[tuple[str, str, int]]


@dataclass(frozen=True)
class Difference:
    """Something that two of the three do not agree about. `mend` mends it, if that can be done."""

    kind: str
    subject: str
    what: str
    mend: Callable[[], None] | None = None


class Audit:
    """One look at everything. `tell` is called with progress."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        store: ObjectStore,
        instance: dg.DagsterInstance,
        tell: Callable[[str], None],
    ) -> None:
        self._settings, self._ledger, self._store = settings, ledger, store
        self._instance, self._tell = instance, tell

    def differences(self) -> Iterator[Difference]:
        """All differences, ledger first."""
        self._tell("the ledger alone")
        for contradiction in self._ledger.contradictions.all():
            yield Difference("ledger", contradiction.subject, contradiction.what)
        yield from self._events()
        yield from self._objects()
        yield from self._leftovers()

    def _events(self) -> Iterator[Difference]:
        told = self._told_to_dagster()
        now = datetime.now(UTC)
        for event in self._ledger.events.every():
            key = (event.kind, event.subject_id, event.n)
            times = told.pop(key, 0)
            if times == 0 and event.emitted:
                yield Difference(
                    "event", _name(key), "the ledger says it was told; Dagster has no event", self._again(key)
                )
            elif times == 0 and now - event.created_at > timedelta(minutes=2):
                yield Difference("event", _name(key), "Dagster has not been told yet", self._again(key))
            elif times > 1:
                yield Difference("event", _name(key), f"Dagster has it {times} times")
        for key in sorted(told):
            yield Difference("event", _name(key), "Dagster has an event of which the ledger knows nothing")

    def _told_to_dagster(self) -> Told:
        """How often Dagster has each event."""
        found: Told = Counter()
        for kind in ("call", "batch"):
            cursor: str | None = None
            while True:
                page = self._instance.fetch_materializations(dg.AssetKey(kind), limit=_PAGE, cursor=cursor)
                for record in page.records:
                    told = record.asset_materialization
                    if told is not None and told.partition is not None:
                        found[(kind, told.partition, int((told.tags or {}).get(NUMBER, "0")))] += 1
                self._tell(f"{found.total()} events of Dagster")
                if not page.has_more:
                    break
                cursor = page.cursor
        return found

    def _again(self, key: tuple[str, str, int]) -> Callable[[], None]:
        def mend() -> None:
            self._ledger.events.forget(*key)
            tell_waiting(
                self._instance,
                self._ledger,
                self._store,
                self._instance.report_runless_asset_event,
                subjects=[key[1]],
            )

        return mend

    def _objects(self) -> Iterator[Difference]:
        for number, (owner, key) in enumerate(self._ledger.references.objects(), 1):
            if number % 500 == 0:
                self._tell(f"{number} objects")
            if not self._store.exists(key):
                yield Difference("object", owner, f"the store has no {key}")
        for batch_id in self._ledger.references.closed_batches():
            if not self._store.exists(report_key(batch_id)):
                yield Difference("object", batch_id, "its report is missing", self._report(batch_id))

    def _report(self, batch_id: str) -> Callable[[], None]:
        def mend() -> None:
            write_report(self._ledger, self._store, batch_id)

        return mend

    def _leftovers(self) -> Iterator[Difference]:
        """Files that were taken in and still lie in the drop zone."""
        intake = Intake(self._ledger, self._store, self._settings)
        for arrival in DropZone(self._store, self._settings).arrivals(self._ledger, datetime.now(UTC)):
            batch = arrival.batch
            if batch is not None and batch.state in DONE:
                mend = partial(intake.finish, batch, arrival.objects)
                yield Difference("drop zone", batch.id, "its files were taken in and still lie there", mend)


def _name(key: tuple[str, str, int]) -> str:
    return f"{key[0]} {key[1]} #{key[2]}"
