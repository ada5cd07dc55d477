"""The drop zone: which files of a listing belong together, and whether they are ready, refused or waited for.

Lives here: pure rules over a listing. Does not: listing, moving, or reading what is in the files.

    <prefix><country>/<firm>/<any name>/   one .csv and one .zip: a pair
    <prefix><country>/<firm>/<name>.json   a manifest

Under a prefix of its own everything else is refused, so that nobody waits for a file that nobody reads. At the root
of a store (the empty prefix) what does not look like a drop is left alone: the root is not ours.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from aila_pipeline.errors import PairIncomplete

OWN_PREFIX = "_aila/"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""What a country's and a firm's folder may be called: it becomes part of keys and of Dagster's partition names."""

_CLOCK_SKEW_SECONDS = 60.0
_UPLOADING = (".part", ".tmp", ".crdownload", ".partial", ".filepart")
_JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
_PAIR_DEPTH, _MANIFEST_DEPTH = 4, 3

Kind = Literal["pair", "manifest", "refused", "waiting"]


@dataclass(frozen=True, slots=True)
class Listed:
    """One object of a listing. `modified` is in UTC; `etag` changes with the content, however the store makes it."""

    key: str
    size_bytes: int
    etag: str
    modified: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a drop is refused: a stable code, the detail, and the whole message for a person."""

    code: str
    detail: str
    message: str


@dataclass(frozen=True, slots=True)
class Drop:
    """What was dropped together.

    `since` is when its first file came. `fingerprint` is equal exactly while keys, sizes, tags and times are.
    `country` and `firm` are "" where a file lies too high up to have them.
    """

    kind: Kind
    country: str
    firm: str
    name: str
    objects: tuple[Listed, ...]
    fingerprint: str
    since: datetime
    problem: Refusal | None = None

    def ending_in(self, suffix: str) -> Listed:
        """The object of this file type (`.csv`, `.zip`, `.json`); a pair and a manifest have exactly one of theirs."""
        return next(each for each in self.objects if each.key.lower().endswith(suffix))


@dataclass(frozen=True, slots=True)
class _File:
    """An object with its place below the prefix."""

    parts: tuple[str, ...]
    listed: Listed

    @property
    def uploading(self) -> bool:
        """Whether its name says that somebody still writes it."""
        return self.parts[-1].lower().endswith(_UPLOADING)

    @property
    def final_name(self) -> str:
        """Its name once it is whole."""
        name = self.parts[-1]
        suffix = next((suffix for suffix in _UPLOADING if name.lower().endswith(suffix)), "")
        return name[: len(name) - len(suffix)]


def drops_in(
    listing: Iterable[Listed],
    prefix: str,
    now: datetime,
    settle_seconds: float,
    *,
    excluding: Sequence[str] = (),
) -> list[Drop]:
    """The drops below `prefix`, the oldest first.

    Objects below `excluding` (other watched prefixes) and below `_aila/` are never looked at. A drop waits while one
    of its files is younger than `settle_seconds` or is still being uploaded, and while it is one half of a pair.
    """
    groups: defaultdict[tuple[str, ...], list[_File]] = defaultdict(list)
    hidden = (OWN_PREFIX, prefix + OWN_PREFIX, *(place for place in excluding if place != prefix))
    for listed in listing:
        if not listed.key.startswith(prefix) or listed.key.startswith(tuple(filter(None, hidden))):
            continue
        file = _File(tuple(listed.key[len(prefix) :].split("/")), listed)
        if not _junk(file.parts):
            groups[_group(file)].append(file)
    drops = [
        _drop(place, sorted(files, key=lambda file: file.listed.key), now, settle_seconds)
        for place, files in groups.items()
        if prefix or _looks_like_a_drop(files)
    ]
    return sorted(drops, key=lambda drop: (drop.since, drop.country, drop.firm, drop.name))


def _junk(parts: Sequence[str]) -> bool:
    """Folders' own markers, hidden files, and what operating systems leave behind."""
    return not parts[-1] or any(part.startswith(".") or part.lower() in _JUNK for part in parts)


def _group(file: _File) -> tuple[str, ...]:
    """Where files meet: their folder of a pair, or their own final name when they lie higher up."""
    if len(file.parts) >= _PAIR_DEPTH:
        return file.parts[: _PAIR_DEPTH - 1]
    return (*file.parts[:-1], file.final_name)


def _looks_like_a_drop(files: Sequence[_File]) -> bool:
    """Whether files at the root of a store are meant for us: a shape and file types that a drop has."""
    country_and_firm = files[0].parts[:2]
    if not all(map(NAME.fullmatch, country_and_firm)):
        return False
    if any(len(file.parts) == _MANIFEST_DEPTH for file in files):
        return any(file.final_name.lower().endswith(".json") for file in files)
    return all(len(file.parts) == _PAIR_DEPTH for file in files) and any(
        file.final_name.lower().endswith((".csv", ".zip")) for file in files
    )


def _drop(place: tuple[str, ...], files: Sequence[_File], now: datetime, settle_seconds: float) -> Drop:
    """The files of one place, judged."""
    country, firm, name = place if len(place) == 3 else ("", "", "/".join(place))
    objects = tuple(file.listed for file in files)
    unsettled = any(file.uploading or not _settled(file.listed, now, settle_seconds) for file in files)
    kind: Kind = "waiting"
    detail = ""
    if not unsettled:
        kind, detail = _judged(country, firm, files)
    error = PairIncomplete(detail)
    return Drop(
        kind=kind,
        country=country,
        firm=firm,
        name=name,
        objects=objects,
        fingerprint=fingerprint(objects),
        since=min(each.modified for each in objects),
        problem=Refusal(error.code, detail, error.message) if kind == "refused" else None,
    )


def _settled(listed: Listed, now: datetime, settle_seconds: float) -> bool:
    """Whether it has stood still for long enough.

    A time that lies well in the future was copied along with the file: whoever writes a file now gives it the time
    of now, so it says that nobody does.
    """
    age_seconds = (now - listed.modified).total_seconds()
    return age_seconds >= settle_seconds or age_seconds < -_CLOCK_SKEW_SECONDS


def _judged(country: str, firm: str, files: Sequence[_File]) -> tuple[Kind, str]:
    """The kind of settled files, and why they are refused."""
    if not country:
        return "refused", "a drop lies in <country>/<firm>/<name>/, a manifest at <country>/<firm>/<name>.json"
    if not NAME.fullmatch(country) or not NAME.fullmatch(firm):
        return "refused", "the folders of country and firm have names of a-z, 0-9, '.', '_' and '-', 63 at most"
    if len(files[0].parts) == _MANIFEST_DEPTH and len(files) == 1:
        manifest = files[0].final_name.lower().endswith(".json")
        return ("manifest", "") if manifest else ("refused", "a pair needs a folder of its own below the firm's")
    if any(len(file.parts) != _PAIR_DEPTH for file in files):
        return "refused", "there are folders in it"
    types = [file.final_name.lower().rpartition(".")[2] for file in files]
    csvs, zips, others = types.count("csv"), types.count("zip"), sum(kind not in {"csv", "zip"} for kind in types)
    if csvs > 1 or zips > 1 or others:
        return "refused", f"found {csvs} .csv, {zips} .zip and {others} other files"
    return ("pair", "") if csvs and zips else ("waiting", "")


def fingerprint(objects: Iterable[Listed]) -> str:
    """SHA-256 over keys, sizes, tags and times, in the order of the keys."""
    facts = sorted(
        (each.key, each.size_bytes, each.etag, each.modified.astimezone(UTC).isoformat()) for each in objects
    )
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
