"""Speech alignment: when each word of a window was said, in the time of the call.

Lives here: asking the model for word times through faster-whisper, and the way back through the window. Does not: the
text itself (speech_decoding.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aila_pipeline.adapters.speech_tokens import Segment
from aila_pipeline.adapters.speech_windows import SoundWindow
from aila_pipeline.domain.models import Utterance, Word
from aila_pipeline.domain.voice_activity import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

_BEFORE, _AFTER = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"
"""Punctuation that belongs to the word after it, and to the one before it: `transcribe`'s defaults."""


def utterances_of(
    whisper: WhisperModel, tokenizer: Any, encoded: Any, segments: Sequence[Segment], sound: SoundWindow
) -> tuple[Utterance, ...]:
    """What is said in the window, segment by segment, each word at its time in the call.

    Each window is aligned by itself: a batch gains nothing here, and its words must not depend on their neighbours.
    """
    timed = [
        {"seek": 0, "start": segment.start, "end": segment.end, "tokens": list(segment.tokens)} for segment in segments
    ]
    if not timed:
        return ()
    frames = len(sound.samples) // whisper.feature_extractor.hop_length
    whisper.add_word_timestamps([timed], tokenizer, encoded, frames, _BEFORE, _AFTER, 0.0)
    found = (_utterance(segment, tokenizer, sound) for segment in timed)
    return tuple(utterance for utterance in found if utterance is not None)


def _utterance(segment: dict[str, Any], tokenizer: Any, sound: SoundWindow) -> Utterance | None:
    text = tokenizer.decode(segment["tokens"]).strip()
    words = []
    for word in segment.get("words") or ():
        said = str(word["word"]).strip()
        if said:
            start, end = _in_call(sound, word["start"], word["end"])
            probability = min(1.0, max(0.0, float(word["probability"])))
            words.append(Word(start=start, end=end, text=said, probability=probability))
    if not text:
        return None
    start, end = (
        (words[0].start, words[-1].end) if words else _in_call(sound, float(segment["start"]), float(segment["end"]))
    )
    return Utterance(channel=sound.channel, start=start, end=max(start, end), text=text, words=tuple(words))


def _in_call(sound: SoundWindow, start: float, end: float) -> tuple[float, float]:
    first, last = sound.window.place(float(start) * SAMPLE_RATE_HZ, float(end) * SAMPLE_RATE_HZ)
    return first / SAMPLE_RATE_HZ, last / SAMPLE_RATE_HZ
