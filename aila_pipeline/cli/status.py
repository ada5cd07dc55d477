"""`aila status`: the newest batches and the drop zone, or one batch with its calls.

Lives here: what of a batch is shown and how. Does not: what a status means (domain/status.py).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from aila_pipeline.adapters.batch_report import report_key, report_url
from aila_pipeline.adapters.drop_zone import DropZone
from aila_pipeline.adapters.intake import rejects_key
from aila_pipeline.adapters.ledger.views import BatchView, CallView
from aila_pipeline.cli.opening import Opened, opened
from aila_pipeline.cli.output import Code, advised, console, length, numbers, plural, row, show, show_json, table, when
from aila_pipeline.domain.status import CallStatus, Stage
from aila_pipeline.errors import NotKnown

MOST_BATCHES = 20
MOST_CALLS = 200
ALL = 1_000_000
_ROOMY, _TIGHT = 130, 96
"""From so many columns on the table of batches has room for all it knows; below, the id has to tell the time."""


def show_batches(home: Path | None, *, limit: int | None, as_json: bool) -> int:
    """The newest batches, then what waits in the drop zone."""
    now = datetime.now(UTC)
    with opened(home) as here:
        views = here.ledger.views.recent(_limit(limit, MOST_BATCHES))
        if as_json:
            show_json([view.document(now) for view in views])
            return Code.WELL
        if views:
            show(_batches(views, here.ledger.views.audio_seconds([view.id for view in views]), now))
            for view in views:
                if reason := _waits(view):
                    show(f"{view.id} {reason}")
        else:
            show("no batch yet; `aila submit METADATA.csv AUDIOS.zip` makes one")
        _show_drop_zone(here, now)
    return Code.WELL


def show_batch(home: Path | None, batch_id: str, *, limit: int | None, as_json: bool) -> int:
    """One batch with its calls; the exit code tells its status."""
    with opened(home) as here:
        view = here.ledger.views.batch(batch_id)
        if view is None:
            raise NotKnown(batch_id)
        if as_json:
            show_json(document(here, view))
        else:
            show_details(here, view, most=_limit(limit, MOST_CALLS))
        return Code.of_batch(view.status)


def document(here: Opened, view: BatchView) -> dict[str, Any]:
    """Contract B's fields of the batch and its calls, with position, attempt, seconds and score of each call."""
    calls = here.ledger.views.calls_of(view.id)
    results = here.ledger.views.results([call.id for call in calls], Stage.CALL_AUDIO, Stage.SCORES)
    shown = []
    for call in calls:
        found = {stage: result.document for stage, result in results[call.id].items()}
        more = {
            "position": call.position,
            "attempt": call.attempt,
            "audio_seconds": found.get(Stage.CALL_AUDIO, {}).get("seconds"),
            "score": found.get(Stage.SCORES, {}).get("total"),
        }
        shown.append(call.document() | more)
    report = report_url(here.store, view.id) if here.store.exists(report_key(view.id)) else None
    return view.document(datetime.now(UTC)) | {"report": report, "calls": shown}


def show_details(here: Opened, view: BatchView, *, most: int = MOST_CALLS) -> None:
    """The batch in a few lines, its calls as a table, its failures with what to do."""
    now = datetime.now(UTC)
    audio = here.ledger.views.audio_seconds([view.id]).get(view.id)
    facts = table("", "")
    row(facts, "batch", view.id)
    row(facts, "tenant", f"{view.country}/{view.firm}, {view.kind} {view.name}")
    row(facts, "status", view.status)
    row(facts, "calls", _counts(view))
    row(facts, "audio", length(audio))
    row(facts, "submitted", f"{when(view.received_at, seconds=True)} UTC, took {length(_took(view, now)) or '-'}")
    facts.show_header = False
    show(facts)
    for line in (*view.warnings, *([f"error: {view.problem['message']}"] if view.problem else [])):
        show(line)
    if view.problem:
        show(f"files: {here.store.url.rstrip('/')}/{view.problem.get('folder', '')}")
    if reason := _waits(view):
        show(f"now: {reason}")
    calls = here.ledger.views.calls_of(view.id)
    if calls:
        show("")
        show(_calls(here, calls[:most]))
    if len(calls) > most:
        show(f"… {len(calls) - most:,} more; --limit 0 shows all")
    _show_failures(here, view, calls)
    if here.store.exists(report_key(view.id)):
        show(f"\nreport: {report_url(here.store, view.id)}")


def _batches(views: list[BatchView], audio: dict[str, float], now: datetime) -> Table:
    width = console().width
    roomy, last = width >= _ROOMY, () if width < _TIGHT else ("SUBMITTED",)
    extra = ("AUDIO", "TOOK") if roomy else ()
    made = table(
        *("BATCH", "TENANT/NAME", "STATUS", "DONE", "FAILED", "OPEN", *extra, *last),
        right=("DONE", "FAILED", "OPEN", "AUDIO", "TOOK"),
        cut=("TENANT/NAME",),
    )
    for view in views:
        done, failed = view.counts.get(CallStatus.COMPLETED, 0), view.counts.get(CallStatus.FAILED, 0)
        more = (length(audio.get(view.id)), length(_took(view, now))) if roomy else ()
        name = f"{view.country}/{view.firm}/{view.name}"
        at = (when(view.received_at),) if last else ()
        row(made, view.id, name, view.status, done, failed, view.pending, *more, *at)
    return made


def _calls(here: Opened, calls: list[CallView]) -> Table:
    results = here.ledger.views.results([call.id for call in calls], Stage.CALL_AUDIO, Stage.SCORES)
    made = table(
        *("ROW", "CALL", "STATUS", "TRY", "AUDIO", "SCORE", "ERROR, WARNINGS"),
        right=("ROW", "TRY", "AUDIO", "SCORE"),
        fold=("ERROR, WARNINGS",),
    )
    for call in calls:
        found = {stage: result.document for stage, result in results[call.id].items()}
        score = found.get(Stage.SCORES, {}).get("total")
        told = ", ".join([*([call.error_code] if call.error_code else []), *call.warnings])
        seconds = length(found.get(Stage.CALL_AUDIO, {}).get("seconds"))
        points = None if score is None else f"{score:.1f}"
        row(made, call.position, call.id, call.status, call.attempt, seconds, points, told)
    return made


def _show_failures(here: Opened, view: BatchView, calls: list[CallView]) -> None:
    """Each reason once, with the rows that it hit and what to do."""
    by_reason: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for call in calls:
        if call.error_code:
            by_reason[call.error_code, call.error_message or ""].append(call.position)
    if not by_reason:
        return
    made = table("FAILED", "ROWS", "WHY, AND WHAT TO DO", fold=("ROWS", "WHY, AND WHAT TO DO"))
    for (code, message), positions in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        row(made, f"{len(positions):,} {code}", numbers(positions), advised(code, message))
    show("", made)
    if here.store.exists(rejects_key(view.id)):
        show(f"rejected rows, ready to mend: {here.store.url.rstrip('/')}/{rejects_key(view.id)}")
    if any(call.status is CallStatus.FAILED and call.details is not None for call in calls):
        show(f"`aila retry {view.id}` tries again what can be tried again")


def _show_drop_zone(here: Opened, now: datetime) -> None:
    drops = DropZone(here.store, here.settings).look(here.ledger, now)
    if not drops:
        return
    made = table("IN THE DROP ZONE", "SINCE", "STATE", right=("SINCE",), fold=("STATE",), cut=("IN THE DROP ZONE",))
    for drop in drops:
        place = "/".join(part for part in (drop.country, drop.firm, drop.name) if part)
        state = {
            "waiting": "waits for its other half, or is still being written",
            "refused": f"will be refused: {drop.problem.message if drop.problem else ''}",
        }.get(drop.kind, "complete; taken in within seconds while `aila up` runs")
        row(made, place, length(max(0.0, (now - drop.since).total_seconds())), state)
    show("", made)


def _waits(view: BatchView) -> str | None:
    """Why the batch is not over, for a person."""
    return view.waits_for if not view.status.terminal else None


def _counts(view: BatchView) -> str:
    told = [f"{view.counts[status]:,} {status}" for status in CallStatus if view.counts.get(status)]
    return f"{plural(sum(view.counts.values()), 'call')}: {', '.join(told)}" if told else "none yet"


def _took(view: BatchView, now: datetime) -> float | None:
    """From arrival to the end, or until now."""
    if view.status.terminal and view.ended_at is None:
        return None
    return ((view.ended_at or now) - view.received_at).total_seconds()


def _limit(given: int | None, default: int) -> int:
    return default if given is None else given or ALL
