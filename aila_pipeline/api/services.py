"""Services: what the handlers share for as long as the process lives.

Lives here: making and closing them. Does not: requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from aila_pipeline.adapters.dagster_client import DagsterClient
from aila_pipeline.adapters.fetch import Fetcher
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.outside import Outside
from aila_pipeline.adapters.s3_client import client_from_environment
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.adapters.upload_signing import UploadSigning
from aila_pipeline.api.launching import Launcher
from aila_pipeline.api.metrics import Metrics
from aila_pipeline.api.readiness import Readiness, readiness
from aila_pipeline.settings import Settings


@dataclass(frozen=True)
class Services:
    """The ledger, the store and who signs uploads to it, who asks Dagster for runs, and who looks at audio elsewhere.

    `settings` is what all of them were made from.
    """

    settings: Settings
    ledger: Ledger
    store: ObjectStore
    launcher: Launcher
    signing: UploadSigning
    outside: Outside
    metrics: Metrics
    readiness: Readiness


@contextmanager
def opened(settings: Settings) -> Iterator[Services]:
    """Everything a process of the API needs; SettingInvalid when the ledger has another schema."""
    ledger = Ledger(settings.ledger_url)
    try:
        ledger.require_schema()
        store, dagster = open_store(settings.store_url), DagsterClient(settings.dagster_url)
        with Launcher(ledger, dagster, most_in_flight=settings.max_shards_in_flight) as launcher:
            metrics = Metrics(lambda: ledger.figures.count(datetime.now(UTC)))
            with readiness(settings, ledger, store) as parts:
                outside = Outside(store, cache(client_from_environment), Fetcher.from_settings(settings))
                signing = UploadSigning(settings)
                yield Services(settings, ledger, store, launcher, signing, outside, metrics, parts)
    finally:
        ledger.close()
