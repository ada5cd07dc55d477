"""The drop zone: looking into it, and noting what has arrived.

Lives here: which prefixes are listed and how, and the row in the ledger for each arrival. Does not: what makes a pair
or a manifest (domain/intake/drop_zone.py), reading files (intake.py). A look lists; it opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from aila_pipeline.adapters.call_objects import OWN
from aila_pipeline.adapters.intake import pinned
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import Batch
from aila_pipeline.adapters.ledger.tenants import DROP_ZONE
from aila_pipeline.adapters.objects import ObjectInfo, ObjectStore
from aila_pipeline.adapters.outside import RECORDINGS
from aila_pipeline.domain.intake.drop_zone import NAME, Drop, Listed, drops_in
from aila_pipeline.settings import Settings

MOST_OBJECTS = 20_000
"""Objects one look lists at most; a second's work on S3. Accepted files leave, so the rest comes into view."""

NOBODY = ("unknown", "unknown")
"""Files that lie where no tenant's files lie are refused in this one's name."""


class DropZone:
    """The watched prefixes of one store."""

    def __init__(self, store: ObjectStore, settings: Settings) -> None:
        self._store, self._settings = store, settings

    def look(self, now: datetime) -> list[tuple[Drop, list[ObjectInfo]]]:
        """What lies in the drop zone now, each with its objects."""
        found = []
        for prefix in self._settings.watch_prefixes:
            infos = {info.key: info for info in islice(self._listing(prefix), MOST_OBJECTS)}
            listing = [Listed(info.key, info.size_bytes, info.etag, info.modified) for info in infos.values()]
            drops = drops_in(
                listing, prefix, now, self._settings.settle_seconds, excluding=self._settings.watch_prefixes
            )
            found += [(drop, [infos[listed.key] for listed in drop.objects]) for drop in drops]
        return found

    def _listing(self, prefix: str) -> Iterator[ObjectInfo]:
        """The objects under a prefix; at the root, all but what is ours, and without descending into it."""
        if prefix:
            yield from self._store.list(prefix)
            return
        watched = {name for name in self._settings.watch_prefixes if name}
        for country in self._store.folders(""):
            if country not in {OWN, RECORDINGS} | watched:
                for firm in self._store.folders(country):
                    yield from self._store.list(firm)

    def receive(self, ledger: Ledger, drop: Drop, objects: list[ObjectInfo], now: datetime) -> Batch | None:
        """Note an arrival; the same files give the same batch. None when the tenant is unknown and may not be made."""
        known = NAME.fullmatch(drop.country) and NAME.fullmatch(drop.firm)
        country, firm = (drop.country, drop.firm) if known else NOBODY
        tenant = ledger.tenants.find(country, firm)
        if tenant is None:
            if known and not self._settings.create_tenants:
                return None
            tenant = ledger.tenants.ensure(country, firm)
        return ledger.batches.receive(
            tenant,
            ledger.tenants.ensure_user(tenant, DROP_ZONE),
            kind="manifest" if drop.kind == "manifest" else "pair",
            name=drop.name,
            fingerprint=drop.fingerprint,
            sources=[pinned(info) for info in objects],
            problem={"code": drop.problem.code, "detail": drop.problem.detail} if drop.problem else None,
            now=now,
        )
