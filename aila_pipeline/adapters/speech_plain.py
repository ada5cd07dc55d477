"""Speech, plain: one channel after the other through `WhisperModel.transcribe`, as a script would do it.

Lives here: the reference that the pooled engine is held against. Does not: hearing a channel (speech_hearing.py), the
pooled engine (speech_pooled.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aila_pipeline.adapters.speech_hearing import Clock, Ear
from aila_pipeline.domain.models import Hints, Utterance

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

NAME = "plain"
VERSION = "1"
"""Raised whenever the engine hears something else than before in the same audio; makes older results stale."""


def hear(
    whisper: WhisperModel,
    path: Path,
    channels: Sequence[int],
    *,
    options: dict[str, Any],
    language: str | None,
    hints: Hints,
    seconds: float,
    on_progress: Callable[[], None],
) -> tuple[tuple[Utterance, ...], str | None, float | None]:
    """All utterances of these channels, the language, and its probability if it was detected.

    Without a language it is detected on the channel that starts with most speech, and the others take it over.

    Raises:
        RecognitionFailed: the model failed on this recording.
        ModelUnavailable: there is no memory for it, or its device failed.
        AudioInvalid: the file cannot be read.
    """
    told = {name: " ".join(filter(None, (options.get(name), text))) for name, text in hints.given.items()}
    ear = Ear(whisper, options | told, language, seconds, on_progress)
    utterances: list[Utterance] = []
    with ExitStack() as stack:
        heard = {channel: stack.enter_context(closing(ear.listen(path, channel))) for channel in channels}
        beginnings = {channel: next(stretches, None) for channel, stretches in heard.items()}
        ear.settle_language([first for first in beginnings.values() if first is not None])
        for channel, stretches in heard.items():
            first = beginnings.pop(channel)
            clock = Clock(seconds)
            for stretch in itertools.chain([first] if first is not None else [], stretches):
                utterances.extend(ear.write_down(stretch, channel, clock))
    return tuple(utterances), ear.language, ear.language_probability
