"""Services: what the handlers share for as long as the process lives.

Lives here: making and closing them. Does not: requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.settings import Settings


@dataclass(frozen=True)
class Services:
    """The ledger, the store, and the settings they were made from."""

    settings: Settings
    ledger: Ledger
    store: ObjectStore


@contextmanager
def opened(settings: Settings) -> Iterator[Services]:
    """Everything a process of the API needs; SettingInvalid when the ledger has another schema."""
    ledger = Ledger(settings.ledger_url)
    try:
        ledger.require_schema()
        yield Services(settings, ledger, open_store(settings.store_url))
    finally:
        ledger.close()
