"""Timing: arithmetic on stretches of time, in seconds from the start of a recording.

Lives here: unions, crossings and pauses of spans. Does not: who spoke in them or what it means (speech_measures.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

Span = tuple[float, float]
"""Start and end; the end is not before the start."""


def union(spans: Iterable[Span], bridge: float = 0.0) -> list[Span]:
    """The time covered by any of the spans, as spans apart and in order; gaps up to `bridge` seconds are closed.

    >>> union([(3, 4), (0, 1), (0.5, 2)])
    [(0, 2), (3, 4)]
    """
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= bridge:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def crossing(sides: Sequence[Sequence[Span]]) -> list[Span]:
    """The time in which at least two sides hold; the spans of one side lie apart.

    >>> crossing([[(0, 2), (5, 6)], [(1, 5.5)]])
    [(1, 2), (5, 5.5)]
    """
    edges = sorted((at, step) for side in sides for start, end in side for at, step in ((start, 1), (end, -1)))
    crossed: list[Span] = []
    holding, since = 0, 0.0
    for at, step in edges:  # an end sorts before a start at the same time: spans that touch do not cross
        holding += step
        if step == 1 and holding == 2:
            since = at
        elif step == -1 and holding == 1 and at > since:
            crossed.append((since, at))
    return crossed


def told(seconds: float) -> float:
    """Seconds as figures tell them, to the millisecond.

    Word times are no finer, and floats hold few of them exactly: from 2.1 to 5.1 are 2.9999999999999996 s. What is told
    as 3 s also has to count as 3 s, so bounds are compared with this.
    """
    return round(seconds, 3)


def pauses(spans: Sequence[Span]) -> list[Span]:
    """The gaps between spans that lie apart and in order."""
    return [(first[1], then[0]) for first, then in pairwise(spans)]


def total(spans: Iterable[Span]) -> float:
    """Seconds covered by spans that lie apart."""
    return sum(end - start for start, end in spans)
