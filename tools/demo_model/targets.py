"""Targets: the tokens that the decoder reads and shall write for a window, and where in the sound each of them is.

Lives here: Whisper's token format (prompt, timestamps, words). Does not: sound (windows.py) or tensors (batches.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.demo_model.tokens import TIMESTAMPS, Ids
from tools.demo_model.windows import Segment

IGNORED = -100
"""A label that costs nothing (torch's convention)."""

Span = tuple[int, int] | None
"""Frames in which a token is heard; None for tokens that are not heard."""


@dataclass
class Target:
    """Tokens read and labels to write, position by position, and where each of both is heard."""

    inputs: list[int]
    labels: list[int]
    label_spans: list[Span]
    input_spans: list[Span]


def prompt(
    choice: random.Random, draw_words: Callable[[], list[int]], *, long: bool, share: float, ids: Ids
) -> list[int]:
    """Previous text, in `share` of the long windows: up to the 223 tokens that faster-whisper gives as context."""
    if choice.random() >= (share if long else 0.4 * share):
        return []
    count = (choice.randint(1, 6) if choice.random() < 0.5 else 45) if long else choice.randint(1, 4)
    words = [word for _ in range(count) for word in draw_words()]
    return [ids.previous, *words[-choice.randint(60, 223) :]]


def target(
    segments: Sequence[Segment],
    before: list[int],
    *,
    offset: int,
    timestamps: bool,
    early: bool,
    ids: Ids,
    silent_from: int,
) -> Target:
    """What is to be written for these segments.

    `offset` is the window's place in encoder frames of 20 ms; `early` holds the first timestamp within 1 s, as Whisper
    does; `silent_from` is the timestamp (in steps) that a window without speech is fed.
    """

    def stamp(frame: int) -> int:
        return ids.first_timestamp + min(TIMESTAMPS - 1, frame // 2 + offset)

    unheard: list[Span] = [None] * len(before)
    unlabelled = [IGNORED] * len(before)
    if not segments:
        fed = ids.first_timestamp + silent_from if timestamps else ids.no_timestamps
        nothing: list[Span] = [None] * (len(before) + 2)
        return Target([*before, ids.start, fed], [*unlabelled, ids.no_speech, ids.end_of_text], nothing, list(nothing))
    first = stamp(segments[0].start)
    if early:
        first = min(first, ids.first_timestamp + 50)
    tokens: list[int] = []
    spans: list[Span] = []
    if not timestamps:
        words = [word for segment in segments for word in segment.words]
        tokens, spans = [word for word, _, _ in words], [(start, end) for _, start, end in words]
        inputs = [*before, ids.start, ids.no_timestamps, *tokens]
        labels = [*unlabelled, first, *tokens, ids.end_of_text]
        return Target(inputs, labels, [*unheard, None, *spans, None], [*unheard, None, None, *spans])
    for number, segment in enumerate(segments):
        tokens.append(first if number == 0 else stamp(segment.start))
        spans.append((segment.start - 4, segment.start + 6))
        if segment.cut:
            break
        tokens += [word for word, _, _ in segment.words]
        spans += [(start, end) for _, start, end in segment.words]
        tokens.append(stamp(segment.end))
        spans.append((segment.end - 6, segment.end + 6))
    inputs, labels = [*before, ids.start, *tokens], [*unlabelled, *tokens, ids.end_of_text]
    return Target(inputs, labels, [*unheard, *spans, None], [*unheard, None, *spans])
