"""Recognition measured: ours against what people use, in one run, with models of true dimensions.

    nice -n 5 .venv/bin/python -m tools.measurements.speech [--model tiny] [--calls 8] [--minutes 1 5] [--rounds 3]

Lives here: which engines over which calls, and the table. Does not: the engines (speech_engines.py), the calls
(speech_calls.py), the models (random_model.py).

Each engine runs in a process of its own, in turns, several rounds; the table has the median. On a shared machine only
the ratios mean something, and CPU seconds more than wall seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.measurements.random_model import KNOWN, make_model
from tools.measurements.speech_calls import MadeCall, make_calls

TOKENS_PER_VOICED_SECOND = 4.0
"""150 words a minute at 1.6 tokens a word, as Whisper writes them with punctuation and timestamps."""

ENGINES = {
    "downmix": "faster-whisper, both channels mixed",
    "channels": "faster-whisper, each channel",
    "channels+vad": "faster-whisper, each channel, VAD",
    "batched": "BatchedInferencePipeline, each channel",
    "ours-untuned": "ours, malloc left as it is",
    "ours": "ours",
    "phases": "ours, step by step, nothing beside it",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(KNOWN), default="tiny")
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--minutes", type=float, nargs=2, default=(1.0, 5.0), help="shortest and longest call")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="*", choices=sorted(ENGINES), default=list(ENGINES))
    parser.add_argument(
        "--memory", type=float, nargs=2, metavar=("CALLS", "MINUTES"), help="ours over such calls alone"
    )
    parser.add_argument("--growth", type=int, nargs="*", default=[], help="ours over so many calls of a minute each")
    chosen = parser.parse_args()
    console = Console(width=150)
    with tempfile.TemporaryDirectory(prefix="aila-speech-") as folder:
        model = make_model(Path(folder) / chosen.model, KNOWN[chosen.model])
        choice = random.Random(5)
        calls = make_calls(Path(folder) / "calls", [choice.uniform(*chosen.minutes) for _ in range(chosen.calls)])
        console.print(_described(chosen.model, calls))
        rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen.engines}
        for number in range(chosen.rounds):
            for name in chosen.engines:
                rounds[name].append(measured(name, model, calls))
                console.print(f"round {number + 1}: {name}: {rounds[name][-1]['cpu']:.0f} s of CPU", style="dim")
        if chosen.rounds:
            console.print(compared(rounds))
            console.print(shares(rounds))
        if chosen.memory:
            count, minutes = int(chosen.memory[0]), chosen.memory[1]
            one = make_calls(Path(folder) / "memory", [minutes])
            found = measured("ours", model, one * count)
            told = f"{count} calls of {minutes:g} minutes: peak {found['peak_mb']:.0f} MB"
            console.print(f"{told}, of which {found['loaded_mb']:.0f} MB were there when the model was loaded")
        for count in chosen.growth:
            some = make_calls(Path(folder) / f"growth-{count}", [1.0] * count, seed=count)
            found = measured("ours", model, some)
            console.print(
                f"{count} calls of a minute: {found['cpu'] / count:.2f} s of CPU a call, peak {found['peak_mb']:.0f} MB"
            )


def measured(engine: str, model: Path, calls: Sequence[MadeCall]) -> dict[str, Any]:
    """The figures of one engine over these calls, from a fresh process."""
    budget = TOKENS_PER_VOICED_SECOND * sum(call.voiced_seconds for call in calls)
    command = [sys.executable, "-m", "tools.measurements.speech_engines", engine, str(model), str(budget)]
    done = subprocess.run(
        [*command, *(str(call.path) for call in calls)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compared(rounds: dict[str, list[dict[str, Any]]]) -> Table:
    """One row for each engine; ratios are of the medians, and `x` is how often ours fits into it."""
    table = Table("engine", "windows", "CPU s", "x CPU", "wall s", "x wall", "peak MB")
    ours = rounds.get("ours")
    for name, runs in rounds.items():
        cpu, wall = (statistics.median(run[what] for run in runs) for what in ("cpu", "wall"))
        ratios = ["", ""]
        if ours:
            ratios = [
                f"{value / statistics.median(run[what] for run in ours):.2f}"
                for what, value in (("cpu", cpu), ("wall", wall))
            ]
        peak = max(run["peak_mb"] for run in runs)
        table.add_row(
            ENGINES[name], str(runs[0]["windows"]), f"{cpu:.1f}", ratios[0], f"{wall:.1f}", ratios[1], f"{peak:.0f}"
        )
    return table


def shares(rounds: dict[str, list[dict[str, Any]]]) -> Table:
    """What each step takes, as a share of all and as a multiple of the encoder alone, which is the floor."""
    table = Table("step", "CPU s", "share", "x encoder")
    runs = rounds.get("phases") or []
    if runs:
        steps = {name: statistics.median(run["parts"][name] for run in runs) for name in runs[0]["parts"]}
        total, floor = sum(steps.values()), steps["encoder"]
        for name, seconds in steps.items():
            table.add_row(name, f"{seconds:.1f}", f"{seconds / total:.0%}", f"{seconds / floor:.2f}")
        table.add_row("all steps", f"{total:.1f}", "100%", f"{total / floor:.2f}")
        for run_name in ("ours",) if rounds.get("ours") else ():
            cpu = statistics.median(run["cpu"] for run in rounds[run_name])
            table.add_row("ours as a whole", f"{cpu:.1f}", "", f"{cpu / floor:.2f}")
    return table


def _described(model: str, calls: Sequence[MadeCall]) -> str:
    seconds, voiced = sum(call.seconds for call in calls), sum(call.voiced_seconds for call in calls)
    return (
        f"{len(calls)} stereo calls, {seconds / 60:.1f} minutes, voice on {voiced / 2 / seconds:.0%} of each channel; "
        f"dimensions of `{model}`, random weights, {TOKENS_PER_VOICED_SECOND:g} tokens for each second of voice, "
        f"beam 5, int8, 2 threads; {platform.machine()}, {os.cpu_count()} processors, Python "
        f"{platform.python_version()}"
    )


if __name__ == "__main__":
    main()
