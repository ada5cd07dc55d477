"""`aila submit`: through the API, as any client would, and waiting for what becomes of it.

Lives here: what is sent, what is shown. Does not: the requests (client/), the drop zone (drop.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aila_pipeline.cli.files import Given, sort_out
from aila_pipeline.cli.opening import api_url, read_settings
from aila_pipeline.cli.output import Code, advised, plural, row, show, show_json, table, tell
from aila_pipeline.cli.progress import BatchProgress, Standing
from aila_pipeline.client import Batch, BatchCall, Client
from aila_pipeline.errors import ApiKeyMissing

POLL_SECONDS = 1.0
MOST_CALLS = 200
_RETRY_SECONDS = 30.0
_NAMED = 5


def submit_files(
    files: Sequence[Path],
    *,
    home: Path | None,
    api: str | None,
    key: str | None,
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Send a pair or a list of calls; with `wait`, the exit code tells the batch's status."""
    given = sort_out(files)
    settings = read_settings(home)
    if not key:
        raise ApiKeyMissing()
    with Client(api_url(settings, api), key, retry_seconds=_RETRY_SECONDS, on_retry=_tell_retry) as client:
        with BatchProgress() as progress:
            batch_id = _sent(client, given, progress)
            batch = None
            if wait:
                batch = client.wait(
                    batch_id,
                    poll_seconds=POLL_SECONDS,
                    timeout=timeout,
                    on_progress=lambda now: progress.update(Standing.of_answer(now, batch_id)),
                )
        if batch is None:
            _show_sent(batch_id, as_json=as_json)
            return Code.WELL
        calls = list(client.batch_calls(batch.id)) if batch.next_cursor else list(batch.calls)
    if as_json:
        show_json(_document(batch, calls))
    else:
        _show_ended(batch, calls)
    return Code.of_batch(batch.status)


def _sent(client: Client, given: Given, progress: BatchProgress) -> str:
    """The id of the batch that the files became."""
    if given.manifest is not None:
        return client.submit_calls(given.manifest.read_bytes())
    assert given.csv is not None
    assert given.zip is not None
    return client.submit_pair(given.csv, given.zip, on_progress=progress.sent)


def _tell_retry(why: str, seconds: float) -> None:
    tell(f"{why}; trying again in {seconds:.0f} s" if seconds >= 1 else f"{why}; trying again")


def _show_sent(batch_id: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"batch_id": batch_id})
    else:
        show(batch_id)
        tell(f"submitted; `aila status {batch_id}` shows what becomes of it")


def _document(batch: Batch, calls: Sequence[BatchCall]) -> dict[str, Any]:
    """The API's own answer, with all calls of a batch that it would list page by page."""
    return {**batch.document, "calls": [dict(call.document) for call in calls], "next_cursor": None}


def _show_ended(batch: Batch, calls: Sequence[BatchCall]) -> None:
    """The batch in a line, its calls as a table, its failures with what to do."""
    show(f"{batch.id}: {batch.status}, {plural(batch.total_calls, 'call')}, {batch.failed:,} failed")
    for line in (*batch.warnings, *([f"error: {batch.problem.get('message')}"] if batch.problem else [])):
        show(line)
    if not calls:
        return
    made = table("CALL", "EXTERNAL ID", "STATUS", "ERROR, WARNINGS", cut=("EXTERNAL ID",), fold=("ERROR, WARNINGS",))
    for call in calls[:MOST_CALLS]:
        told = ", ".join([*([call.error.code] if call.error else []), *call.warnings])
        row(made, call.id, call.external_id, call.status, told or None)
    show("", made)
    if len(calls) > MOST_CALLS:
        show(f"… {len(calls) - MOST_CALLS:,} more; --json shows all")
    _show_failures(calls)


def _show_failures(calls: Sequence[BatchCall]) -> None:
    """Each reason once, with the calls that it hit and what to do."""
    by_reason: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for call in calls:
        if call.error is not None:
            by_reason[call.error.code, call.error.message].append(call.external_id or call.id)
    if not by_reason:
        return
    made = table("FAILED", "CALLS", "WHY, AND WHAT TO DO", fold=("CALLS", "WHY, AND WHAT TO DO"))
    for (code, message), names in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        more = " …" if len(names) > _NAMED else ""
        row(made, f"{len(names):,} {code}", ", ".join(names[:_NAMED]) + more, advised(code, message))
    show("", made)
