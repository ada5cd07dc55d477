"""Features: sound as the log-mel frames that Whisper sees, before normalisation.

Lives here: the transform and the normalisation, equal to faster-whisper's. Does not: augmentation (windows.py).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND = 100
BANDS = 80

_FFT, _HOP = 400, 160


@cache
def _mel_filters() -> NDArray[np.float32]:
    from faster_whisper.feature_extractor import FeatureExtractor  # noqa: PLC0415 - slow to import

    filters: NDArray[np.float32] = FeatureExtractor().mel_filters.astype(np.float32)
    return filters


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames of 10 ms, shape (frames, 80), log10 of the power in each mel band; `samples` at 16 kHz."""
    padded = np.pad(np.pad(samples.astype(np.float32), (0, _HOP)), _FFT // 2, mode="reflect")
    count = (len(padded) - _FFT) // _HOP
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP][:count]
    window = np.hanning(_FFT + 1)[:-1].astype(np.float32)
    power = (np.abs(np.fft.rfft(frames * window, axis=1)) ** 2).astype(np.float32)
    frames_log: NDArray[np.float32] = np.log10(np.clip(power @ _mel_filters().T, 1e-10, None)).astype(np.float32)
    return frames_log


def normalised(frames: NDArray[np.float32], loudest: float | None = None) -> NDArray[np.float32]:
    """Whisper's normalisation: 8 decades below the loudest band are the floor. Shape (80, frames)."""
    top = frames.max() if loudest is None else loudest
    return ((np.maximum(frames, top - 8) + 4).T / 4).astype(np.float32)
