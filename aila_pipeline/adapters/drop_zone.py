"""The drop zone: looking into it, and noting what has arrived.

Lives here: which prefixes are listed and how, and the row in the ledger for each arrival. Does not: what makes a pair
or a manifest (domain/intake/drop_zone.py), reading files (intake.py). A look lists; it opens nothing.

At the root of the store lie also the keys that the API has issued. They wait for its third step, or for the run that
takes them in, and are no drops.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from aila_pipeline.adapters.call_objects import OWN
from aila_pipeline.adapters.intake import originals, pinned
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.records import Batch, Tenant
from aila_pipeline.adapters.ledger.tenants import DROP_ZONE
from aila_pipeline.adapters.objects import ObjectInfo, ObjectStore
from aila_pipeline.adapters.outside import RECORDINGS
from aila_pipeline.domain.intake.drop_zone import NAME, Drop, Listed, drops_in
from aila_pipeline.settings import Settings

MOST_OBJECTS = 20_000
"""Objects one look lists at most; a second's work on S3. Accepted files leave, so the rest comes into view."""

NOBODY = ("unknown", "unknown")
"""Files that lie where no tenant's files lie are refused in this one's name."""


@dataclass(frozen=True)
class Arrival:
    """A drop with its objects, and the batch that knows them already, if there is one."""

    drop: Drop
    objects: list[ObjectInfo]
    batch: Batch | None

    @property
    def name(self) -> str:
        """How it is called in logs: by its folder. A single file's name is left out, it may be a caller's."""
        lone_file = len(self.objects) == 1 and self.objects[0].key.endswith(f"/{self.drop.name}")
        name = "a file beside the folders" if lone_file else self.drop.name
        return f"{self.drop.country}/{self.drop.firm}/{name}"


class DropZone:
    """The watched prefixes of one store; made for one look, after which its memory of tenants may be old."""

    def __init__(self, store: ObjectStore, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._tenants: dict[tuple[str, str], tuple[Tenant, str] | None] = {}

    def look(self, ledger: Ledger, now: datetime) -> list[Drop]:
        """What lies in the drop zone now, the oldest of each prefix first."""
        found = self._found(now)
        issued = _issued(ledger, found)
        return [drop for drop, _ in found if not _is_upload(drop, issued)]

    def _found(self, now: datetime) -> list[tuple[Drop, list[ObjectInfo]]]:
        """What the listings look like, each with its objects; also what the API has issued."""
        found = []
        for prefix in self._settings.watch_prefixes:
            infos = {info.key: info for info in islice(self._listing(prefix), MOST_OBJECTS)}
            listing = [Listed(info.key, info.size_bytes, info.etag, info.modified) for info in infos.values()]
            drops = drops_in(
                listing, prefix, now, self._settings.settle_seconds, excluding=self._settings.watch_prefixes
            )
            found += [(drop, [infos[listed.key] for listed in drop.objects]) for drop in drops]
        return found

    def arrivals(self, ledger: Ledger, now: datetime) -> list[Arrival]:
        """What lies in the drop zone now, oldest first, and what the ledger knows of it; in a few questions.

        A run that dies while it removes files it has taken in leaves some of them. They make another drop than the
        one that was received: half a pair, or (of three files that were refused) even a whole one. So they are looked
        for among the objects of the batches that had the same name. An upload's files are told of only as such.
        """
        found = self._found(now)
        issued = _issued(ledger, found)
        known = ledger.arrivals.by_fingerprint(drop.fingerprint for drop, _ in found)
        strange = [drop.name for drop, _ in found if drop.fingerprint not in known]
        done = defaultdict(list)
        for batch in ledger.arrivals.last_done(strange) if strange else ():
            done[batch.name].append((batch, frozenset(map(_as_listed, originals(batch)))))

        def owner(drop: Drop, objects: list[ObjectInfo]) -> Batch | None:
            left = (batch for batch, taken in done[drop.name] if taken.issuperset(map(_as_listed, objects)))
            return known.get(drop.fingerprint) or next(left, None)

        arrivals = [Arrival(drop, objects, owner(drop, objects)) for drop, objects in found]
        return [each for each in arrivals if each.batch is not None or not _is_upload(each.drop, issued)]

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
        known = bool(NAME.fullmatch(drop.country) and NAME.fullmatch(drop.firm))
        place = (drop.country, drop.firm) if known else NOBODY
        if place not in self._tenants:
            self._tenants[place] = self._tenant(ledger, place, make=not known or self._settings.create_tenants)
        found = self._tenants[place]
        if found is None:
            return None
        tenant, user_id = found
        return ledger.batches.receive(
            tenant,
            user_id,
            kind="manifest" if drop.kind == "manifest" else "pair",
            name=drop.name,
            fingerprint=drop.fingerprint,
            sources=[pinned(info) for info in objects],
            problem={"code": drop.problem.code, "detail": drop.problem.detail} if drop.problem else None,
            now=now,
        )

    @staticmethod
    def _tenant(ledger: Ledger, place: tuple[str, str], *, make: bool) -> tuple[Tenant, str] | None:
        """The tenant of this place and its user for the drop zone."""
        tenant = ledger.tenants.ensure(*place) if make else ledger.tenants.find(*place)
        return (tenant, ledger.tenants.ensure_user(tenant, DROP_ZONE)) if tenant else None


def _issued(ledger: Ledger, found: Iterable[tuple[Drop, list[ObjectInfo]]]) -> set[str]:
    """The ids of uploads among the names at the root; asked at once for all."""
    names = [drop.name for drop, _ in found if _at_root(drop)]
    return ledger.uploads.issued(names) if names else set()


def _is_upload(drop: Drop, issued: set[str]) -> bool:
    return drop.name in issued and _at_root(drop)


def _at_root(drop: Drop) -> bool:
    return drop.objects[0].key.startswith(f"{drop.country}/{drop.firm}/{drop.name}/")


def _as_listed(info: ObjectInfo) -> ObjectInfo:
    """As a listing tells it: without the version, which only a look at the object itself does."""
    return replace(info, version_id=None)
