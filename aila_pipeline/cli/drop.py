"""`aila drop`: files into the drop zone, and waiting for what becomes of them.

Lives here: where they are put, finding the batch they became, patience. Does not: the drop zone's rules
(domain/intake/drop_zone.py), showing progress (progress.py) or the outcome (status.py).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer

from aila_pipeline.adapters.batch_report import report_key
from aila_pipeline.adapters.dagster_client import DagsterClient
from aila_pipeline.adapters.ledger.views import BatchView
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.cli.files import Given, check_names, sort_out
from aila_pipeline.cli.opening import Opened, dagster_url, ledger_exists, opened
from aila_pipeline.cli.output import Code, plain, show, show_json, tell
from aila_pipeline.cli.progress import BatchProgress, Standing
from aila_pipeline.cli.status import document, show_details
from aila_pipeline.errors import DagsterUnavailable, NameTaken, TenantUnknown, WaitedTooLong

POLL_SECONDS = 0.5
DOUBT_SECONDS = 20.0
"""A drop that is not seen for so long makes one ask whether Dagster is up: a sensor looks every 5 s, and files have to
stand still for 2."""
_REPORT_SECONDS = 10.0
_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Dropped:
    """Files in the drop zone. `known` are the submissions that had this name before."""

    country: str
    firm: str
    name: str
    place: str
    known: frozenset[str]


def drop_files(
    files: Sequence[Path],
    *,
    country: str,
    firm: str,
    home: Path | None,
    name: str | None,
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Drop the files; with `wait`, the exit code tells the batch's status."""
    given = sort_out(files)
    check_names(country, firm)
    with opened(home) as here:
        dropped = drop(here, given, country=country, firm=firm, name=name or fresh_name(given.main.stem))
        told = f"dropped {here.store.url.rstrip('/')}/{dropped.place}"
        if not wait:
            if as_json:
                show_json({"place": dropped.place, "name": dropped.name})
            else:
                show(told, "`aila status` shows what becomes of it")
            return Code.WELL
        tell(told)
        view = wait_for(here, dropped, timeout=timeout)
        if as_json:
            show_json(document(here, view))
        else:
            show_details(here, view)
        return Code.of_batch(view.status)


def fresh_name(stem: str) -> str:
    """A name that no other drop has: a second pair in the same folder would have both refused."""
    kept = "".join(c if c.isalnum() or c in "-_" else "-" for c in stem).strip("-_")[:60] or "calls"
    return f"{kept}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def drop(here: Opened, given: Given, *, country: str, firm: str, name: str) -> Dropped:
    """Write the files where the pipeline looks for them.

    Raises TenantUnknown, NameTaken, or StoreUnavailable. A pair's CSV comes last: before it, nobody takes the ZIP.
    """
    if not name or name.startswith(".") or "/" in name or plain(name) != name or name.lower().endswith(".json"):
        raise typer.BadParameter("--name: a plain name without '/', not beginning with '.' and not ending in .json")
    ledger = here.ledger if ledger_exists(here.settings) else None
    if not here.settings.create_tenants and (ledger is None or ledger.tenants.find(country, firm) is None):
        raise TenantUnknown(f"{country}/{firm}")
    prefix = f"{here.settings.watch_prefixes[0]}{country}/{firm}/"
    if given.manifest is not None:
        listed, place = f"{name}.json", f"{prefix}{name}.json"
        parts = [(given.manifest, place)]
    else:
        assert given.csv is not None
        assert given.zip is not None
        listed, place = name, f"{prefix}{name}/"
        parts = [(given.zip, place + "audios.zip"), (given.csv, place + "metadata.csv")]
    if any(True for _ in here.store.list(place, limit=1)):
        raise NameTaken(place)
    known = frozenset(ledger.views.named(country, firm, listed)) if ledger else frozenset()
    written: list[str] = []
    try:
        for path, key in parts:
            written.append(key)
            here.store.write_stream(key, _blocks(path))
    except BaseException:
        _take_back(here.store, written)
        raise
    return Dropped(country, firm, listed, place, known)


def wait_for(here: Opened, dropped: Dropped, *, timeout: float | None) -> BatchView:
    """Until the batch has ended. Raises WaitedTooLong after `timeout` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    with BatchProgress() as progress:
        batch_id = _found(here, dropped, progress, deadline)
        while True:
            view = here.ledger.views.batch(batch_id)
            assert view is not None, "a batch is never removed"
            progress.update(Standing.of_view(view))
            if view.status.terminal:
                break
            _pause(deadline, f"batch {view.id}: {view.status}")
        _until(lambda: view.problem is not None or here.store.exists(report_key(view.id)), _REPORT_SECONDS)
    return view


def _found(here: Opened, dropped: Dropped, progress: BatchProgress, deadline: float | None) -> str:
    """The id of the batch that the files became, once they have been seen."""
    doubt = time.monotonic() + DOUBT_SECONDS
    while True:
        new = new_batch(here, dropped)
        if new is not None:
            return new
        progress.phase(dropped.name, "waits in the drop zone")
        if time.monotonic() > doubt:
            doubt = time.monotonic() + 3 * DOUBT_SECONDS
            if reason := _what_is_wrong(dagster_url(here.settings)):
                tell(f"not taken in yet: {reason}")
        _pause(deadline, "nobody has taken the files from the drop zone; is `aila up` running?")


def new_batch(here: Opened, dropped: Dropped) -> str | None:
    """The batch of this name that was not there before, if there is one by now."""
    if not ledger_exists(here.settings):
        return None
    named = here.ledger.views.named(dropped.country, dropped.firm, dropped.name)
    return next((batch_id for batch_id in named if batch_id not in dropped.known), None)


def _what_is_wrong(url: str) -> str | None:
    """Why nobody takes the files, as far as Dagster can be asked."""
    try:
        health = DagsterClient(url, timeout_seconds=3.0).health()
    except DagsterUnavailable as error:
        return error.message
    if health.location_error:
        return f"Dagster cannot load the definitions; see {url}/locations"
    silent = health.silent_daemons(time.time() - 120)
    return f"{', '.join(silent)} of Dagster is silent; restart `aila up`" if silent else None


def _pause(deadline: float | None, told: str) -> None:
    if deadline is not None and time.monotonic() + POLL_SECONDS > deadline:
        raise WaitedTooLong(told)
    time.sleep(POLL_SECONDS)


def _until(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


def _take_back(store: ObjectStore, keys: Sequence[str]) -> None:
    """Half a pair would wait for ever."""
    for key in keys:
        store.delete(key)
