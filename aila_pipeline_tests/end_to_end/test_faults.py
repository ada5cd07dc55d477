"""Processes of a real stack are killed; nothing is lost, nothing is done twice, nothing is left behind."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import av
import dagster as dg
import numpy as np
import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore, open_store
from aila_pipeline.audit import Audit
from aila_pipeline.dagster_home import dagster_environment
from aila_pipeline.domain.status import Stage
from aila_pipeline.settings import Settings
from aila_pipeline.stack import Stack
from aila_pipeline_tests.adapters.sounds import a_recording
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import zipped

pytestmark = pytest.mark.slow

KILLS = 20
REPEATS = 2
PATIENCE_SECONDS = 600.0


class Site:
    """A home with its ledger and store, whose stack may be up or down."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.ledger_url)
        self.ledger.migrate()
        self.store: ObjectStore = open_store(settings.store_url)

    def up(self) -> Stack:
        """A stack on this home, to be entered."""
        return Stack(self.settings, dagster_port=0, env=environment(self.settings))

    def drop(self, files: dict[str, bytes], place: str = "inbox/kz/acme/one") -> None:
        """A pair with a row for each file."""
        self.store.write(f"{place}/audios.zip", zipped(files))
        self.store.write(f"{place}/metadata.csv", a_csv(*(a_row(name) for name in files)))

    def ended(self) -> bool:
        """Whether there is a batch and all have ended."""
        batches = self.ledger.views.recent()
        return bool(batches) and all(batch.status.terminal for batch in batches)

    def shards_exist(self) -> bool:
        """Whether the batch has been cut."""
        return any(batch.counts for batch in self.ledger.views.recent())

    def differences(self) -> list[str]:
        """What the audit finds, and what is not told yet."""
        os.environ.update(dagster_environment(self.settings))
        with dg.DagsterInstance.get() as instance:
            audit = Audit(self.settings, self.ledger, self.store, instance, lambda _line: None)
            return [f"{found.kind} {found.subject}: {found.what}" for found in audit.differences()]


def environment(settings: Settings) -> dict[str, str]:
    """The settings as the stack's children read them."""
    return {
        "AILA_HOME": str(settings.home),
        "AILA_WHISPER_MODEL": "demo",
        "AILA_DEMO": "1",
        "AILA_LEASE_SECONDS": str(settings.lease_seconds),
        "AILA_CRASH_LIMIT": str(settings.crash_limit),
    }


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(Settings(home=tmp_path / "home", whisper_model="demo", demo=True, lease_seconds=15.0, crash_limit=50))
    yield made
    made.ledger.close()


def recordings(folder: Path, speech: bytes, count: int) -> dict[str, bytes]:
    """Different recordings that all take a while to recognise: the speech several times, with pauses of its own."""
    with av.open(io.BytesIO(speech), "r") as container:
        rate_hz = container.streams.audio[0].rate
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    spoken = np.concatenate(frames, axis=1).astype(np.float32).reshape(1, -1)
    left, right = spoken[0, 0::2] / 32768, spoken[0, 1::2] / 32768
    files = {}
    for number in range(count):
        pause = np.zeros(rate_hz // 10 * (number + 1), np.float32)
        channels = [np.tile(np.concatenate([side, pause]), REPEATS) for side in (left, right)]
        path = a_recording(folder / f"{number}.flac", "flac", *channels, rate_hz=rate_hz)
        files[f"call_{number:02}.flac"] = path.read_bytes()
    return files


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Poll twice a second."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"gave up waiting until {what}"
        time.sleep(0.5)


def recognised(site: Site) -> dict[str, datetime]:
    """The recognitions there are, and when each was written."""
    return {info.key: info.modified for info in site.store.list("_aila/transcripts/")}


def test_a_worker_killed_at_random_moments_costs_no_call_and_no_second_recognition(
    site: Site, speech: bytes, tmp_path: Path
) -> None:
    """Twenty times; finished calls are found as they were, by the time at which their recognition was written."""
    files = recordings(tmp_path, speech, 50)
    site.drop(files)
    written: dict[str, datetime] = {}
    chance = random.Random(7)
    with site.up() as stack:
        killed = 0
        wait_until(lambda: bool(site.ledger.views.recent()) and site.shards_exist(), "the batch is accepted")
        while killed < KILLS and not site.ended():
            if killed % 3:  # most kills fall into recognition, the others into the start of a run or its first stage
                wait_until(lambda: len(recognised(site)) > len(written) or site.ended(), "a call is recognised")
                time.sleep(chance.uniform(0.0, 2.0))
            else:
                wait_until(lambda: bool(stack.run_pids()) or site.ended(), "a run starts")
                time.sleep(chance.uniform(0.0, 6.0))
            for pid in stack.run_pids():
                os.kill(pid, signal.SIGKILL)
                killed += 1
            for key, modified in recognised(site).items():
                assert written.setdefault(key, modified) == modified, "recognised again"
        wait_until(site.ended, "every batch has ended")
        wait_until(lambda: site.ledger.events.waiting() == 0, "every ending is told")
    assert killed >= KILLS
    (batch,) = site.ledger.views.recent()
    calls = site.ledger.views.calls_of(batch.id)
    assert Counter(str(call.status) for call in calls) == {"completed": len(files)}
    assert {call.attempt for call in calls} == {1}
    results = site.ledger.views.results([call.id for call in calls], Stage.TRANSCRIPTS)
    assert len({found[Stage.TRANSCRIPTS].document["key"] for found in results.values()}) == len(files)
    assert site.differences() == []
    assert at_work(site) == {}


def test_everything_killed_goes_on_after_the_next_start(site: Site, speech: bytes, tmp_path: Path) -> None:
    """`aila up` itself, its three processes and the run's worker, all with kill -9."""
    site.drop(recordings(tmp_path, speech, 6))
    aila = Path(sys.executable).parent / "aila"
    variables = os.environ | environment(site.settings)
    with (tmp_path / "up.log").open("wb") as log:
        up = subprocess.Popen([aila, "up", "--dagster-port", "0"], env=variables, stdout=log, stderr=log)
    try:
        wait_until(lambda: bool(list(site.store.list("_aila/audio/"))), "work has begun")
    finally:
        for pid in at_work(site):
            os.kill(pid, signal.SIGKILL)
    up.wait()
    wait_until(lambda: at_work(site) == {}, "nothing is left")
    with site.up():
        wait_until(site.ended, "every batch has ended")
        wait_until(lambda: site.ledger.events.waiting() == 0, "every ending is told")
    assert [str(batch.status) for batch in site.ledger.views.recent()] == ["completed"]
    assert site.differences() == []
    assert at_work(site) == {}


def test_a_killed_daemon_is_started_again_and_the_work_goes_on(site: Site, speech: bytes) -> None:
    with site.up() as stack:
        site.drop({"speech.flac": speech})
        os.kill(stack.pids()["daemon"], signal.SIGKILL)
        wait_until(site.ended, "every batch has ended")
    assert site.differences() == []


def at_work(site: Site) -> dict[int, str]:
    """Process ids and command lines of all that works on the home, this process left out."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = str(site.settings.home).encode() in (process / "environ").read_bytes()
            if ours and int(process.name) != os.getpid():
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended meanwhile
            continue
    return found
