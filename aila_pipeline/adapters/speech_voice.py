"""Voice: how likely each frame of a channel is speech, by Silero's model as faster-whisper ships it.

Lives here: running the model over a channel as it is read, with its state kept from block to block. Does not: the rule
that makes spans of speech of it (domain/voice_activity.py).

faster-whisper runs the model over a whole recording at once, which takes 0.5 MB a second. Carried on from block to
block it gives the same probabilities in a few MB. Where a channel is as good as silent, the model is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray

from aila_pipeline.adapters.audio import SILENCE_DBFS
from aila_pipeline.domain.voice_activity import FRAME

_CONTEXT = 64
"""Samples of the frame before that the model sees with each one."""

_STATE = 128

_AROUND = 16
"""Frames (half a second) that are asked about before and after each that is not silent."""


class VoiceProbabilities:
    """One channel under way. Frames of 512 samples at 16 kHz; what is left of a block waits for the next one."""

    def __init__(self, *, ask_about_silence: bool = False) -> None:
        self._session = get_vad_model().session
        self._ask_about_silence = ask_about_silence
        self._left = np.zeros(0, np.float32)
        self._since_sound = _AROUND
        self._h = np.zeros((1, 1, _STATE), np.float32)
        self._c = np.zeros((1, 1, _STATE), np.float32)
        self._context = np.zeros((1, _CONTEXT), np.float32)

    def hear(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probabilities of all frames that are whole by now."""
        joined = np.concatenate((self._left, block))
        count = len(joined) // FRAME
        self._left = joined[count * FRAME :]
        return self._of(joined[: count * FRAME].reshape(count, FRAME))

    def end(self) -> NDArray[np.float32]:
        """The probability of the last frame, filled up with silence."""
        last = np.pad(self._left, (0, FRAME - len(self._left)))
        return self._of(last.reshape(1, FRAME))

    def _of(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        found = np.zeros(len(frames), np.float32)
        for first, end in self._worth_asking(frames):
            found[first:end] = self._ask(frames[first:end])
        return found

    def _worth_asking(self, frames: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
        """Runs of frames that are not silent, or near one that is not; near the end, it may be in the next block."""
        if self._ask_about_silence or not len(frames):
            yield from ((0, len(frames)) for _ in range(min(1, len(frames))))
            return
        sounds = np.mean(np.square(frames), axis=1) > 10 ** (SILENCE_DBFS / 10)
        near = np.convolve(sounds, np.ones(2 * _AROUND + 1), "same")[: len(frames)] > 0 if len(frames) else sounds
        near[-_AROUND:] = True
        near[: max(0, _AROUND - self._since_sound)] = True
        last = np.flatnonzero(sounds)
        self._since_sound = len(frames) - 1 - int(last[-1]) if len(last) else self._since_sound + len(frames)
        edges = np.flatnonzero(np.diff(np.concatenate(([0], near.astype(np.int8), [0]))))
        yield from ((int(first), int(end)) for first, end in list(pairwise(edges))[::2])

    def _ask(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        before = np.concatenate((self._context, frames[:-1, -_CONTEXT:]))
        asked = np.concatenate((before, frames), axis=1)
        self._context = frames[-1:, -_CONTEXT:].copy()
        found, self._h, self._c = self._session.run(None, {"input": asked, "h": self._h, "c": self._c})
        return np.asarray(found, np.float32).reshape(-1)
