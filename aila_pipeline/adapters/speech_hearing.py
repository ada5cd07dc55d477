"""Hearing: one recording's recognition under way, from the samples of a channel to utterances in call time.

Lives here: finding speech in a stretch, settling the language, running the model over the speech and putting its words
where they belong. Does not: choosing channels, model and options (speech.py), or cutting stretches
(speech_stretches.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aila_pipeline.domain.models import Utterance, Word
from aila_pipeline.domain.voice_activity import SAMPLE_RATE_HZ
from aila_pipeline.errors import ModelUnavailable, RecognitionFailed

if TYPE_CHECKING:
    import numpy as np
    from faster_whisper import WhisperModel
    from numpy.typing import NDArray


@dataclass(frozen=True)
class HeardStretch:
    """A piece of a channel with the spans of speech in it, in samples from its start."""

    start_seconds: float
    spans: list[dict[str, int]]
    speech: NDArray[np.float32]
    """The spans alone, joined."""


class Ear:
    """One recording's recognition under way: the model with its options, and the language once it is known."""

    def __init__(
        self,
        whisper: WhisperModel,
        options: dict[str, Any],
        language: str | None,
        seconds: float,
        on_progress: Callable[[], None],
    ) -> None:
        self._whisper, self._seconds, self._on_progress = whisper, seconds, on_progress
        self._options = {name: value for name, value in options.items() if name != "vad_parameters"}
        self._vad_parameters = options.get("vad_parameters") or {}
        self.language = language if whisper.model.is_multilingual else "en"
        self.language_probability: float | None = None
        if self.language is not None and self.language not in whisper.supported_languages:
            raise RecognitionFailed(f"the model does not know the language {self.language!r}")

    def listen(self, path: Path, channel: int) -> Generator[HeardStretch, None, None]:
        """The channel's stretches that hold speech, found by Silero's voice activity detection."""
        import numpy as np  # noqa: PLC0415 - as below
        from faster_whisper.vad import VadOptions, get_speech_timestamps  # noqa: PLC0415 - slow to import

        from aila_pipeline.adapters.audio import channel_blocks  # noqa: PLC0415 - slow to import
        from aila_pipeline.adapters.speech_stretches import stretches  # noqa: PLC0415 - as above

        with closing(channel_blocks(path, channel, sample_rate_hz=SAMPLE_RATE_HZ)) as blocks:
            for stretch in stretches(blocks, sample_rate_hz=SAMPLE_RATE_HZ):
                with _model_errors():
                    spans = get_speech_timestamps(stretch.samples, VadOptions(**self._vad_parameters))
                self._on_progress()
                if spans:
                    speech = np.concatenate([stretch.samples[span["start"] : span["end"]] for span in spans])
                    yield HeardStretch(stretch.start_seconds, spans, speech)

    def settle_language(self, beginnings: list[HeardStretch]) -> None:
        """Detects the language where most speech is, unless it is known."""
        if self.language is not None or not beginnings:
            return
        most = max(beginnings, key=lambda stretch: len(stretch.speech))
        asked = {name: value for name, value in self._options.items() if name.startswith("language_detection_")}
        with _model_errors():
            self.language, self.language_probability, _ = self._whisper.detect_language(most.speech, **asked)
        self._on_progress()

    def write_down(self, stretch: HeardStretch, channel: int, clock: Clock) -> Iterator[Utterance]:
        """What is said in a stretch, at its time in the recording."""
        from faster_whisper.transcribe import restore_speech_timestamps  # noqa: PLC0415 - slow to import

        with _model_errors():
            segments, _ = self._whisper.transcribe(
                stretch.speech, language=self.language, word_timestamps=True, vad_filter=False, **self._options
            )
            segments = iter(restore_speech_timestamps(segments, stretch.spans, SAMPLE_RATE_HZ))
        while True:
            with _model_errors():
                segment = next(segments, None)
            self._on_progress()
            if segment is None:
                return
            words = tuple(
                Word(start=start, end=end, text=word.word.strip(), probability=min(1.0, max(0.0, word.probability)))
                for word in segment.words or ()
                for start, end in [clock.place(stretch.start_seconds + word.start, stretch.start_seconds + word.end)]
                if word.word.strip()
            )
            start, end = (
                (words[0].start, words[-1].end)
                if words
                else clock.place(stretch.start_seconds + segment.start, stretch.start_seconds + segment.end)
            )
            yield Utterance(channel=channel, start=start, end=end, text=segment.text.strip(), words=words)


class Clock:
    """A channel's time: words lie inside the recording, and none begins before the one before it has ended."""

    def __init__(self, seconds: float) -> None:
        self._last, self._now = math.floor(seconds * 1000) / 1000, 0.0  # times are kept to the millisecond

    def place(self, start: float, end: float) -> tuple[float, float]:
        """The times of the next word, in seconds from the recording's start, made to fit."""
        start = min(max(round(start, 3), self._now), self._last)
        self._now = min(max(round(end, 3), start), self._last)
        return start, self._now


@contextmanager
def _model_errors() -> Iterator[None]:
    """Sorts what the model's libraries raise: lack of memory or a lost GPU stop the shard, all else fails the call."""
    try:
        yield
    except MemoryError as error:
        raise ModelUnavailable("out of memory while recognising") from error
    except Exception as error:
        told = str(error).lower()
        if "out of memory" in told or "failed to allocate" in told or "cuda" in told:
            raise ModelUnavailable(f"the device failed while recognising ({type(error).__name__})") from error
        raise RecognitionFailed(type(error).__name__) from error
