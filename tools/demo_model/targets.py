"""Targets: the tokens that the decoder reads and shall write for a window, and where in the sound each of them is.

Lives here: Whisper's token format (prompt, timestamps, words). Does not: sound (windows.py) or tensors (batches.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.demo_model.corpus import IGNORED, PlacedWord
from tools.demo_model.tokens import TIMESTAMPS, Ids
from tools.demo_model.windows import Segment

Span = tuple[int, int] | None
"""Frames in which a token is heard; None for tokens that are not heard."""


@dataclass
class Target:
    """Tokens read and labels to write, position by position, and where each of both is heard."""

    inputs: list[int]
    labels: list[int]
    label_spans: list[Span]
    input_spans: list[Span]


_PLAIN, _LOOP = 0.3, 0.05
"""Shares of prompts without timestamps (an initial prompt, hotwords), and of prompts that say one thing many times."""
_LONGEST_PROMPT = 223


def prompt(
    choice: random.Random, draw: Callable[[], list[PlacedWord]], *, long: bool, share: float, ids: Ids
) -> list[int]:
    """Previous text before `share` of the long windows: up to the 223 tokens that faster-whisper gives as context.

    As there, it has the timestamps of the windows that it was heard in. It is never what was really said before the
    window, so that no word is learned from it, and a wrong prompt does no harm.
    """
    if choice.random() >= (share if long else 0.4 * share):
        return []
    count = (choice.randint(1, 6) if choice.random() < 0.5 else 45) if long else choice.randint(1, 4)
    plain, loop = choice.random() < _PLAIN, choice.random() < _LOOP
    said = draw()
    tokens: list[int] = []
    at = choice.uniform(0, 3)
    for _ in range(count):
        said = said if loop else draw()
        length = said[-1][2] / 100
        at = at if at + length < 30 else choice.uniform(0, 1)
        stamps = [ids.first_timestamp + min(TIMESTAMPS - 1, round(seconds * 50)) for seconds in (at, at + length)]
        words = [word for word, _, _ in said]
        tokens += words if plain else [stamps[0], *words, stamps[1]]
        at += length + choice.uniform(0, 1)
    return [ids.previous, *tokens[-_LONGEST_PROMPT:]]


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
