"""`aila demo`: the whole way on sample calls, through every intake, with a real, if tiny, speech model.

Lives here: the order of things, and ending without a trace however it ends. Does not: the samples' ways in
(demo_home.py), the tables (demo_table.py).
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from aila_pipeline.adapters.batch_report import gather
from aila_pipeline.adapters.processes import adopt_orphans
from aila_pipeline.cli.demo_home import (
    EXPECTED,
    NOTICES,
    demo_settings,
    drop_samples,
    environment,
    submit_samples,
    tell_receiver,
)
from aila_pipeline.cli.demo_table import (
    calls_table,
    evidence_table,
    failures_table,
    invented,
    notices_told,
    outcome,
    people_told,
)
from aila_pipeline.cli.drop import Dropped, new_batch
from aila_pipeline.cli.opening import Opened
from aila_pipeline.cli.output import Code, error_line, length, plural, show, tell
from aila_pipeline.cli.progress import BatchProgress, Standing
from aila_pipeline.cli.up import bring_up_to_date
from aila_pipeline.cli.verify import differences
from aila_pipeline.dagster_home import code_socket
from aila_pipeline.demo.audio_host import audio_host
from aila_pipeline.demo.notice_receiver import NoticeReceiver, notice_receiver
from aila_pipeline.domain.report import BatchReport, render
from aila_pipeline.errors import WaitedTooLong
from aila_pipeline.stack import Stack

REPORTS = Path(".aila-demo")
HOME = "home"
PATIENCE_SECONDS = 900.0
"""A minute on two idle cores; a machine under load may take many times as long, and still works."""
_POLL_SECONDS = 0.25
_STACK = "Dagster, API"


def run_demo(*, keep: bool) -> int:
    """Exit code 0 when every call ended as it should, and ledger, Dagster and objects agree; else 1."""
    begun = time.monotonic()
    adopt_orphans()
    with (
        _signals_end_it(),
        _throw_away_home(keep=keep) as home,
        audio_host() as host,
        notice_receiver() as receiver,
    ):
        settings = demo_settings(home / HOME, near=(host, receiver.place))
        here = Opened(settings)
        try:
            demo = _Demo(here, home / "samples", host, receiver, begun)
            reports, left = _process(demo, drop_samples(here, demo.samples))
            people = people_told(here)
        finally:
            here.close()
    for name, report in reports.items():
        _show(name, report)
    show("", people, notices_told(receiver.counts, receiver.refused))
    show("", *_kept(reports))
    wrong = [name for name, report in reports.items() if outcome(report) != EXPECTED[name]]
    wrong += [f"evidence of {name}" for name, report in reports.items() if invented(report)]
    wrong += ["notices"] if receiver.counts != NOTICES or receiver.refused else []
    show(f"ledger, Dagster's events and objects: {'in agreement' if not left else plural(len(left), 'difference')}")
    show(*(f"  {line}" for line in left))
    if keep:
        show(f"the home is kept: aila up --home {settings.home}")
    show(f"done in {length(time.monotonic() - begun)}; every process that was started has ended")
    if wrong or left:
        error_line(
            f"not as expected: {', '.join(wrong) or 'the verification'}; `aila demo --keep` leaves all to look at"
        )
        return Code.OTHER
    show("two calls failed on purpose, all others are completed, as it should be")
    return Code.WELL


@dataclass(frozen=True)
class _Demo:
    """The opened home, where samples are packed, the `host:port` that serves them, who is told, and when it began."""

    here: Opened
    samples: Path
    audio_host: str
    receiver: NoticeReceiver
    begun: float


def _process(demo: _Demo, dropped: Sequence[Dropped]) -> tuple[dict[str, BatchReport], list[str]]:
    """The stack up, all samples through it, the stack down; the batches' reports by name, and what does not agree."""
    here, notes = demo.here, list[str]()

    def migrate() -> None:
        bring_up_to_date(here.settings)

    stack = Stack(
        here.settings,
        api_port=0,
        dagster_port=0,
        env=environment(here.settings),
        prepare=migrate,
        tell=notes.append,
    )
    with BatchProgress() as progress:
        progress.phase(_STACK, "starting Dagster's three processes and the API")
        with stack:
            urls = f"{stack.dagster_url} and {stack.api_url}"
            progress.phase(_STACK, f"up after {time.monotonic() - demo.begun:.0f} s at {urls}")
            assert stack.api_url is not None, "it has a port"
            tell_receiver(here, demo.receiver)
            submitted = submit_samples(here, demo.samples, api_url=stack.api_url, audio_host=demo.audio_host)
            batches = _until_ended(here, dropped, submitted, progress)
            _until_told(here, demo.receiver, progress)
            progress.phase(_STACK, "comparing ledger, events and objects")
            left = [f"{each.kind} {each.subject}: {each.what}" for each in differences(here, lambda _line: None)]
            reports = {name: gather(here.ledger, here.store, batch_id) for name, batch_id in batches.items()}
            progress.phase(_STACK, "stopping")
        progress.phase(_STACK, "stopped", over=True)
    for note in notes:
        tell(note)
    return reports, left


def _until_ended(
    here: Opened, dropped: Sequence[Dropped], submitted: dict[str, str], progress: BatchProgress
) -> dict[str, str]:
    """The batches' ids by name, once all of them have ended and Dagster knows it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    batches = dict(submitted)
    while True:
        for drop in dropped:
            found = batches.get(_name(drop)) or new_batch(here, drop)
            if found is None:
                progress.phase(_name(drop), "waits in the drop zone; a sensor looks every 5 s")
            else:
                batches[_name(drop)] = found
        views = {name: here.ledger.views.batch(batch_id) for name, batch_id in batches.items()}
        for name, view in views.items():
            assert view is not None, "a batch is never removed"
            progress.update(replace(Standing.of_view(view), name=name))
        ended = sum(view is not None and view.status.terminal for view in views.values())
        if ended == len(dropped) + len(submitted) and here.ledger.events.waiting() == 0:
            return {name: batches[name] for name in EXPECTED}
        if time.monotonic() > deadline:
            raise WaitedTooLong(f"after {PATIENCE_SECONDS:.0f} s the sample calls have not ended")
        time.sleep(_POLL_SECONDS)


def _until_told(here: Opened, receiver: NoticeReceiver, progress: BatchProgress) -> None:
    """Wait until nothing is left to be told, or given up: a sensor starts the delivery."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while here.ledger.outbox_views.standing(webhooks=True, now=datetime.now(UTC)).waiting:
        told = f"{receiver.counts.total()} of {NOTICES.total()} messages are delivered; a sensor looks every 5 s"
        progress.phase("notices", told)
        if time.monotonic() > deadline:
            raise WaitedTooLong(f"after {PATIENCE_SECONDS:.0f} s the notices have not been delivered")
        time.sleep(_POLL_SECONDS)
    progress.phase("notices", f"{receiver.counts.total()} messages are delivered", over=True)


def _name(drop: Dropped) -> str:
    return drop.name.removesuffix(".json")


def _show(name: str, report: BatchReport) -> None:
    kind = (report.source or "").partition(" ")[0]
    title = f"{name}: {plural(len(report.calls), 'call')}, {length(report.audio_seconds)} of audio, {report.status}"
    show("", title, "", calls_table(report), "", evidence_table(report))
    failed = failures_table(report, "ROW" if kind == "pair" else "ITEM")
    if failed is not None:
        show("", failed)


def _kept(reports: dict[str, BatchReport]) -> Iterator[str]:
    """Write the reports where they outlive the home; tells where, line by line."""
    REPORTS.mkdir(exist_ok=True)
    (REPORTS / ".gitignore").write_text("*\n", encoding="utf-8")
    for name, report in reports.items():
        path = REPORTS / f"{name}.html"
        path.write_text(render(report), encoding="utf-8")
        yield f"report: {path.absolute()}"


@contextmanager
def _throw_away_home(*, keep: bool) -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="aila-demo-"))
    try:
        yield home
    finally:
        if not keep:
            socket = code_socket(demo_settings(home / HOME))
            shutil.rmtree(home, ignore_errors=True)
            # Where the home's path is too long for a socket, it lay in a directory of its own.
            with suppress(OSError):
                socket.parent.rmdir()


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the demo in order, even where a shell's `&` had SIGINT ignored."""

    def leave(signum: int, _frame: FrameType | None) -> None:
        sys.exit(128 + signum)

    before = {signum: signal.signal(signum, leave) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
