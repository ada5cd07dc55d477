"""Flite in this process, by ctypes: speech with the exact place of each word and phone.

Lives here: the binding. Does not: what is said (sentences.py) or what is done with the sound. Needs libflite 2.2
(Debian: the package `flite`).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
"""What flite's cmu_us voices are synthesised at."""


@dataclass(frozen=True)
class Spoken:
    """An utterance: samples in -1..1 at `RATE_HZ`, words as (text, start, end) and phones as (name, end) in seconds."""

    samples: NDArray[np.float32]
    words: list[tuple[str, float, float]]
    phones: list[tuple[str, float]]


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class _Voice(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "flite_synth_text": (ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_void_p]),
    "utt_relation": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
    "relation_head": (ctypes.c_void_p, [ctypes.c_void_p]),
    "item_next": (ctypes.c_void_p, [ctypes.c_void_p]),
    "item_feat_float": (ctypes.c_float, [ctypes.c_void_p, ctypes.c_char_p]),
    "ffeature_string": (ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_char_p]),
    "path_to_item": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
    "utt_wave": (ctypes.POINTER(_Wave), [ctypes.c_void_p]),
    "delete_utterance": (None, [ctypes.c_void_p]),
    "flite_feat_set_float": (None, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float]),
}


def _load(name: str) -> ctypes.CDLL:
    # The libraries use each other's symbols without saying so.
    return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)


@cache
def _library() -> ctypes.CDLL:
    library = _load("libflite.so.1")
    for dependency in ("libflite_usenglish.so.1", "libflite_cmulex.so.1"):
        _load(dependency)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.flite_init()
    return library


@cache
def _voice(name: str) -> Any:
    _library()
    register = getattr(_load(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
    register.restype, register.argtypes = ctypes.POINTER(_Voice), [ctypes.c_char_p]
    return register(None)


def say(text: str, voice: str, *, stretch: float = 1.0) -> Spoken:
    """Speak `text` with one of flite's voices; `stretch` above 1 is slower. A comma in the text is a short pause."""
    flite, speaker = _library(), _voice(voice)
    flite.flite_feat_set_float(speaker.contents.features, b"duration_stretch", stretch)
    utterance = flite.flite_synth_text(text.encode(), ctypes.cast(speaker, ctypes.c_void_p))
    try:
        wave = flite.utt_wave(utterance).contents
        if wave.sample_rate != RATE_HZ:
            raise ValueError(f"voice {voice} speaks at {wave.sample_rate} Hz, not {RATE_HZ}")
        samples = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).astype(np.float32) / np.float32(32768)
        words, phones = _alignment(flite, utterance)
    finally:
        flite.delete_utterance(utterance)
    return Spoken(samples, words, phones)


def _alignment(flite: ctypes.CDLL, utterance: int) -> tuple[list[tuple[str, float, float]], list[tuple[str, float]]]:
    words: list[tuple[str, float, float]] = []
    phones: list[tuple[str, float]] = []
    last_word, start = None, 0.0
    segment = flite.relation_head(flite.utt_relation(utterance, b"Segment"))
    while segment:
        end = flite.item_feat_float(segment, b"end")
        phone = flite.ffeature_string(segment, b"name").decode()
        phones.append((phone, end))
        word = flite.path_to_item(segment, b"R:SylStructure.parent.parent") if phone != "pau" else None
        if word and word == last_word:
            words[-1] = (words[-1][0], words[-1][1], end)
        elif word:
            words.append((flite.ffeature_string(word, b"name").decode(), start, end))
            last_word = word
        start = end
        segment = flite.item_next(segment)
    return words, phones
