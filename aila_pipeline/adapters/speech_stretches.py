"""Stretches: a channel cut into pieces that fit in memory, at its quietest places.

Lives here: the cutting. Does not: telling speech from silence or recognising it (speech.py).

faster-whisper works on a recording as a whole, and its spectrogram takes about 1 MB a second while it is made: four
hours would be 14 GB. Cut into stretches, memory stays the same however long a call is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STRETCH_SECONDS = 300.0
"""Longer than most calls, which so are recognised exactly as faster-whisper would alone."""

_SEARCH_SECONDS = 60.0
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class Stretch:
    """A piece of one channel, and where in the recording it starts."""

    start_seconds: float
    samples: NDArray[np.float32]


def stretches(
    blocks: Iterable[NDArray[np.float32]], *, sample_rate_hz: int, seconds: float = STRETCH_SECONDS
) -> Iterator[Stretch]:
    """The blocks joined and cut again: every sample in one stretch, in order, none longer than `seconds`.

    A cut lies in the middle of the quietest 0.2 s of the last minute (or last half, of short stretches).
    """
    limit = round(seconds * sample_rate_hz)
    held = np.zeros(0, dtype=np.float32)
    begun = 0
    for block in blocks:
        held = np.concatenate((held, block))
        while len(held) > limit:
            cut = quietest(held[:limit], sample_rate_hz)
            yield Stretch(begun / sample_rate_hz, held[:cut])
            held, begun = held[cut:], begun + cut
    if len(held):
        yield Stretch(begun / sample_rate_hz, held)


def quietest(samples: NDArray[np.float32], sample_rate_hz: int) -> int:
    """Where to cut: the middle of the quietest 0.2 s near the end, the latest of equally quiet ones."""
    window = round(_PAUSE_SECONDS * sample_rate_hz)
    searched = min(round(_SEARCH_SECONDS * sample_rate_hz), len(samples) // 2)
    count = searched // window
    if count == 0:
        return len(samples)
    tail = samples[len(samples) - count * window :].reshape(count, window)
    power = np.mean(np.square(tail, dtype=np.float64), axis=1)
    last_quietest = count - 1 - int(np.argmin(power[::-1]))
    return len(samples) - (count - last_quietest) * window + window // 2
