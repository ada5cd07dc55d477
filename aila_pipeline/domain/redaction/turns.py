"""Turns: a transcript without what must not leave.

Lives here: which turns are read as one text, and where in time a finding lies. Does not: find anything (search.py).

A number is often dictated over several turns, with the other's "uh-huh" between: a channel's turns that follow each
other within `TOGETHER_SECONDS` are searched as one text. What another speaker asks for at the end of a turn ("and the
three digits on the back?") counts for the turn that answers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence

from aila_pipeline.domain.models import Transcript, Turn, Word
from aila_pipeline.domain.redaction.cues import Cue, asked_for
from aila_pipeline.domain.redaction.findings import Finding, Span, replaced
from aila_pipeline.domain.redaction.lexing import tokens
from aila_pipeline.domain.redaction.search import find_in_turns

TOGETHER_SECONDS = 8.0
"""Turns of one speaker that are closer may be parts of one number; the other repeats or confirms a part in less."""
_ASKING_CHARACTERS = 80
"""The end of a turn in which a question is looked for."""


def redact_transcript(transcript: Transcript) -> tuple[Transcript, tuple[Span, ...]]:
    """The transcript with placeholders in its turns and words, and when what they stand for is said, in time order.

    Words inside a finding become one word, with the placeholder as text, the time from the first to the last of them,
    and the lowest of their probabilities. A finding over several turns is a span and a placeholder in each.
    """
    turns = list(transcript.turns)
    asked = _asked(turns)
    spans: list[Span] = []
    for group in _groups(turns):
        found = _by_turn([turns[at].text for at in group], [asked.get(at) for at in group])
        for at, findings in zip(group, found, strict=True):
            turns[at], gone = _redacted(turns[at], findings)
            spans += gone
    spans.sort(key=lambda span: (span.start, span.channel))
    return transcript.model_copy(update={"turns": tuple(turns)}), tuple(spans)


def _asked(turns: Sequence[Turn]) -> dict[int, Cue]:
    """What the turn before, of another channel, asks each turn for."""
    told = {}
    for at in range(1, len(turns)):
        before = turns[at - 1]
        if before.channel != turns[at].channel:
            cue = asked_for(tokens(before.text[-_ASKING_CHARACTERS:]))
            if cue:
                told[at] = cue
    return told


def _groups(turns: Sequence[Turn]) -> Iterator[list[int]]:
    """The places of turns that are read as one text."""
    open_groups: dict[int, list[int]] = {}
    for at, turn in enumerate(turns):
        group = open_groups.get(turn.channel)
        if group and turn.start - turns[group[-1]].end <= TOGETHER_SECONDS:
            group.append(at)
            continue
        if group:
            yield group
        open_groups[turn.channel] = [at]
    yield from open_groups.values()


def _by_turn(texts: Sequence[str], asked: Sequence[Cue | None]) -> list[list[Finding]]:
    """The findings of each text, in its own characters, when all are read as one."""
    starts, at = [], 0
    for text in texts:
        starts.append(at)
        at += len(text) + 1
    whole = "\n".join(texts)
    cued: Mapping[int, Cue] = {
        start + len(text) - len(text.lstrip()): cue
        for start, text, cue in zip(starts, texts, asked, strict=True)
        if cue
    }
    shares: list[list[Finding]] = [[] for _ in texts]
    turn = 0
    for found in find_in_turns(whole, starts[1:], cued):
        while starts[turn] + len(texts[turn]) <= found.start:
            turn += 1
        for each in range(turn, len(texts)):
            if starts[each] >= found.end:
                break
            share = _share(found, starts[each], texts[each])
            if share:
                shares[each].append(share)
    return shares


def _share(found: Finding, start: int, text: str) -> Finding | None:
    """The part of a finding that lies in the text beginning at `start`, without white space around it."""
    first, last = max(found.start - start, 0), min(found.end - start, len(text))
    inside = text[first:last]
    first, last = first + len(inside) - len(inside.lstrip()), last - len(inside) + len(inside.rstrip())
    return Finding(found.kind, first, last) if first < last else None


def _redacted(turn: Turn, findings: Sequence[Finding]) -> tuple[Turn, list[Span]]:
    """The turn without what was found in it, and when that is said."""
    if not findings:
        return turn, []
    text = replaced(turn.text, findings)
    places = _places(turn)
    if not places:
        # No words, or others than the text's: what is said is known, when only roughly, and no word may be kept.
        spans = [Span(found.kind, turn.channel, turn.start, turn.end) for found in findings]
        return turn.model_copy(update={"text": text, "words": ()}), spans
    words: list[Word] = []
    spans = []
    kept = 0
    for together, first, after in _clusters(findings, places):
        words += turn.words[kept:first]
        words.append(_merged(turn, together, places[first][0], places[after - 1][1], turn.words[first:after]))
        kept = after
        for found in together:
            inside = [word for word, place in zip(turn.words, places, strict=True) if _overlap(place, found)]
            start, end = min(word.start for word in inside), max(word.end for word in inside)
            spans.append(Span(found.kind, turn.channel, start, end))
    words += turn.words[kept:]
    return turn.model_copy(update={"text": text, "words": tuple(words)}), spans


def _places(turn: Turn) -> list[tuple[int, int]]:
    """Where in the turn's text each of its words lies; empty if the words are not the text."""
    places, at = [], 0
    for word in turn.words:
        bare = word.text.strip()
        start = turn.text.find(bare, at)
        if start < 0 or turn.text[at:start].strip():
            return []
        at = start + len(bare)
        places.append((start, at))
    return [] if turn.text[at:].strip() else places


def _overlap(place: tuple[int, int], found: Finding) -> bool:
    return place[0] < found.end and found.start < place[1]


def _clusters(
    findings: Sequence[Finding], places: Sequence[tuple[int, int]]
) -> Iterator[tuple[list[Finding], int, int]]:
    """Findings that share a word, with the first word of theirs and the one after the last."""
    open_one: tuple[list[Finding], int, int] | None = None
    for found in findings:
        first = bisect_right(places, found.start, key=lambda place: place[1])
        after = bisect_left(places, found.end, key=lambda place: place[0])
        if open_one and first < open_one[2]:
            open_one = ([*open_one[0], found], open_one[1], max(open_one[2], after))
            continue
        if open_one:
            yield open_one
        open_one = ([found], first, after)
    if open_one:
        yield open_one


def _merged(turn: Turn, findings: Sequence[Finding], start: int, end: int, words: Sequence[Word]) -> Word:
    """The words as one, whose text is what is left of the characters from `start` to `end`."""
    shifted = [Finding(one.kind, one.start - start, one.end - start) for one in findings]
    return Word(
        start=words[0].start,
        end=max(word.end for word in words),
        text=replaced(turn.text[start:end], shifted),
        probability=min(word.probability for word in words),
    )
