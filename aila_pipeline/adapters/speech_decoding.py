"""Speech decoding: a batch of windows through the model.

Lives here: features, encoder, prompts, beam search in batches, other temperatures for those that fail, halving a batch
that is too large. Does not: choosing which windows go together (speech_pooled.py) or judging answers
(speech_quality.py).

Encoding several windows at once gains nothing on a CPU, and its memory is that of all of them; decoding them at once
halves its time. So each window is encoded alone, and the outputs are joined. What a window gives does not depend on
those beside it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ctranslate2
import numpy as np
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens
from numpy.typing import NDArray

from aila_pipeline.adapters.speech_alignment import utterances_of
from aila_pipeline.adapters.speech_features import Spectrogram
from aila_pipeline.adapters.speech_memory import is_lost_device, is_out_of_memory
from aila_pipeline.adapters.speech_method import Method
from aila_pipeline.adapters.speech_quality import Attempt
from aila_pipeline.adapters.speech_tokens import Vocabulary, read
from aila_pipeline.adapters.speech_windows import SoundWindow
from aila_pipeline.domain.models import Hints, Utterance
from aila_pipeline.domain.voice_activity import SAMPLE_RATE_HZ
from aila_pipeline.errors import ModelUnavailable

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

Encoded = NDArray[Any]
"""The encoder's output for one window, with a first dimension of 1."""


@dataclass(frozen=True)
class ReadyWindow:
    """A window that can be decoded. `encoded` if that was needed before, to tell its language."""

    sound: SoundWindow
    language: str
    prompt: tuple[int, ...]
    encoded: Encoded | None = field(default=None, repr=False)


@dataclass(frozen=True)
class HeardWindow:
    """What came of a window: utterances in call time, and what of it has to be heard again."""

    utterances: tuple[Utterance, ...] = ()
    again: tuple[SoundWindow, ...] = ()
    tokens: tuple[int, ...] = ()
    retried: bool = False
    error: Exception | None = None


@dataclass(frozen=True)
class HeardBatch:
    """One result for each window, in their order, and how often the batch had to be halved."""

    windows: tuple[HeardWindow, ...]
    halved: int = 0


class Decoder:
    """One model with one method. `largest` is how many windows to give it at a time; it shrinks with the memory."""

    def __init__(self, whisper: WhisperModel, method: Method, *, largest: int, encode_together: bool = False) -> None:
        self._whisper, self._method, self._encode_together = whisper, method, encode_together
        self._spectrogram = Spectrogram(whisper.feature_extractor)
        self.largest = largest

    def hear(self, batch: Sequence[ReadyWindow]) -> HeardBatch:
        """All windows of the batch, whose prompts are of one length. A window that fails has its error as result.

        Raises:
            ModelUnavailable: the device failed, or has no memory for a single window.
        """
        try:
            return HeardBatch(tuple(self._hear(batch)))
        except Exception as error:  # CTranslate2 raises RuntimeError and ValueError for all there is
            half = len(batch) // 2
            if is_out_of_memory(error) and half:
                self.largest = min(self.largest, half)
                first, second = self.hear(batch[:half]), self.hear(batch[half:])
                return HeardBatch(first.windows + second.windows, 1 + first.halved + second.halved)
            if is_out_of_memory(error) or is_lost_device(error):
                what = "out of memory" if is_out_of_memory(error) else "the device failed"
                raise ModelUnavailable(f"{what} while recognising ({type(error).__name__})") from error
            if half:
                alone = [self.hear([window]) for window in batch]
                return HeardBatch(tuple(one.windows[0] for one in alone), sum(one.halved for one in alone))
            # Without its frames, which hold the whole batch.
            return HeardBatch((HeardWindow(error=error.with_traceback(None)),))

    def languages(self, sound: SoundWindow) -> tuple[Encoded, dict[str, float]]:
        """The window encoded, and how likely each language is in it."""
        (encoded,) = self._encode([sound])
        (found,) = self._whisper.model.detect_language(_view(encoded))
        return encoded, {token[2:-2]: probability for token, probability in found}

    def prompt(self, language: str, hints: Hints) -> tuple[int, ...]:
        """What every window of a call begins with.

        Raises:
            ValueError: it leaves no room for `max_new_tokens`.
        """
        tokenizer = self._tokenizer(language)
        before = " ".join(text for text in (self._method.initial_prompt, hints.initial_prompt) if text)
        words = " ".join(text for text in (self._method.hotwords, hints.hotwords) if text)
        prompt = self._whisper.get_prompt(
            tokenizer,
            tokenizer.encode(f" {before.strip()}") if before.strip() else [],
            without_timestamps=self._method.without_timestamps,
            hotwords=words or None,
        )
        self._method.limits(len(prompt), self._whisper.max_length)
        return tuple(prompt)

    def _hear(self, batch: Sequence[ReadyWindow]) -> list[HeardWindow]:
        missing = iter(self._encode([window.sound for window in batch if window.encoded is None]))
        encoded = [next(missing) if window.encoded is None else window.encoded for window in batch]
        joined = encoded[0] if len(encoded) == 1 else np.concatenate(encoded)
        first, *others = self._method.temperatures
        attempts = self._ask(joined, batch, first)
        del joined
        return [
            self._settle(window, output, [attempt], others)
            for window, output, attempt in zip(batch, encoded, attempts, strict=True)
        ]

    def _settle(
        self, window: ReadyWindow, encoded: Encoded, attempts: list[Attempt], temperatures: Sequence[float]
    ) -> HeardWindow:
        """Ask again, for this window alone, as long as it fails; then its words."""
        thresholds = self._method.thresholds
        for temperature in temperatures:
            if not thresholds.fails(attempts[-1]):
                break
            attempts += self._ask(encoded, [window], temperature)
        attempt, retried = thresholds.best(attempts), len(attempts) > 1
        if thresholds.is_silence(attempt):
            return HeardWindow(tokens=attempt.tokens, retried=retried)
        tokenizer, sound = self._tokenizer(window.language), window.sound
        vocabulary = Vocabulary(tokenizer.eot, tokenizer.timestamp_begin)
        _, limit = self._method.limits(len(window.prompt), self._whisper.max_length)
        if not self._method.hear_rest:
            limit += 1  # which no answer reaches
        reading = read(attempt.tokens, vocabulary, limit=limit, seconds=len(sound.samples) / SAMPLE_RATE_HZ)
        again: list[SoundWindow | None] = []
        if reading.halve:
            middle = sound.window.middle()
            again = [sound.until(middle), sound.after(middle)]
        elif reading.rest_from is not None:
            again = [sound.after(round(reading.rest_from * SAMPLE_RATE_HZ))]
        utterances = utterances_of(self._whisper, tokenizer, _view(encoded), reading.segments, sound)
        return HeardWindow(utterances, tuple(rest for rest in again if rest is not None), attempt.tokens, retried)

    def _ask(self, encoded: Encoded, batch: Sequence[ReadyWindow], temperature: float) -> list[Attempt]:
        method, tokenizer = self._method, self._tokenizer(batch[0].language)
        max_length, _ = method.limits(len(batch[0].prompt), self._whisper.max_length)
        results = self._whisper.model.generate(
            _view(encoded),
            [list(window.prompt) for window in batch],
            length_penalty=method.length_penalty,
            repetition_penalty=method.repetition_penalty,
            no_repeat_ngram_size=method.no_repeat_ngram_size,
            max_length=max_length,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=method.suppress_blank,
            suppress_tokens=get_suppressed_tokens(tokenizer, list(method.suppress_tokens)),
            max_initial_timestamp_index=round(method.max_initial_timestamp / self._whisper.time_precision),
            **method.search(temperature),
        )
        return [self._attempt(result, tokenizer, temperature) for result in results]

    def _attempt(self, result: Any, tokenizer: Tokenizer, temperature: float) -> Attempt:
        tokens = result.sequences_ids[0]
        total = result.scores[0] * len(tokens) ** self._method.length_penalty
        return Attempt(
            tokens=tuple(tokens),
            text=tokenizer.decode(tokens).strip(),
            log_probability=total / (len(tokens) + 1),
            no_speech_probability=result.no_speech_prob,
            temperature=temperature,
        )

    def _encode(self, sounds: Sequence[SoundWindow]) -> list[Encoded]:
        """Each window's output. On a GPU all at once, and brought back: a batch is put together anew anyway."""
        if not sounds:
            return []
        if not self._encode_together:
            return [self._encoded(self._features(sound)[np.newaxis]) for sound in sounds]
        together = self._encoded(np.stack([self._features(sound) for sound in sounds]))
        return [together[number : number + 1] for number in range(len(sounds))]

    def _encoded(self, features: NDArray[np.float32]) -> Encoded:
        return np.array(self._whisper.model.encode(_view(features), to_cpu=True))

    def _features(self, sound: SoundWindow) -> NDArray[np.float32]:
        return self._spectrogram.of(sound.samples)

    @functools.lru_cache(maxsize=128)  # noqa: B019 - lives as long as the model does
    def _tokenizer(self, language: str) -> Tokenizer:
        return Tokenizer(
            self._whisper.hf_tokenizer, self._whisper.model.is_multilingual, task="transcribe", language=language
        )


def _view(array: NDArray[Any]) -> ctranslate2.StorageView:
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(array))
