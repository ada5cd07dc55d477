"""Plots: the numbers behind the pictures of a report, ready to be drawn.

Lives here: bins, shares and lanes. Does not: colours and markup (templates/).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aila_pipeline.domain.models import Role
from aila_pipeline.domain.report.model import ReportedCall
from aila_pipeline.domain.report.wording import ROLES, percent

BINS = 10
"""Columns of the score plot: tenths of the scale. A score of 100 is in the last."""


@dataclass(frozen=True)
class Bin:
    """How many calls have a score from `low` to below `high`."""

    low: int
    high: int
    count: int
    height: float
    """Of the highest column, 0..1."""


@dataclass(frozen=True)
class Part:
    """One colour of a stacked bar, in percent of its length."""

    kind: str
    """`operator`, `client`, `unknown` or `silence`."""
    offset: float
    length: float


@dataclass(frozen=True)
class Bar:
    """How a call's time was spent."""

    call: ReportedCall
    parts: tuple[Part, ...]
    told: str
    """The same in words."""


@dataclass(frozen=True)
class Lane:
    """One channel of a call's timeline; the parts are percent of the recording."""

    label: str
    kind: str
    parts: tuple[Part, ...]


def score_bins(totals: Sequence[float]) -> list[Bin]:
    """The distribution of scores."""
    width = 100 // BINS
    counts = [0] * BINS
    for total in totals:
        counts[min(int(total // width), BINS - 1)] += 1
    highest = max(counts) or 1
    return [
        Bin(low=at * width, high=(at + 1) * width, count=count, height=count / highest)
        for at, count in enumerate(counts)
    ]


def talk_bar(call: ReportedCall) -> Bar | None:
    """How the call's time divides into talk of each role and silence; None when nothing is known of it.

    What several say at once counts for each of them, so the parts are shares of the sum of talk and silence.
    """
    if call.insights is None or call.insights.seconds <= 0:
        return None
    talk = call.insights.talk_seconds
    seconds = {role.value: talk.of(role) for role in Role} | {"silence": call.insights.silence.total_seconds}
    whole = sum(seconds.values())
    if whole <= 0:
        return None
    parts, offset = [], 0.0
    for kind, spent in seconds.items():
        if spent > 0:
            parts.append(Part(kind, round(offset, 2), round(spent * 100 / whole, 2)))
            offset += spent * 100 / whole
    names = {role.value: name for role, name in ROLES.items()} | {"silence": "silence"}
    told = ", ".join(f"{names[part.kind]} {percent(part.length / 100)}" for part in parts)
    return Bar(call, tuple(parts), told)


def talk_bars(calls: Sequence[ReportedCall]) -> list[Bar]:
    """The bars of all calls of which something is known, from most to least talk of the operator."""
    bars = [bar for bar in map(talk_bar, calls) if bar is not None]
    return sorted(bars, key=lambda bar: (-_share(bar, "operator"), _share(bar, "silence")))


def timeline(call: ReportedCall) -> list[Lane]:
    """Who spoke when: one lane a channel."""
    if call.transcript is None or call.insights is None or call.insights.seconds <= 0:
        return []
    scale = 100 / call.insights.seconds
    lanes: dict[int, tuple[Role, list[Part]]] = {}
    for turn in call.transcript.turns:
        lanes.setdefault(turn.channel, (turn.role, []))[1].append(
            Part(turn.role.value, round(turn.start * scale, 2), round(max((turn.end - turn.start) * scale, 0.2), 2))
        )
    return [Lane(ROLES[role], role.value, tuple(parts)) for _, (role, parts) in sorted(lanes.items())]


def _share(bar: Bar, kind: str) -> float:
    return sum(part.length for part in bar.parts if part.kind == kind)
