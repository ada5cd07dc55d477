"""Voice activity: from how likely each frame is speech to spans of speech, while a recording is still being read.

Lives here: the rule. Does not: the probabilities, which Silero's model gives (adapters/speech_voice.py), or packing the
spans (windows.py).

The rule is Silero's own as faster-whisper 1.2 has it (`get_speech_timestamps`, MIT licence), made to work on frames as
they come, so that a recording of hours need not lie in memory: the same probabilities give the same spans, which a test
holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

from aila_pipeline.domain.windows import Span

SAMPLE_RATE_HZ = 16_000
"""What Whisper and Silero's voice activity detection were trained on."""

FRAME = 512
"""Samples that get one probability."""

_SHORTEST_PAUSE = 0.098
"""Seconds; a span that gets too long is cut at the last pause of at least this length."""


@dataclass(frozen=True)
class VoiceRule:
    """What counts as speech; names and meanings as in faster-whisper's `VadOptions`."""

    threshold: float = 0.5
    neg_threshold: float | None = None
    min_speech_duration_ms: float = 0
    max_speech_duration_s: float = inf
    min_silence_duration_ms: float = 2000
    speech_pad_ms: float = 400


class SpeechFinder:
    """One channel's spans of speech, in order and without overlap, each as soon as nothing to come can change it."""

    def __init__(self, rule: VoiceRule, sample_rate_hz: int) -> None:
        self._enter = rule.threshold
        self._leave = max(rule.threshold - 0.15, 0.01) if rule.neg_threshold is None else rule.neg_threshold
        self._pad = int(sample_rate_hz * rule.speech_pad_ms / 1000)
        self._shortest = sample_rate_hz * rule.min_speech_duration_ms / 1000
        self._longest = sample_rate_hz * rule.max_speech_duration_s - FRAME - 2 * self._pad
        self._silence = sample_rate_hz * rule.min_silence_duration_ms / 1000
        self._pause = sample_rate_hz * _SHORTEST_PAUSE
        self._now = 0  # where the next frame begins
        self._begun: int | None = None  # where the speech that goes on now began
        self._quiet_from = 0  # where the silence that may end it began; 0: it is not silent
        self._cut_end = self._cut_start = 0  # the last pause at which it could be cut
        self._waiting: list[Span] = []  # ended, but not yet widened
        self._start_of_first: int | None = None  # the widened start of the first one waiting

    @property
    def undecided_from(self) -> int:
        """No span to come begins before this sample."""
        if self._waiting:
            return self._widened_start()
        return max(0, (self._now if self._begun is None else self._begun) - self._pad)

    def hear(self, probabilities: Iterable[float]) -> Iterator[Span]:
        """Take the probabilities of the next frames; yields the spans that are settled now."""
        for probability in probabilities:
            self._frame(probability)
            self._now += FRAME
            yield from self._settled()

    def end(self, length: int) -> Iterator[Span]:
        """The channel has ended after `length` samples: yields the spans that are left."""
        if self._begun is not None and length - self._begun > self._shortest:
            self._waiting.append(Span(self._begun, length))
        self._begun = None
        while len(self._waiting) > 1:
            yield self._widen_before(self._waiting[1].start)
        if self._waiting:
            last = self._waiting.pop()
            yield Span(self._widened_start(last), min(length, last.end + self._pad))

    def _frame(self, probability: float) -> None:
        """Silero's rule for one frame."""
        speaks = probability >= self._enter
        if speaks and self._quiet_from:
            self._quiet_from = 0
            if self._cut_start < self._cut_end:
                self._cut_start = self._now
        if self._begun is None:
            if speaks:
                self._begun = self._now
            return
        if self._now - self._begun > self._longest and self._cut_long():
            return
        if probability < self._leave and self._begun is not None:
            self._quiet_from = self._quiet_from or self._now
            quiet = self._now - self._quiet_from
            if quiet > self._pause:
                self._cut_end = self._quiet_from
            if quiet >= self._silence:
                if self._quiet_from - self._begun > self._shortest:
                    self._waiting.append(Span(self._begun, self._quiet_from))
                self._begun = None
                self._quiet_from = self._cut_end = self._cut_start = 0

    def _cut_long(self) -> bool:
        """Cut speech that has become too long; returns whether this frame is done with."""
        assert self._begun is not None, "only speech that goes on can be too long"
        at_pause = bool(self._cut_end)
        self._waiting.append(Span(self._begun, self._cut_end if at_pause else self._now))
        goes_on = at_pause and self._cut_start >= self._cut_end
        self._begun = self._cut_start if goes_on else None
        self._quiet_from = self._cut_end = self._cut_start = 0
        return not at_pause

    def _settled(self) -> Iterator[Span]:
        while len(self._waiting) > 1:
            yield self._widen_before(self._waiting[1].start)
        next_start = self._now if self._begun is None else self._begun
        if self._waiting and next_start - self._waiting[0].end >= 2 * self._pad:
            first = self._waiting.pop()
            yield Span(self._widened_start(first), first.end + self._pad)
            self._start_of_first = None

    def _widen_before(self, next_start: int) -> Span:
        """The first one waiting, widened up to the middle of the silence after it or by the whole pad."""
        first = self._waiting.pop(0)
        start = self._widened_start(first)
        silence = next_start - first.end
        more = silence // 2 if silence < 2 * self._pad else self._pad
        self._start_of_first = max(0, next_start - more)
        return Span(start, first.end + more)

    def _widened_start(self, first: Span | None = None) -> int:
        if self._start_of_first is not None:
            return self._start_of_first
        return max(0, (first or self._waiting[0]).start - self._pad)
