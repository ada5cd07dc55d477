"""Speech windows: a recording's channels read once, and their speech as windows of sound.

Lives here: holding just as much of each channel as its open window and its undecided end need. Does not: decoding
(audio.py), finding speech (speech_voice.py, domain/voice_activity.py), packing (domain/windows.py).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aila_pipeline.adapters.audio import channels_blocks
from aila_pipeline.adapters.speech_voice import VoiceProbabilities
from aila_pipeline.domain.voice_activity import SAMPLE_RATE_HZ, SpeechFinder, VoiceRule
from aila_pipeline.domain.windows import Packer, Span, Window


@dataclass(frozen=True)
class Cutting:
    """How speech is found and packed. `limit` and `gap` in samples."""

    rule: VoiceRule
    limit: int
    gap: int


@dataclass(frozen=True)
class SoundWindow:
    """A window of one channel, and how it sounds."""

    channel: int
    window: Window
    samples: NDArray[np.float32]

    def after(self, position: int) -> SoundWindow | None:
        """What is left of it from this sample on; None if nothing."""
        found = self.window.after(position)
        if found is None:
            return None
        window, begins = found
        return SoundWindow(self.channel, window, self.samples[begins : begins + window.length])

    def until(self, position: int) -> SoundWindow | None:
        """What comes before this sample; None if nothing."""
        window = self.window.until(position)
        return SoundWindow(self.channel, window, self.samples[: window.length]) if window else None


def windows_of(
    path: Path, channels: Sequence[int], cutting: Cutting, on_progress: Callable[[], None]
) -> Generator[SoundWindow, None, None]:
    """The windows of these channels, each as soon as it is full; a channel without speech has none.

    Raises:
        AudioInvalid: the file cannot be decoded, or has no such channel.
    """
    listeners = {channel: _Listener(channel, cutting) for channel in channels}
    with closing(channels_blocks(path, channels, sample_rate_hz=SAMPLE_RATE_HZ)) as blocks:
        for channel, block in blocks:
            yield from listeners[channel].hear(block)
            on_progress()
    for listener in listeners.values():
        yield from listener.end()


class _Listener:
    """One channel while it is read."""

    def __init__(self, channel: int, cutting: Cutting) -> None:
        self._channel = channel
        self._voice = VoiceProbabilities()
        self._finder = SpeechFinder(cutting.rule, SAMPLE_RATE_HZ)
        self._packer = Packer(cutting.limit, cutting.gap)
        self._held = np.zeros(0, np.float32)
        self._held_from = 0
        self._speech: list[tuple[Span, NDArray[np.float32]]] = []  # of the open window

    def hear(self, block: NDArray[np.float32]) -> Iterator[SoundWindow]:
        self._held = np.concatenate((self._held, block))
        for span in self._finder.hear(self._voice.hear(block)):
            yield from self._add(span)
        spare = min(self._finder.undecided_from - self._held_from, len(self._held))
        if spare > 0:
            # Copied, or the view would keep what is let go.
            self._held, self._held_from = self._held[spare:].copy(), self._held_from + spare

    def end(self) -> Iterator[SoundWindow]:
        length = self._held_from + len(self._held)
        for spans in (self._finder.hear(self._voice.end()), self._finder.end(length)):
            for span in spans:
                yield from self._add(span)
        yield from map(self._sounding, self._packer.end())

    def _add(self, span: Span) -> Iterator[SoundWindow]:
        end = min(span.end, self._held_from + len(self._held))
        if end <= span.start:
            return
        heard = Span(span.start, end)
        samples = self._held[heard.start - self._held_from : heard.end - self._held_from].copy()
        self._speech.append((heard, samples))
        yield from map(self._sounding, self._packer.add(heard))

    def _sounding(self, window: Window) -> SoundWindow:
        """The window with its samples, silence in its gaps; lets go of what no later window needs."""
        sound = np.zeros(window.length, np.float32)
        for piece in window.pieces:
            for span, samples in self._speech:
                start, end = max(span.start, piece.span.start), min(span.end, piece.span.end)
                if start < end:
                    at = piece.at + start - piece.span.start
                    sound[at : at + end - start] = samples[start - span.start : end - span.start]
        self._speech = [(span, samples) for span, samples in self._speech if span.end > window.span.end]
        return SoundWindow(self._channel, window, sound)
