"""Speech measures: talk, silence, overlap and who waits for whom, from the times of turns and words.

Lives here: what can be measured without understanding a word. Does not: the meaning of each figure (figures.py), the
arithmetic of spans (timing.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from aila_pipeline.domain.insights.figures import Overlap, Silence
from aila_pipeline.domain.insights.timing import Span, crossing, pauses, told, total, union
from aila_pipeline.domain.models import Role, Turn

LONG_SILENCE_SECONDS = 3.0
"""A pause that a listener notices as one: well over the 1 s that speakers commonly tolerate (Jefferson, 1989)."""

MIN_OVERLAP_SECONDS = 0.2
"""Shorter crossings are within the error of word times."""

SPEECH_BRIDGE_SECONDS = 0.3
"""Words at most so far apart are one stretch of speech."""

INTERRUPTION_SECONDS = 0.5
"""Beginning a little early is how turns are commonly taken; from half a second on the other is cut short."""

INTERRUPTION_WORDS = 3
"""Fewer words ("yes okay") encourage rather than interrupt."""

MIN_PACE_SECONDS = 3.0
"""Under so much talk, words per minute is noise."""


def spans_of(turns: Sequence[Turn]) -> list[Span]:
    """The time that turns cover."""
    return union((turn.start, turn.end) for turn in turns)


def silence(turns: Sequence[Turn], seconds: float) -> Silence:
    """Time in which nobody has a turn, in a recording of so many seconds."""
    talk = spans_of(turns)
    gaps = [gap for gap in pauses(talk) if _lasts(gap) > 0]
    longest = max(gaps, key=_lasts, default=None)
    long = [gap for gap in gaps if _lasts(gap) >= LONG_SILENCE_SECONDS]
    silent = max(0.0, seconds - total(talk))
    return Silence(
        total_seconds=told(silent),
        share=round(silent / seconds, 6) if seconds > 0 else None,
        long_count=len(long),
        long_seconds=told(total(long)),
        longest_seconds=_lasts(longest) if longest else (0.0 if talk else None),
        longest_start_seconds=told(longest[0]) if longest else None,
    )


def _lasts(span: Span) -> float:
    return told(span[1] - span[0])


def overlap(turns: Sequence[Turn]) -> Overlap:
    """Time in which two channels or more have speech."""
    # Half a millisecond more, for what floats make of words that are just as far apart.
    bridge = SPEECH_BRIDGE_SECONDS + 0.0005
    spoken: dict[int, list[Span]] = {}
    for turn in turns:
        spoken.setdefault(turn.channel, []).extend((word.start, word.end) for word in turn.words)
    crossed = [
        span
        for span in crossing([union(words, bridge) for words in spoken.values()])
        if _lasts(span) >= MIN_OVERLAP_SECONDS
    ]
    return Overlap(count=len(crossed), total_seconds=told(total(crossed)))


def interruptions(turns: Sequence[Turn], role: Role) -> int:
    """How often this role cut another channel's turn short."""
    count = 0
    open_turns: list[Turn] = []
    for turn in turns:
        open_turns = [other for other in open_turns if told(other.end - turn.start) >= INTERRUPTION_SECONDS]
        count += turn.role is role and any(_cut_short(other, turn) for other in open_turns)
        open_turns.append(turn)
    return count


def _cut_short(other: Turn, turn: Turn) -> bool:
    """Whether `turn`, begun within `other`, takes the floor from it."""
    return (
        other.channel != turn.channel
        and other.start < turn.start
        and turn.end > other.end
        and len(turn.words) >= INTERRUPTION_WORDS
    )


def longest_monologue(turns: Sequence[Turn], role: Role) -> float:
    """Seconds of the role's longest monologue."""
    longest = 0.0
    stretches: dict[tuple[Role, int], Span] = {}
    floor_until = 0.0
    for turn in turns:
        speaker = turn.role, turn.channel
        if turn.end > floor_until:
            # It is no mere word within another's turn: what the others have said so far is over.
            stretches = {speaker: stretches[speaker]} if speaker in stretches else {}
            floor_until = turn.end
        since, until = stretches.get(speaker, (turn.start, turn.start))
        if told(turn.start - until) >= LONG_SILENCE_SECONDS:
            since = turn.start
        stretches[speaker] = since, turn.end
        if turn.role is role:
            longest = max(longest, turn.end - since)
    return told(longest)


def first_response_delay(turns: Sequence[Turn]) -> float | None:
    """Seconds from the end of the client's first turn to the operator's answer."""
    asked = next((turn for turn in turns if turn.role is Role.CLIENT), None)
    if asked is None:
        return None
    answer = next((turn for turn in turns if turn.role is Role.OPERATOR and turn.end > asked.end), None)
    return None if answer is None else told(max(0.0, answer.start - asked.end))
