"""Mixes: of which kinds of windows the training's batches are, and from which step on.

Lives here: the shares. Does not: drawing by them (batches.py). What lies before a checkpoint has been; whoever trains
on adds a mix at the end.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

SHORT, MEDIUM, LONG = 0, 1, 2
"""One utterance in 2.4-6.4 s; several in 7-16 s; a whole 30 s window."""


@dataclass(frozen=True)
class Mix:
    """Shares. Of the batches, `short` and `medium`; the others are long.

    Of the medium and long windows, `silent` hold no speech, `few` up to four utterances, `scattered` up to six with
    long pauses; `channels` are one channel of a call, one voice alone that is silent while the other speaks; the others
    are full. Of the utterances, `samples_voices` are of a voice of the sample calls, and some of the others as well.
    In `recurring` of all windows words and phrases come again, as in the calls: whoever looks for the next word by
    those before it finds it in two places. Of the medium and long windows, `timed` are written with timestamps.
    """

    short: float
    medium: float
    silent: float = 0.1
    few: float = 0.3
    scattered: float = 0.15
    channels: float = 0.0
    samples_voices: float = 0.0
    recurring: float = 0.0
    timed: float = 0.65

    def kind(self, step: int) -> int:
        """Of the batch of this step; the same for all processes."""
        share = step * 7919 % 1000 / 1000
        return SHORT if share < self.short else MEDIUM if share < self.short + self.medium else LONG


MIXES: tuple[tuple[int, Mix], ...] = (
    (0, Mix(0.5, 0.5, few=0.2, channels=0.2, samples_voices=0.3, recurring=0.3, timed=0.6)),
    (3_000, Mix(0.3, 0.4, silent=0.08, few=0.12, channels=0.3, samples_voices=0.4, recurring=0.5, timed=0.55)),
    (7_000, Mix(0.25, 0.25, silent=0.08, few=0.08, channels=0.3, samples_voices=0.4, recurring=0.5, timed=0.5)),
    (
        11_500,
        Mix(0.3, 0.2, silent=0.06, few=0.08, scattered=0.1, channels=0.3, samples_voices=0.5, recurring=0.5, timed=0.4),
    ),
    (
        13_200,
        Mix(
            0.3,
            0.15,
            silent=0.05,
            few=0.06,
            scattered=0.1,
            channels=0.3,
            samples_voices=0.65,
            recurring=0.55,
            timed=0.35,
        ),
    ),
    (
        20_200,
        Mix(
            0.4, 0.15, silent=0.05, few=0.06, scattered=0.08, channels=0.3, samples_voices=0.7, recurring=0.5, timed=0.5
        ),
    ),
)
"""From which step on each is drawn from."""


def mix_of(step: int) -> Mix:
    """The mix that a step is drawn from."""
    return MIXES[bisect_right(MIXES, step, key=lambda begun: begun[0]) - 1][1]
