"""Recognition measured: ours against what people use, in one run, with models of true dimensions.

    nice -n 5 .venv/bin/python -m tools.measurements.speech [--models tiny:5 small:2] [--minutes 1 5] [--rounds 3]

Lives here: which engines over which calls, in which order. Does not: the engines (speech_engines.py,
speech_foreign.py), the calls (speech_calls.py), the models (random_model.py), the tables (speech_tables.py).

Each engine runs in a process of its own, in turns, several rounds; the tables have the medians. On a shared machine
only the ratios mean something, and CPU seconds more than wall seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tools.measurements.random_ggml import make_ggml
from tools.measurements.random_model import KNOWN, make_model
from tools.measurements.speech_calls import MadeCall, make_calls
from tools.measurements.speech_installed import python_of_others
from tools.measurements.speech_tables import compared, growth, shares

TOKENS_PER_VOICED_SECOND = 4.0
"""150 words a minute at 1.6 tokens a word, as Whisper writes them with punctuation and timestamps."""

ENGINES = {
    "downmix": "faster-whisper, both channels mixed",
    "channels": "faster-whisper, each channel",
    "channels+vad": "faster-whisper, each channel, VAD",
    "batched": "BatchedInferencePipeline, each channel",
    "openai": "openai-whisper, each channel, float32",
    "cpp": "whisper.cpp, each channel, Q8_0",
    "ours-untuned": "ours, malloc and AVX2 as they come",
    "ours": "ours",
    "phases": "ours, step by step",
}
FOREIGN = ("openai", "cpp")
LEAST = "least"
"""The model for what does not depend on the model."""


@dataclass(frozen=True)
class Bench:
    """One model, and who else can run its like. `others` is a Python, or why there is none."""

    name: str
    directory: Path
    others: Path | str
    beam: int

    @classmethod
    def made(cls, name: str, folder: Path, others: Path | str, beam: int) -> Bench:
        """Its files, in a new directory."""
        directory = make_model(folder / name, KNOWN[name])
        if isinstance(others, Path):
            make_ggml(directory / "ggml.bin", KNOWN[name])
        return cls(name, directory, others, beam)

    def run(self, engine: str, calls: Sequence[MadeCall], tokens: float = TOKENS_PER_VOICED_SECOND) -> dict[str, Any]:
        """The figures of one engine over these calls, from a fresh process."""
        budget, sizes = tokens * sum(call.voiced_seconds for call in calls), KNOWN[self.name]
        if engine in FOREIGN:
            what = [engine, self.directory / "ggml.bin", sizes.width, sizes.heads, sizes.layers, self.beam]
            command = [self.others, "-m", "tools.measurements.speech_foreign", *what, budget]
        else:
            command = [
                sys.executable,
                "-m",
                "tools.measurements.speech_engines",
                engine,
                self.directory,
                self.beam,
                budget,
            ]
        done = subprocess.run(
            [str(part) for part in (*command, *(call.path for call in calls))],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=os.environ | {"OMP_NUM_THREADS": "2"},
        )
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=["tiny:5", "small:2"], help="each with its number of calls")
    parser.add_argument("--minutes", type=float, nargs=2, default=(1.0, 5.0), help="shortest and longest call")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="*", choices=sorted(ENGINES), default=list(ENGINES))
    parser.add_argument("--beam", type=int, default=5, help="faster-whisper's default is 5; the same for all engines")
    parser.add_argument("--growth", type=int, nargs="*", default=[], help="ours over so many calls of a minute each")
    parser.add_argument(
        "--memory", type=float, nargs=2, metavar=("CALLS", "MINUTES"), help="ours over such calls alone, with `tiny`"
    )
    parser.add_argument("--memory-tokens", type=float, default=TOKENS_PER_VOICED_SECOND, help="for a second of voice")
    chosen = parser.parse_args()
    console = Console(width=150)
    console.print(_machine())
    engines, others = _engines(chosen.engines if chosen.models and chosen.rounds else [], console)
    with tempfile.TemporaryDirectory(prefix="aila-speech-") as made:
        folder = Path(made)
        for number, model in enumerate(chosen.models):
            name, _, count = model.partition(":")
            choice = random.Random(5)
            minutes = [choice.uniform(*chosen.minutes) for _ in range(int(count or 5))]
            calls = make_calls(folder / f"calls-{number}", minutes)
            _compare(Bench.made(name, folder, others, chosen.beam), calls, engines, chosen.rounds, console)
        if chosen.growth:
            bench = Bench.made(LEAST, folder, "", chosen.beam)
            runs = []
            for count in chosen.growth:
                runs.append(bench.run("ours", make_calls(folder / f"growth-{count}", [1.0] * count, seed=count)))
                console.print(f"growth: {count} calls: {runs[-1]['cpu']:.1f} s of CPU", style="dim")
            console.print(f"calls of a minute each, a model of 2 layers of {KNOWN[LEAST].width}")
            console.print(growth(chosen.growth, runs))
        if chosen.memory:
            _memory(Bench.made("tiny", folder / "memory", "", chosen.beam), chosen, console)


def _engines(wanted: Sequence[str], console: Console) -> tuple[list[str], Path | str]:
    """Those that can run, and the Python of the foreign ones."""
    if not set(wanted) & set(FOREIGN):
        return list(wanted), ""
    console.print("openai-whisper and whisper.cpp: installing beside the project, once", style="dim")
    others = python_of_others()
    if isinstance(others, str):
        console.print(f"openai-whisper and whisper.cpp are not measured, they did not install: {others}")
        return [name for name in wanted if name not in FOREIGN], others
    return list(wanted), others


def _compare(bench: Bench, calls: Sequence[MadeCall], engines: list[str], rounds: int, console: Console) -> None:
    """All engines in turns, and the tables."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in engines}
    runs = [(number, name) for number in range(rounds) for name in engines]
    for done, (number, name) in enumerate(runs, 1):
        figures = bench.run(name, calls)
        found[name].append(figures)
        told = f"{ENGINES[name]}: {figures['cpu']:.1f} s of CPU, {figures['wall']:.1f} s, {figures['peak_mb']:.0f} MB"
        console.print(f"{bench.name}: {done} of {len(runs)}, round {number + 1}: {told}", style="dim")
    if runs:
        console.print(compared(_described(bench, calls), found, ENGINES))
        console.print(shares(f"Where the time goes, `{bench.name}`, in two workers of one thread", found))


def _memory(bench: Bench, chosen: argparse.Namespace, console: Console) -> None:
    count, minutes = int(chosen.memory[0]), chosen.memory[1]
    (one,) = make_calls(bench.directory / "calls", [minutes])
    found = bench.run("ours", [one] * count, chosen.memory_tokens)
    told = f"`tiny`, {chosen.memory_tokens:g} tokens for a second of voice, {count} calls of {minutes:g} minutes"
    peak, loaded = found["peak_mb"], found["loaded_mb"]
    console.print(f"{told}: peak {peak:.0f} MB, {peak - loaded:.0f} above the loaded model's {loaded:.0f}")


def _machine() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text("utf-8", "replace").splitlines() if described.is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{platform.machine()} {model}, {os.cpu_count()} processors, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}; load before: {load}"
    )


def _described(bench: Bench, calls: Sequence[MadeCall]) -> str:
    seconds, voiced = sum(call.seconds for call in calls), sum(call.voiced_seconds for call in calls)
    return (
        f"{len(calls)} stereo calls, {seconds / 60:.1f} minutes, voice on {voiced / 2 / seconds:.0%} of each channel; "
        f"dimensions of `{bench.name}`, random weights,\n{TOKENS_PER_VOICED_SECOND:g} tokens for each second of voice, "
        f"beam {bench.beam}, int8 unless said, 2 threads, word times"
    )


if __name__ == "__main__":
    main()
