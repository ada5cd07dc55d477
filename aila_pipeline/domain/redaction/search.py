"""Search: all that must go in one text.

Lives here: the order of the rules. Does not: any rule.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from aila_pipeline.domain.redaction import cues, emails, phones, written
from aila_pipeline.domain.redaction.cues import Cue
from aila_pipeline.domain.redaction.findings import Finding, settled
from aila_pipeline.domain.redaction.lexing import Token, tokens, whole, without
from aila_pipeline.domain.redaction.runs import Run, runs
from aila_pipeline.domain.redaction.verdict import FEWEST_SECRET, kind_of, must_go


def find(text: str) -> tuple[Finding, ...]:
    """What must go, in order and without overlaps. Any text will do; nothing is raised."""
    return find_in_turns(text, (), {})


def find_in_turns(text: str, borders: Sequence[int], asked: Mapping[int, Cue]) -> tuple[Finding, ...]:
    """The same for several turns of one speaker in one text.

    `borders`: the characters at which the second and each later turn begins. `asked`: what another speaker asked for
    before the turn that begins at that character.
    """
    lexed = tokens(text)
    plain = settled(whole([*emails.written(text), *emails.spoken(text, lexed), *written.ibans(text)], lexed))
    certain = settled(whole([*written.cards(text), *phones.international(text)], lexed))
    dictated = _dictated(text, without(lexed, plain), certain, borders, asked)
    return tuple(settled([*plain, *certain, *dictated]))


def _dictated(
    text: str,
    lexed: Sequence[Token],
    certain: Sequence[Finding],
    borders: Sequence[int],
    asked: Mapping[int, Cue],
) -> Iterator[Finding]:
    """The runs that must go; one with a `certain` number in it goes as a whole, with a card's expiry and code."""
    floor = at = 0
    for run in runs(text, lexed):
        if len(run.digits) < FEWEST_SECRET:
            continue
        while at < len(certain) and certain[at].end <= run.start:
            at += 1
        if at < len(certain) and certain[at].start < run.end:
            floor = run.numerals[-1].after
            yield Finding(certain[at].kind, run.start, run.end)
            continue
        crossed = borders[bisect_right(borders, run.start) : bisect_right(borders, run.end)]
        all_of_it = _judged(run, text, lexed, floor, asked, crossing=bool(crossed))
        found = [all_of_it] if all_of_it else [_judged(part, text, lexed, floor, asked) for part in run.cut(crossed)]
        for one in filter(None, found):
            floor = run.numerals[-1].after
            yield one


def _judged(
    run: Run, text: str, lexed: Sequence[Token], floor: int, asked: Mapping[int, Cue], *, crossing: bool = False
) -> Finding | None:
    """The run as a finding, if it must go."""
    cue = cues.before(lexed, run.numerals[0].first, floor, asked)
    counted = cues.counted(text, lexed, run.start, run.end, run.numerals[-1].after)
    if not must_go(run, text, cue, counted=counted, crossing=crossing):
        return None
    return Finding(kind_of(run, text, cue), phones.start_with_plus(text, run.start), run.end)
