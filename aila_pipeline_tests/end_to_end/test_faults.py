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
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from aila_pipeline.domain.status import Stage
from aila_pipeline.settings import Settings
from aila_pipeline_tests.adapters.sounds import a_recording
from aila_pipeline_tests.end_to_end.site import Site, at_work, environment, wait_until

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("AILA_TEST_KILLS", "3"))
"""Each costs a launch, 15-20 s; docs/benchmarks.md tells of 20."""
REPEATS = 2


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(Settings(home=tmp_path / "home", whisper_model="demo", demo=True, lease_seconds=15.0, crash_limit=50))
    yield made
    made.ledger.close()


def recordings(folder: Path, speech: bytes, numbers: range) -> dict[str, bytes]:
    """Different recordings that all take a while to recognise: the speech several times, with pauses of its own."""
    with av.open(io.BytesIO(speech), "r") as container:
        rate_hz = container.streams.audio[0].rate
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    spoken = np.concatenate(frames, axis=1).astype(np.float32).reshape(1, -1)
    left, right = spoken[0, 0::2] / 32768, spoken[0, 1::2] / 32768
    files = {}
    for number in numbers:
        pause = np.zeros(rate_hz // 10 * (number + 1), np.float32)
        channels = [np.tile(np.concatenate([side, pause]), REPEATS) for side in (left, right)]
        path = a_recording(folder / f"{number}.flac", "flac", *channels, rate_hz=rate_hz)
        files[f"call_{number:02}.flac"] = path.read_bytes()
    return files


def recognised(site: Site) -> dict[str, datetime]:
    """The recognitions there are, and when each was written."""
    return {info.key: info.modified for info in site.store.list("_aila/transcripts/")}


def test_a_worker_killed_at_random_moments_costs_no_call_and_no_second_recognition(
    site: Site, speech: bytes, tmp_path: Path
) -> None:
    """Finished calls are found as they were, by the time at which their recognition was written."""
    batches = dropped = killed = 0
    written: dict[str, datetime] = {}
    chance = random.Random(7)
    with site.up() as stack:
        while killed < KILLS:
            if site.ended() or not batches:  # a fast machine ends a batch before enough workers are killed
                size = KILLS * 5 // 2 + 4
                files = recordings(tmp_path, speech, range(dropped, dropped + size))
                site.drop(files, f"inbox/kz/acme/{batches}")
                batches, dropped = batches + 1, dropped + size
                wait_until(partial(site.batches_cut, batches), "the batch is accepted")
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
    calls = [call for batch in site.ledger.views.recent() for call in site.ledger.views.calls_of(batch.id)]
    assert Counter(str(call.status) for call in calls) == {"completed": dropped}
    assert {call.attempt for call in calls} == {1}
    results = site.ledger.views.results([call.id for call in calls], Stage.TRANSCRIPTS)
    assert len({found[Stage.TRANSCRIPTS].document["key"] for found in results.values()}) == dropped
    assert site.differences() == []
    assert at_work(site) == {}


def test_everything_killed_goes_on_after_the_next_start(site: Site, speech: bytes, tmp_path: Path) -> None:
    """`aila up` itself, its three processes and the run's worker, all with kill -9."""
    site.drop(recordings(tmp_path, speech, range(6)))
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
