"""The work of re-scoring: what is stale of a page of calls made again, in this process or in several.

Lives here: which results of a call are not current, making them, spreading that over processes. Does not: finding the
calls and keeping the results (rescoring.py), the rules.

Rules are Python and take one core, so many calls go to processes of their own: they get the calls with their checklists
and read the transcripts themselves. Starting them takes seconds, so the first page is done without them.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from aila_pipeline.adapters.analysis import NO_SCORE, Analysis, insights_document, load_transcript, score_document
from aila_pipeline.adapters.ledger.records import StageResult, WorkCall
from aila_pipeline.adapters.ledger.results import result_row
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.parent_watch import die_with_parent
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.domain.models import Transcript
from aila_pipeline.domain.scoring import Checklist
from aila_pipeline.domain.status import Stage
from aila_pipeline.domain.versions import Version
from aila_pipeline.errors import ObjectMissing

MOST_PROCESSES = 8
_CHUNK = 25

Row = dict[str, Any]


@dataclass(frozen=True)
class StaleCall:
    """A call, and the versions that those of its results will have that are to be made again."""

    call: WorkCall
    insights: Version | None
    score: Version | None
    checklist: Checklist | None


def stale_call(call: WorkCall, analysis: Analysis, *, force: bool) -> StaleCall | None:
    """What of the call is not current; None when nothing is. With `force` nothing counts as current."""
    insights, score = analysis.insights_version(call), analysis.score_version(call)
    made = [version if force or _stale(call, version) else None for version in (insights, score)]
    return StaleCall(call, made[0], made[1], analysis.checklist(call)) if any(made) else None


def _stale(call: WorkCall, version: Version) -> bool:
    known = call.results.get(version.stage)
    return known is None or known.version != version.id


def made_again(store: ObjectStore, run_id: str, stale: StaleCall) -> list[Row] | None:
    """The call's results as rows for the ledger; None when its recognition is gone from the store."""
    call, rows, began = stale.call, list[Row](), time.perf_counter()
    said: Transcript | None = None
    try:
        if stale.insights is not None:
            said = load_transcript(store, call.results[Stage.TRANSCRIPTS], call.details)
            found = insights_document(said)
            seconds = time.perf_counter() - began
            rows.append(result_row(call.id, stale.insights, found, seconds=seconds, run_id=run_id))
            result = StageResult(stale.insights.id, found, seconds)
            call, began = replace(call, results=call.results | {Stage.INSIGHTS: result}), time.perf_counter()
        if stale.score is not None:
            document = dict(NO_SCORE)
            if stale.checklist is not None:
                said = said or load_transcript(store, call.results[Stage.TRANSCRIPTS], call.details)
                found = call.results[Stage.INSIGHTS].document
                document = score_document(said, found, stale.checklist, call.results)
            seconds = time.perf_counter() - began
            rows.append(result_row(call.id, stale.score, document, seconds=seconds, run_id=run_id))
    except ObjectMissing:
        return None
    return rows


class Workers:
    """Who makes results again: this process, and from the second page on up to `processes` others."""

    def __init__(self, store: ObjectStore, run_id: str, processes: int) -> None:
        self._store, self._run_id, self._processes = store, run_id, processes
        self._pool: ProcessPoolExecutor | None = None
        self._pages = 0

    def made(self, page: Sequence[StaleCall]) -> Iterator[list[Row] | None]:
        """What `made_again` gives for each of these calls, in their order."""
        self._pages += 1
        if self._processes < 2 or self._pages == 1 or len(page) <= _CHUNK:
            return map(partial(made_again, self._store, self._run_id), page)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._processes,
                # Not forked: this process has threads, whose locks a copy would wait for.
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_open,
                initargs=(self._store.url, self._run_id),
            )
        return self._pool.map(_made, page, chunksize=_CHUNK)

    def close(self) -> None:
        """End the processes; what they have not begun is left."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


@contextmanager
def workers(store: ObjectStore, run_id: str, *, processes: int) -> Iterator[Workers]:
    """Workers that are gone at the end."""
    made = Workers(store, run_id, processes)
    try:
        yield made
    finally:
        made.close()


def usable_processes(cpu_threads: int) -> int:
    """How many processes may work: `cpu_threads` if it is set, else as many as there are cores for this one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_PROCESSES, cpu_threads or cores)


_place: tuple[ObjectStore, str] | None = None
"""In a worker process: the store and the run's id, opened once for all calls."""


def _open(store_url: str, run_id: str) -> None:
    global _place  # noqa: PLW0603 - an initializer of a pool has nowhere else to leave what it opens
    die_with_parent()
    _place = open_store(store_url), run_id


def _made(stale: StaleCall) -> list[Row] | None:
    assert _place is not None, "the pool has called _open"
    return made_again(*_place, stale)
