"""Speech method: how the pooled engine asks the model; the options of `WhisperModel.transcribe` that it knows.

Lives here: their names, defaults and what follows from them. Does not: asking (speech_decoding.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from aila_pipeline.adapters.speech_quality import Thresholds
from aila_pipeline.domain.voice_activity import VoiceRule

MIN_SILENCE_MS = 160
"""What faster-whisper's batched pipeline takes for a pause when it packs speech."""

PAD_MS = 300
"""Of what surrounds speech, so much is kept on both sides; so between two spans lie 0.6 s of the call's own silence.
With faster-whisper's 400 there are a ninth more windows and no fewer errors; with 200, more (docs/benchmarks.md)."""

GAP_SECONDS = 0.0
"""Silence put between two spans beside that. None: it brought nothing that seeds did not bring."""


@dataclass(frozen=True)
class Method:
    """Names, meanings and defaults as in faster-whisper 1.2.1; what has no meaning for separate windows is left out."""

    beam_size: int = 5
    best_of: int = 5
    patience: float = 1
    length_penalty: float = 1
    repetition_penalty: float = 1
    no_repeat_ngram_size: int = 0
    temperature: float | tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    compression_ratio_threshold: float | None = 2.4
    log_prob_threshold: float | None = -1.0
    no_speech_threshold: float | None = 0.6
    initial_prompt: str | None = None
    hotwords: str | None = None
    suppress_blank: bool = True
    suppress_tokens: tuple[int, ...] = (-1,)
    without_timestamps: bool = False
    max_initial_timestamp: float = 1.0
    max_new_tokens: int | None = None
    hear_rest: bool = True
    """Not of faster-whisper: whether a window whose tokens do not reach its end is heard on from there."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Method:
        """The method that these options of `transcribe` describe."""
        known = {field.name for field in fields(cls)}
        given: dict[str, Any] = {name: value for name, value in options.items() if name in known}
        listed = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        return cls(**(given | listed))

    @property
    def temperatures(self) -> tuple[float, ...]:
        """In the order in which they are tried."""
        return self.temperature if isinstance(self.temperature, tuple) else (self.temperature,)

    @property
    def thresholds(self) -> Thresholds:
        """What an answer must pass."""
        return Thresholds(self.compression_ratio_threshold, self.log_prob_threshold, self.no_speech_threshold)

    def limits(self, prompt: int, longest: int) -> tuple[int, int]:
        """CTranslate2's `max_length` for a prompt of so many tokens, and the tokens that it then writes at most.

        CTranslate2 writes no more than half of `max_length`, whatever the prompt is (its issue 1856), so a limit of new
        tokens has to be given twice.

        Raises:
            ValueError: there is no room for so many.
        """
        wanted = self.max_new_tokens
        if prompt + (wanted or 1) > longest:
            raise ValueError(f"a prompt of {prompt} tokens and {wanted or 1} new ones exceed {longest}")
        max_length = longest if wanted is None else min(longest, max(2 * wanted, prompt + wanted))
        return max_length, min(max_length // 2, max_length - prompt + 1, wanted or longest)

    def search(self, temperature: float) -> dict[str, Any]:
        """How the best tokens are looked for at this temperature."""
        if temperature > 0:
            return {
                "beam_size": 1,
                "num_hypotheses": self.best_of,
                "sampling_topk": 0,
                "sampling_temperature": temperature,
            }
        return {"beam_size": self.beam_size, "patience": self.patience}

    def decisive(self) -> dict[str, Any]:
        """All of it, for the identity of results."""
        return asdict(self)


def voice_rule(options: Mapping[str, Any], window_seconds: float) -> VoiceRule:
    """What counts as speech: the model's own options, in spans that fit a window and end in short pauses."""
    given = {name: value for name, value in (options.get("vad_parameters") or {}).items() if value is not None}
    longest = min(window_seconds, given.pop("max_speech_duration_s", window_seconds))
    ours = {"min_silence_duration_ms": MIN_SILENCE_MS, "speech_pad_ms": PAD_MS}
    return VoiceRule(**(ours | given | {"max_speech_duration_s": longest}))
