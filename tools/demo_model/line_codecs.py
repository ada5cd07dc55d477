"""Line codecs: speech as a telephone line or a recorder's lossy file gives it back, in the same place.

Lives here: which codecs training hears. Does not: encoding (sample_calls/encoding.py), noise or filters (windows.py).
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
from faster_whisper.audio import decode_audio
from numpy.typing import NDArray

from tools.demo_model.flite import RATE_HZ
from tools.sample_calls.dialogues import Audio
from tools.sample_calls.encoding import encode

CODECS: tuple[Audio, ...] = (
    Audio("call.mp3", "mp3", 16_000, 32_000),
    Audio("call.mp3", "mp3", 8_000, 32_000),
    Audio("call.mp3", "mp3", 44_100, 32_000),
    Audio("call.m4a", "aac", 16_000, 24_000),
    Audio("call.m4a", "aac", 44_100, 32_000),
    Audio("call.ogg", "opus", 8_000, 16_000),
    Audio("call.ogg", "opus", 48_000, 24_000),
    Audio("call.ogg", "vorbis", 16_000, layout="dual_mono"),
    Audio("call.wav", "pcm_mulaw", 8_000),
)


def coded(samples: NDArray[np.float32], audio: Audio) -> NDArray[np.float32]:
    """The samples after the codec, moved back by what it delayed them, at the same length."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, audio.file)
        channels = 2 if audio.layout == "dual_mono" else 1
        encode(np.repeat(samples[:, None], channels, 1), RATE_HZ, path, audio)
        back = np.asarray(decode_audio(str(path)), np.float32)
    length = 1 << (len(samples) + len(back)).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(back, length) * np.conj(np.fft.rfft(samples, length)), length)
    delay = int(np.argmax(likeness))
    delay -= length if delay > length // 2 else 0
    back = back[delay:] if delay >= 0 else np.pad(back, (-delay, 0))
    return np.pad(back, (0, max(0, len(samples) - len(back))))[: len(samples)]


def draw_codec(choice: random.Random) -> Audio:
    """One of the codecs."""
    return choice.choice(CODECS)
