"""Speech features: a window's log-mel spectrogram, as faster-whisper makes it, for a third of the CPU.

Lives here: the spectrogram of one window. Does not: the model it is for (speech_decoding.py).

faster-whisper multiplies with the whole matrix of mel filters, of which 98% is zero, through a BLAS whose threads then
spin for a while beside the encoder. Here each filter reads only the few frequencies that it covers, in one thread. The
values differ from faster-whisper's by the rounding of 32-bit numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

if TYPE_CHECKING:
    from faster_whisper.feature_extractor import FeatureExtractor

FRAMES = 3000
"""What Whisper's encoder takes, 30 s, whatever the model's `chunk_length`."""

_FRAMES_AT_ONCE = 1000
"""So that what is between the steps stays in the processor's cache."""


class Spectrogram:
    """Log-mel spectrograms with the sizes of this model's extractor."""

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._n_fft, self._hop = extractor.n_fft, extractor.hop_length
        self._hann = np.hanning(self._n_fft + 1)[:-1].astype(np.float32)
        self._bands: list[tuple[int, int, NDArray[np.float32]]] = []
        for filter_ in extractor.mel_filters:
            covered = np.flatnonzero(filter_)
            first, end = (int(covered[0]), int(covered[-1]) + 1) if len(covered) else (0, 1)
            self._bands.append((first, end, filter_[first:end, np.newaxis]))

    def of(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mel bands by frames of 10 ms, filled up with zeros to `FRAMES` or cut there."""
        edge = self._n_fft // 2
        padded = np.pad(np.pad(samples.astype(np.float32, copy=False), (0, self._hop)), edge, mode="reflect")
        frames = sliding_window_view(padded, self._n_fft)[:: self._hop][: len(samples) // self._hop]
        found = np.zeros((len(self._bands), max(FRAMES, len(frames))), np.float32)
        heard = found[:, : len(frames)]
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            self._mel(frames[start : start + _FRAMES_AT_ONCE], heard[:, start : start + _FRAMES_AT_ONCE])
        np.log10(np.maximum(heard, 1e-10, out=heard), out=heard)
        if heard.size:
            np.maximum(heard, heard.max() - 8.0, out=heard)
        heard += 4.0
        heard /= 4.0
        return found[:, :FRAMES]

    def _mel(self, frames: NDArray[np.float32], into: NDArray[np.float32]) -> None:
        parts = np.fft.rfft(frames * self._hann).astype(np.complex64, copy=False).view(np.float32)
        parts *= parts
        power = np.ascontiguousarray((parts[:, 0::2] + parts[:, 1::2]).T)
        for band, (first, end, weights) in enumerate(self._bands):
            np.sum(weights * power[first:end], axis=0, out=into[band])
