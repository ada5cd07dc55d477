"""The tables that recognition's measurements end in.

Lives here: medians, ratios, and how they are laid out. Does not: measuring (speech.py).
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

Figures = Mapping[str, Any]
"""What an engine's process tells: CPU and wall seconds, peak memory, windows, perhaps parts."""

OURS, PHASES, FLOOR = "ours", "phases", "encoder"


def compared(title: str, rounds: Mapping[str, Sequence[Figures]], names: Mapping[str, str]) -> Table:
    """One row for each engine; ratios are of the medians, and `x` is how often ours fits into it."""
    heads = ("engine", "windows", "CPU s", "x CPU", "wall s", "x wall", "peak MB", "x encoder")
    table = Table(*heads, title=title, title_justify="left")
    floor = median(rounds.get(PHASES, ()), "parts", FLOOR)
    ours = {what: median(rounds.get(OURS, ()), what) for what in ("cpu", "wall")}
    for name, runs in rounds.items():
        if name == PHASES or not runs:
            continue
        cpu, wall = median(runs, "cpu"), median(runs, "wall")
        peak = max(run["peak_mb"] for run in runs)
        row = [str(runs[0]["windows"]), f"{cpu:.1f}", ratio(cpu, ours["cpu"]), f"{wall:.1f}"]
        table.add_row(names[name], *row, ratio(wall, ours["wall"]), f"{peak:.0f}", ratio(cpu, floor))
    return table


def shares(title: str, rounds: Mapping[str, Sequence[Figures]]) -> Table:
    """What each step takes, as a share of all and as a multiple of the encoder alone, which is the floor."""
    table = Table("step", "CPU s", "share", "x encoder", title=title, title_justify="left")
    runs = rounds.get(PHASES, ())
    if not runs:
        return table
    steps = {name: median(runs, "parts", name) for name in runs[0]["parts"]}
    total = sum(steps.values())
    for name, seconds in steps.items():
        table.add_row(name, f"{seconds:.1f}", f"{seconds / total:.0%}", ratio(seconds, steps[FLOOR]))
    table.add_row("all steps", f"{total:.1f}", "100%", ratio(total, steps[FLOOR]))
    return table


def growth(counts: Sequence[int], runs: Sequence[Figures]) -> Table:
    """What a call costs when there are more of them; the last column would stay at 1.00."""
    table = Table("calls", "CPU s", "ms of CPU a call", "x the first", "peak MB")
    first = runs[0]["cpu"] / counts[0]
    for count, run in zip(counts, runs, strict=True):
        each = run["cpu"] / count
        row = (f"{run['cpu']:.1f}", f"{each * 1000:.0f}", ratio(each, first), f"{run['peak_mb']:.0f}")
        table.add_row(str(count), *row)
    return table


def median(runs: Sequence[Figures], *path: str) -> float:
    """The median of what lies there; 0 without runs."""
    found = []
    for run in runs:
        value: Any = run
        for step in path:
            value = value[step]
        found.append(float(value))
    return statistics.median(found) if found else 0.0


def ratio(value: float, of: float) -> str:
    """As a table shows it; nothing where there is nothing to compare with."""
    return f"{value / of:.2f}" if of else ""
