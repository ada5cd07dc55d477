"""eSpeak NG in this process, by ctypes: its formant and Klatt voices, with the place of each word.

Lives here: the binding. Does not: flite's and Festival's voices (flite.py, festival.py). Needs Debian's
`espeak-ng` (libespeak-ng 1.5).
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.demo_model.flite import RATE_HZ, Spoken
from tools.demo_model.resampling import resampled

_SYNCHRONOUS, _PHONEME_EVENTS, _UTF8 = 2, 1, 1
_RATE, _PITCH = 1, 3
_WORD, _PHONEME = 1, 7
_NO_PHONES_KNOWN: list[tuple[str, float]] = []
"""eSpeak's phones are other ones than flite's; its utterances teach words alone."""


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass
class _Engine:
    """The library and what it handed over during one call."""

    library: ctypes.CDLL
    rate_hz: int
    sound: list[NDArray[np.int16]] = field(default_factory=list)
    words: list[tuple[int, int, float]] = field(default_factory=list)
    """Where a word stands in the text (position, length), and when it begins, in seconds."""
    pauses: list[float] = field(default_factory=list)
    callback: Any = None

    def take(self, samples: Any, count: int, events: Any) -> int:
        """Called by eSpeak with each piece of sound."""
        if count > 0 and samples:
            self.sound.append(np.ctypeslib.as_array(samples, (count,)).copy())
        number = 0
        while events[number].type:
            event = events[number]
            if event.type == _WORD:
                self.words.append((event.text_position - 1, event.length, event.audio_position / 1000))
            elif event.type == _PHONEME and event.id.string[:1] in (b"", b"_"):
                self.pauses.append(event.audio_position / 1000)
            number += 1
        return 0


@cache
def _engine() -> _Engine:
    library = ctypes.CDLL("libespeak-ng.so.1")
    rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS)
    if rate_hz <= 0:
        raise OSError("libespeak-ng finds no voice data")
    engine = _Engine(library, rate_hz)
    # Kept on the engine: a callback that Python has let go of ends the process.
    engine.callback = _Callback(engine.take)
    library.espeak_SetSynthCallback(engine.callback)
    return engine


def say(text: str, variant: str, *, stretch: float = 1.0, pitch: int = 50) -> Spoken:
    """Speak `text` in American English with a variant (`m3`, `klatt2` …); `stretch` above 1 is slower, `pitch` is 0-99.

    Raises:
        ValueError: there is no such variant.
    """
    engine = _engine()
    engine.sound, engine.words, engine.pauses = [], [], []
    if engine.library.espeak_SetVoiceByName(f"en-us+{variant}".encode()) != 0:
        raise ValueError(f"eSpeak has no variant {variant}")
    engine.library.espeak_SetParameter(_RATE, round(165 / stretch), 0)
    engine.library.espeak_SetParameter(_PITCH, pitch, 0)
    raw = text.encode()
    engine.library.espeak_Synth(raw, ctypes.c_size_t(len(raw) + 1), 0, 1, 0, _UTF8, None, None)
    samples = np.concatenate(engine.sound).astype(np.float32) / np.float32(32768)
    length = len(samples) / engine.rate_hz
    return Spoken(resampled(samples, engine.rate_hz / RATE_HZ), _placed(text, engine, length), _NO_PHONES_KNOWN)


def _placed(text: str, engine: _Engine, length: float) -> list[tuple[str, float, float]]:
    """Each word of the text with its start and end in seconds; words that eSpeak runs together share their time."""
    begins = {position: start for position, count, start in engine.words if count}
    groups: list[tuple[float, list[str]]] = []
    for match in re.finditer(r"[^ ,]+", text):
        if match.start() in begins or not groups:
            groups.append((begins.get(match.start(), 0.0), []))
        groups[-1][1].append(match.group())
    words = []
    for number, (start, together) in enumerate(groups):
        until = groups[number + 1][0] if number + 1 < len(groups) else length
        end = next((pause for pause in engine.pauses if start < pause < until), until)
        letters, at = sum(map(len, together)), start
        for word in together:
            length_of_word = (end - start) * len(word) / letters
            words.append((word, at, at + length_of_word))
            at += length_of_word
    return words
