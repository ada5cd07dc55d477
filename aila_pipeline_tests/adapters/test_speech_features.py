"""Features: the spectrogram is faster-whisper's own, but for rounding."""

from __future__ import annotations

import numpy as np
import pytest
from faster_whisper import decode_audio
from faster_whisper.audio import pad_or_trim
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from aila_pipeline.adapters.speech_features import Spectrogram
from aila_pipeline.demo.samples import samples

RATE_HZ = 16_000


def theirs(extractor: FeatureExtractor, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """As `WhisperModel.transcribe` takes them, filled up to the window."""
    return np.asarray(pad_or_trim(extractor(sound)[..., :-1]), np.float32)


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize("seconds", [0.2, 7.33, 29.5, 31.0])
def test_the_spectrogram_is_that_of_faster_whisper(bands: int, seconds: float) -> None:
    """Speech of a sample call, in lengths that do and do not fill a window or end with a frame."""
    call = next(iter(samples().values()))
    sound = np.resize(decode_audio(str(call.path)), round(seconds * RATE_HZ))
    extractor = FeatureExtractor(feature_size=bands)
    ours = Spectrogram(extractor).of(sound)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs(extractor, sound), atol=2e-4)


def test_silence_is_as_low_as_it_gets() -> None:
    extractor = FeatureExtractor()
    sound = np.zeros(RATE_HZ, np.float32)
    np.testing.assert_allclose(Spectrogram(extractor).of(sound), theirs(extractor, sound), atol=1e-6)


def test_a_model_of_shorter_windows_is_given_as_many_frames() -> None:
    """Windows of 8 s, in an encoder that takes 30."""
    extractor = FeatureExtractor(chunk_length=8)
    sound = np.random.default_rng(3).normal(scale=0.1, size=3 * RATE_HZ).astype(np.float32)
    ours = Spectrogram(extractor).of(sound)
    assert ours.shape == (80, 3000)
    np.testing.assert_allclose(ours, theirs(extractor, sound), atol=2e-4)
