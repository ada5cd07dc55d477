"""Speech quality: which of the model's answers to believe, by faster-whisper's own rules.

Lives here: the thresholds and what follows from them. Does not: asking the model again (speech_decoding.py).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """One answer of the model for one window."""

    tokens: tuple[int, ...]
    text: str
    log_probability: float
    """Average of the tokens' logarithms of probability."""
    no_speech_probability: float
    temperature: float

    @property
    def compression_ratio(self) -> float:
        """How much shorter zlib makes the text; high when the model repeats itself."""
        content = self.text.encode()
        return len(content) / len(zlib.compress(content))


@dataclass(frozen=True)
class Thresholds:
    """Names and defaults as `WhisperModel.transcribe` has them; None switches one off."""

    compression_ratio_threshold: float | None = 2.4
    log_prob_threshold: float | None = -1.0
    no_speech_threshold: float | None = 0.6

    def fails(self, attempt: Attempt) -> bool:
        """Whether another temperature should be tried: too repetitive, or too unsure while somebody seems to speak."""
        if self._sounds_silent(attempt) and self._is_unsure(attempt):
            return False
        return self._repeats(attempt) or self._is_unsure(attempt)

    def is_silence(self, attempt: Attempt) -> bool:
        """Whether nobody spoke, whatever the text says."""
        if not self._sounds_silent(attempt):
            return False
        return self.log_prob_threshold is None or attempt.log_probability <= self.log_prob_threshold

    def best(self, attempts: Sequence[Attempt]) -> Attempt:
        """The last one, which ended the search, if it is good; else the surest that does not repeat itself."""
        last = attempts[-1]
        if not self.fails(last):
            return last
        steady = [attempt for attempt in attempts if not self._repeats(attempt)]
        return max(steady or attempts, key=lambda attempt: attempt.log_probability)

    def _repeats(self, attempt: Attempt) -> bool:
        limit = self.compression_ratio_threshold
        return limit is not None and attempt.compression_ratio > limit

    def _is_unsure(self, attempt: Attempt) -> bool:
        limit = self.log_prob_threshold
        return limit is not None and attempt.log_probability < limit

    def _sounds_silent(self, attempt: Attempt) -> bool:
        limit = self.no_speech_threshold
        return limit is not None and attempt.no_speech_probability > limit
