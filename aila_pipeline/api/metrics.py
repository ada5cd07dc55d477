"""Metrics: what Prometheus is told, about requests since the start of the process and about the ledger as it is.

Lives here: names, labels, the page. Does not: counting in the ledger (adapters/ledger/figures.py), noticing requests
(request_log.py), serving (health.py). No label holds a tenant, an id or anything that a client can invent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aila_pipeline.adapters.ledger.figures import WINDOW, Figures
from aila_pipeline.errors import LedgerUnavailable

FRESH_SECONDS = 15.0
"""Figures of the ledger are at most so old; scraping more often costs nothing."""

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


class Metrics:
    """What this process has done, and a look at the ledger when somebody asks."""

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "aila_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "aila_http_request_duration_seconds",
            "From the first byte of a request to the last of its answer.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._submissions = Counter(
            "aila_submissions", "Submissions through the API.", ["kind", "outcome"], registry=self.registry
        )
        self.registry.register(_LedgerCollector(figures))

    def request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `route` is a template, never a path as it was asked."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def submission(self, *, kind: str, outcome: str) -> None:
        """Count one submission: `pair` or `manifest`; accepted, replayed, refused, limited, unauthorized, failed."""
        self._submissions.labels(kind, outcome).inc()

    def page(self) -> bytes:
        """All of it as text."""
        return generate_latest(self.registry)


class _LedgerCollector(Collector):
    """The ledger's figures, counted when they are asked for and then kept for a while."""

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures
        self._lock = threading.Lock()
        self._kept: tuple[float, Figures | None] | None = None

    def describe(self) -> list[Metric]:
        """Nothing: the registry would otherwise count once just to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures; `aila_ledger_up 0` alone while the database does not answer."""
        figures = self._fresh()
        yield GaugeMetricFamily("aila_ledger_up", "Whether the ledger answers.", value=float(figures is not None))
        if figures is not None:
            yield from _told(figures)

    def _fresh(self) -> Figures | None:
        with self._lock:
            now = time.monotonic()
            if self._kept is None or now - self._kept[0] > FRESH_SECONDS:
                try:
                    self._kept = now, self._figures()
                except LedgerUnavailable:
                    self._kept = now, None
            return self._kept[1]


def _told(figures: Figures) -> Iterator[Metric]:
    calls = GaugeMetricFamily("aila_calls", "Calls by status.", labels=["status"])
    for status, count in figures.calls.items():
        calls.add_metric([status], count)
    yield calls
    minutes = int(WINDOW.total_seconds() // 60)
    seconds = GaugeMetricFamily(
        "aila_stage_seconds_sum", f"What a stage took for the calls of the last {minutes} minutes.", labels=["stage"]
    )
    done = GaugeMetricFamily(
        "aila_stage_seconds_count", f"Calls that a stage has done in the last {minutes} minutes.", labels=["stage"]
    )
    for stage, took in figures.stages.items():
        seconds.add_metric([stage], took.seconds)
        done.add_metric([stage], took.calls)
    yield seconds
    yield done
    queues = GaugeMetricFamily("aila_queue_depth", "Shards and submissions on their way.", labels=["queue"])
    queues.add_metric(["shards_waiting"], figures.shards_waiting)
    queues.add_metric(["shards_admitted"], figures.shards_admitted)
    queues.add_metric(["submissions_received"], figures.submissions_received)
    yield queues
    yield GaugeMetricFamily(
        "aila_oldest_waiting_call_seconds",
        "How long the calls wait that have waited longest for a worker.",
        value=figures.oldest_waiting_seconds,
    )
    yield GaugeMetricFamily("aila_batches_open", "Batches that have not ended.", value=figures.batches_open)
    messages = GaugeMetricFamily("aila_outbox_messages", "Messages that wait or were given up.", labels=["to", "state"])
    oldest = GaugeMetricFamily(
        "aila_outbox_oldest_waiting_seconds", "How long the oldest message waits that has not arrived.", labels=["to"]
    )
    for to, standing in (("webhook", figures.webhooks), ("crm", figures.crms)):
        messages.add_metric([to, "waiting"], standing.waiting)
        messages.add_metric([to, "dead"], standing.dead)
        oldest.add_metric([to], standing.oldest_seconds)
    yield messages
    yield oldest
