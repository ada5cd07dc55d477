"""Progress: a batch's way to its end, as a live bar on a terminal and as lines elsewhere.

Lives here: showing counts, rate and time left, and how much of a file is sent. Does not: waiting, or where the
counts come from.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from aila_pipeline.adapters.ledger.views import BatchView
from aila_pipeline.cli.output import console, length, plain, tell
from aila_pipeline.client import Batch
from aila_pipeline.domain.status import CallStatus

_PACE_SECONDS = 30.0
"""Rate and time left follow the last half minute: a shard's model takes seconds to load, and then it is quick."""


@dataclass(frozen=True)
class Standing:
    """How far a batch is. `counts` says how many of its `total` calls have which status, as far as that is known."""

    id: str
    name: str
    total: int
    pending: int
    counts: Mapping[str, int]
    terminal: bool
    waits_for: str | None

    @classmethod
    def of_view(cls, view: BatchView) -> Self:
        """As the ledger knows it."""
        counts = {str(status): count for status, count in view.counts.items()}
        total = sum(counts.values())
        return cls(view.id, view.name, total, view.pending, counts, view.status.terminal, view.waits_for)

    @classmethod
    def of_answer(cls, batch: Batch, name: str) -> Self:
        """As the API tells it. Of a large batch it lists the first calls only, and the open ones among these count."""
        counts = dict(Counter(call.status for call in batch.calls))
        counts |= {str(CallStatus.COMPLETED): batch.processed, str(CallStatus.FAILED): batch.failed}
        waits_for = batch.document.get("waits_for")
        return cls(batch.id, name, batch.total_calls, batch.pending, counts, batch.terminal, waits_for)


class BatchProgress:
    """A context manager; call `update` as often as you like. All of it goes to standard error."""

    def __init__(self) -> None:
        out = console(stderr=True)
        self._live = (
            Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=20),
                TextColumn("{task.fields[told]}", markup=False),
                TimeElapsedColumn(),
                console=out,
            )
            if out.is_terminal
            else None
        )
        self._tasks: dict[str, TaskID] = {}
        self._last: dict[str, str] = {}
        self._paces: dict[str, Pace] = {}
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def phase(self, name: str, told: str, *, over: bool = False) -> None:
        """What is being waited for when there are no counts; `over`: nothing any more."""
        self._show(name, told, done=int(over), total=1 if over else None)

    def sent(self, name: str, sent_bytes: int, size_bytes: int) -> None:
        """So much of the file has left; where there is no terminal, only its beginning and end are told."""
        over = sent_bytes >= size_bytes
        if self._live:
            told = f"{_size(sent_bytes)} of {_size(size_bytes)}"
        else:
            told = f"{'sent' if over else 'sending'} {_size(size_bytes)}"
        self._show(name, told, done=sent_bytes, total=size_bytes)

    def update(self, standing: Standing) -> None:
        """The batch as it is now."""
        done = standing.total - standing.pending
        pace = self._paces.setdefault(standing.id, Pace())
        pace.note(time.monotonic(), done)
        told = counts_told(standing)
        if self._live:
            told += pace.told(standing.pending) if standing.pending else ""
        self._show(standing.name, told, done=done, total=standing.total or None)

    def _show(self, name: str, told: str, *, done: int, total: int | None) -> None:
        name, told = plain(name), plain(told)
        if self._live is None:
            if self._last.get(name) != told:
                tell(f"{time.monotonic() - self._begun:6.1f} s  {name}: {told}")
            self._last[name] = told
            return
        if name not in self._tasks:
            self._tasks[name] = self._live.add_task(name, total=total, told=told)
        self._live.update(self._tasks[name], completed=done, total=total, told=told)


class Pace:
    """How fast calls end."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def note(self, at: float, done: int) -> None:
        """So many had ended at this time (seconds)."""
        self._seen.append((at, done))
        while len(self._seen) > 2 and at - self._seen[1][0] > _PACE_SECONDS:
            del self._seen[0]

    @property
    def per_second(self) -> float | None:
        """Calls a second, once it is known."""
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        return (after - before) / (last - first) if last > first and after > before else None

    def told(self, pending: int) -> str:
        """Rate and time left, as far as they are known."""
        rate = self.per_second
        if rate is None:
            return ""
        speed = f"{rate:.1f} calls/s" if rate >= 1 else f"{rate * 60:.0f} calls/min"
        return f"  {speed}, {length(pending / rate)} left"


def counts_told(standing: Standing) -> str:
    """`3/12 done, 1 failed, 8 transcribing`, or what is being waited for."""
    total, pending = standing.total, standing.pending
    if not total:
        return "refused" if standing.terminal else "being checked"
    told = [f"{total - pending:,}/{total:,} done"]
    told += [f"{standing.counts[status]:,} {status}" for status in _TOLD if standing.counts.get(status)]
    if not standing.terminal and pending == total and (standing.waits_for or "").startswith("waits"):
        told.append(str(standing.waits_for))
    return ", ".join(told)


def _size(size_bytes: int) -> str:
    """In megabytes, or kilobytes below one."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1_000_000 else f"{size_bytes / 1000:.0f} kB"


_TOLD = [CallStatus.FAILED, *(status for status in CallStatus if not status.terminal)]
