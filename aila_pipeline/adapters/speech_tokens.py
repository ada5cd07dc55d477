"""Speech tokens: what the tokens of one window say, and whether they say all of it.

Lives here: cutting them into segments at their timestamps, and finding what is left to be heard. Does not: words'
times (speech_alignment.py), or asking the model (speech_decoding.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TIMESTAMP_SECONDS = 0.02

SHORTEST_REST_SECONDS = 0.6
"""What is left after the last segment is heard again only if it is longer: VAD's own margin is 0.4 s or more."""

SHORTEST_HALVED_SECONDS = 5.0
"""Who fills all places for tokens with less than this speaks no more: the model repeats itself."""


@dataclass(frozen=True)
class Vocabulary:
    """The ids that divide the tokens: text below `end_of_text`, times from `first_timestamp` on."""

    end_of_text: int
    first_timestamp: int


@dataclass(frozen=True)
class Segment:
    """Text tokens between two timestamps; seconds from the start of the window."""

    start: float
    end: float
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class Reading:
    """What a window's tokens come to. Either `rest_from` is a time, or `halve` is set, or it was heard to its end."""

    segments: tuple[Segment, ...]
    rest_from: float | None = None
    """From here on it has to be heard again, as a window of its own: seconds."""
    halve: bool = False
    """The tokens did not suffice, and do not say how far they came."""


def read(tokens: Sequence[int], vocabulary: Vocabulary, *, limit: int, seconds: float) -> Reading:
    """The segments of a window of this length.

    Whisper says that there is more to come by opening a segment that it leaves empty; faster-whisper then goes on from
    there. So it does when the tokens did not suffice (`limit` is as many as there can be).
    """
    first = vocabulary.first_timestamp
    pairs = [at for at in range(1, len(tokens)) if tokens[at - 1] >= first and tokens[at] >= first]
    out_of_tokens = len(tokens) >= limit
    if pairs and (out_of_tokens or pairs[-1] == len(tokens) - 1):
        reached = (tokens[pairs[-1] - 1] - first) * TIMESTAMP_SECONDS
        if reached > 0:
            segments = _segments(tokens[: pairs[-1]], vocabulary, seconds)
            return Reading(segments, reached if seconds - reached > SHORTEST_REST_SECONDS else None)
    if out_of_tokens and seconds >= SHORTEST_HALVED_SECONDS:
        return Reading((), halve=True)
    return Reading(_segments(tokens, vocabulary, seconds))


def _segments(tokens: Sequence[int], vocabulary: Vocabulary, seconds: float) -> tuple[Segment, ...]:
    found: list[Segment] = []
    start, text = 0.0, list[int]()
    for token in tokens:
        if token < vocabulary.end_of_text:
            text.append(token)
        elif token >= vocabulary.first_timestamp:
            time = (token - vocabulary.first_timestamp) * TIMESTAMP_SECONDS
            if text:
                found.append(Segment(start, time, tuple(text)))
                text = []
            start = time
    if text:
        found.append(Segment(start, max(start, seconds), tuple(text)))
    return tuple(found)
