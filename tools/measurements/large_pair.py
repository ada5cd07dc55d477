"""A pair of many tiny calls through a real stack: time per stage, memory per process, and an audit at the end.

    .venv/bin/python -m tools.measurements.large_pair --rows 5000

Lives here: making the pair, watching the processes, the table. Does not: speed of recognition (the files are almost
silent; there is nothing to recognise in them).
"""

from __future__ import annotations

import argparse
import io
import os
import random
import struct
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.tables import shards, stage_results
from aila_pipeline.adapters.ledger.views import BatchView
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.audit import Audit
from aila_pipeline.dagster_home import dagster_environment
from aila_pipeline.settings import Settings
from aila_pipeline.stack import Stack

RATE_HZ = 8_000
TELL_EVERY_SECONDS = 30.0
HEADER = "audio_file_name,client_phone_number,operator_name,start_time,segment_type,right_channel,left_channel\n"


def wav(number: int, seconds: float = 0.5) -> bytes:
    """An almost silent stereo recording, different for each number."""
    chance = random.Random(number)
    samples = [chance.choice((0, 0, 1)) for _ in range(int(RATE_HZ * seconds) * 2)]
    body = struct.pack(f"<{len(samples)}h", *samples)
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, RATE_HZ, RATE_HZ * 4, 4, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", 36 + len(body), b"WAVE") + fmt + struct.pack("<4sI", b"data", len(body)) + body
    )


def drop(store: ObjectStore, rows: int) -> int:
    """Put the pair into the drop zone; returns the archive's size in bytes."""
    target, lines = io.BytesIO(), [HEADER]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(rows):
            archive.writestr(f"call_{number:05}.wav", wav(number))
            lines.append(
                f"call_{number:05}.wav,+77012345678,Agent {number % 40},2026-01-13T10:30:00,sales,operator,client\n"
            )
    store.write("inbox/kz/acme/large/audios.zip", target.getvalue())
    store.write("inbox/kz/acme/large/metadata.csv", "".join(lines).encode())
    return len(target.getvalue())


def resident(home: Path) -> Iterator[tuple[str, int]]:
    """Name and peak resident bytes of each process that works on the home."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(home).encode() not in (process / "environ").read_bytes():
                continue
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            peak = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM"))
        except (OSError, StopIteration):  # ended meanwhile
            continue
        names = {
            "webserver": "webserver",
            "daemon": "daemon",
            "multiprocessing": "run worker",
            "api grpc": "code server",
        }
        yield next((name for part, name in names.items() if part in command), "other"), int(peak.split()[1]) * 1024


def watch(ledger: Ledger, home: Path, console: Console) -> tuple[BatchView, dict[str, int]]:
    """Wait until the batch has ended; returns it with the peak memory per kind of process."""
    peaks: dict[str, int] = {}
    begun = told = time.monotonic()
    with console.status("waiting for the batch") as status:
        while True:
            for name, size in resident(home):
                peaks[name] = max(peaks.get(name, 0), size)
            found = ledger.views.recent()
            if found:
                done = sum(found[0].counts.values()) - found[0].pending
                line = f"{found[0].status}: {done} of {sum(found[0].counts.values())} calls ended"
                status.update(line)
                if time.monotonic() - told > TELL_EVERY_SECONDS:
                    told = time.monotonic()
                    console.print(f"{told - begun:6.0f} s  {line}")
                if found[0].status.terminal and ledger.events.waiting() == 0:
                    return found[0], peaks
            time.sleep(1.0)


def stage_seconds(ledger: Ledger) -> list[tuple[str, int, float]]:
    """Stage, results and seconds spent in it, summed over all workers."""
    query = sa.select(stage_results.c.stage, sa.func.count(), sa.func.sum(stage_results.c.seconds)).group_by(
        stage_results.c.stage
    )
    return [
        (str(stage), count, seconds) for stage, count, seconds in ledger.database.read(lambda c: c.execute(query).all())
    ]


def main() -> None:
    """Measure, print, and exit with 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--in-flight", type=int, default=4, help="shards processed at one time")
    chosen = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="aila-large-") as folder:
        home = Path(folder)
        environment = {"AILA_HOME": folder, "AILA_WHISPER_MODEL": "demo", "AILA_DEMO": "1"}
        environment["AILA_MAX_SHARDS_IN_FLIGHT"] = str(chosen.in_flight)
        os.environ.update(environment)
        settings = Settings()
        ledger, store = Ledger(settings.ledger_url), open_store(settings.store_url)
        with Stack(settings, dagster_port=0, env=environment, prepare=ledger.migrate):
            archive_bytes = drop(store, chosen.rows)
            began = time.monotonic()
            batch, peaks = watch(ledger, home, console)
            took = time.monotonic() - began
        console.print(f"archive {archive_bytes / 1e6:.1f} MB")
        report(console, ledger, batch, took)
        console.print(memory(peaks))
        os.environ.update(dagster_environment(settings))
        with dg.DagsterInstance.get() as instance:
            lost = list(Audit(settings, ledger, store, instance, lambda _line: None).differences())
        console.print(f"audit: {len(lost)} differences")
        ledger.close()
    raise SystemExit(bool(lost))


def report(console: Console, ledger: Ledger, batch: BatchView, took: float) -> None:
    """What became of the batch, and the time per stage."""
    count = ledger.database.read(lambda c: c.scalar(sa.select(sa.func.count()).select_from(shards)))
    calls = sum(batch.counts.values())
    console.print(f"{calls} calls in {count} shards: {batch.status} in {took:.0f} s, {calls / took:.1f} calls a second")
    if isinstance(batch.started_at, datetime):
        waited = (batch.started_at - batch.received_at).total_seconds()
        console.print(f"from arrival to the start of the first shard: {waited:.0f} s")
    stages = Table("stage", "results", "seconds", "ms a call")
    for stage, results, seconds in sorted(stage_seconds(ledger)):
        stages.add_row(stage, str(results), f"{seconds:.1f}", f"{seconds / results * 1000:.1f}")
    console.print(stages)


def memory(peaks: dict[str, int]) -> Table:
    """The largest process of each kind."""
    table = Table("process", "peak MB")
    for name, size in sorted(peaks.items()):
        table.add_row(name, f"{size / 1e6:.0f}")
    return table


if __name__ == "__main__":
    main()
