"""Resampling: sound played faster or slower, which is also another rate, or another speaker.

Lives here: one transform. Does not: choosing rates (synthesise.py).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GRAIN = 512
"""Lengths are padded to a multiple of this, because a Fourier transform of a prime length is slow."""


def resampled(samples: NDArray[np.float32], faster: float) -> NDArray[np.float32]:
    """The samples played `faster` times as fast: pitch, formants and speed rise by that factor.

    From 22.05 kHz to 16 kHz it is 22.05 / 16: the same sound at another rate.
    """
    if faster == 1:
        return samples
    length = -(-len(samples) // _GRAIN) * _GRAIN
    spectrum = np.fft.rfft(samples, length)
    count = round(length / faster / 2) * 2
    kept = np.zeros(count // 2 + 1, np.complex128)
    both = min(len(spectrum), len(kept))
    kept[:both] = spectrum[:both]
    sound = np.fft.irfft(kept, count) * (count / length)
    return sound[: round(len(samples) / faster)].astype(np.float32)
