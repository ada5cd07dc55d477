"""What a recording is found to be, and one channel of it."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aila_pipeline.adapters.audio import channel_blocks, inspect
from aila_pipeline.domain.models import AudioFacts
from aila_pipeline.errors import AudioInvalid, AudioTooLarge, AudioTooLong
from aila_pipeline_tests.adapters.sounds import (
    KINDS,
    LOSSY,
    Signal,
    a_film,
    a_gsm_wav,
    a_recording,
    a_wav,
    babble,
    tone,
    with_cover,
)

HOUR = 3600.0
CODEC_PADDING_SECONDS = 0.3
"""Lossy codecs work in frames and may keep up to two of them (AAC at 8 kHz: 0.128 s) before and after the sound."""


def facts_of(path: Path) -> AudioFacts:
    return inspect(path, max_seconds=HOUR, max_bytes=2**31)


def channel_of(path: Path, channel: int) -> Signal:
    return np.concatenate(list(channel_blocks(path, channel)))


def pitch(signal: Signal, rate_hz: int = 16_000) -> float:
    """The loudest frequency of the first second and a half."""
    piece = signal[rate_hz // 4 : rate_hz * 3 // 2]
    return float(np.argmax(np.abs(np.fft.rfft(piece * np.hanning(len(piece))))) * rate_hz / len(piece))


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_read_whatever_the_file_is_called(kind: str, tmp_path: Path) -> None:
    path = a_recording(tmp_path / "call.txt", kind)
    facts = facts_of(path)
    assert (facts.format, facts.codec, facts.channels) == (KINDS[kind].format, KINDS[kind].codec, 2)
    assert facts.sample_rate_hz == (48_000 if facts.codec == "opus" else 8_000)  # Opus always decodes at 48 kHz
    assert facts.seconds == pytest.approx(2.0, abs=CODEC_PADDING_SECONDS if KINDS[kind].lossy else 0.001)
    assert (facts.dual_mono, facts.silent_channels) == (False, ())
    assert facts.size_bytes == path.stat().st_size
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_each_channel_is_its_own_and_not_a_mix(kind: str, tmp_path: Path) -> None:
    path = a_recording(tmp_path / "call", kind)
    for channel, hertz in ((0, 440), (1, 880)):
        signal = channel_of(path, channel)
        assert pitch(signal) == pytest.approx(hertz, abs=6)
        spectrum = np.abs(np.fft.rfft(signal[4_000:20_000]))
        own, other = (spectrum[round(f * 16_000 / 16_000)] for f in (hertz, 1320 - hertz))
        assert own > 20 * other


def test_gsm_in_a_wav_is_read(tmp_path: Path) -> None:
    facts = facts_of(a_gsm_wav(tmp_path / "gsm.wav", blocks=50))
    assert (facts.format, facts.codec, facts.seconds, facts.channels) == ("wav", "gsm_ms", 2.0, 1)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 96_000])
def test_any_rate_becomes_16_khz_without_losing_time(rate_hz: int, tmp_path: Path) -> None:
    """The pitch, the length and the place of a click all stay where they were."""
    signal = tone(440, rate_hz=rate_hz, level=0.1)
    signal[rate_hz] = 1.0
    path = a_recording(tmp_path / "call.wav", "wav-float", signal, rate_hz=rate_hz)
    heard = channel_of(path, 0)
    assert heard.dtype == np.float32
    assert len(heard) == pytest.approx(32_000, abs=16)
    assert int(np.argmax(np.abs(heard))) == pytest.approx(16_000, abs=4)
    assert pitch(heard) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("kind", ["wav-16", "flac", "m4a", "ogg-opus"])
def test_eight_channels_are_read_each_on_its_own(kind: str, tmp_path: Path) -> None:
    """But for the fourth, which codecs keep for the lowest notes (7.1), each comes out where it went in."""
    rate_hz = 48_000 if kind == "ogg-opus" else 8_000
    hertz = [50 if channel == 3 else 200 + 100 * channel for channel in range(8)]
    path = a_recording(tmp_path / "call", kind, *(tone(h, rate_hz=rate_hz) for h in hertz), rate_hz=rate_hz)
    assert facts_of(path).channels == 8
    assert [pitch(channel_of(path, channel)) for channel in range(8)] == pytest.approx(hertz, abs=6)


def test_a_channel_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = a_recording(tmp_path / "call.wav", "wav-16", tone(440))
    with pytest.raises(AudioInvalid, match="no channel 1"):
        channel_of(path, 1)


@pytest.mark.parametrize(("rate_hz", "channels"), [(4_000, 1), (192_000, 1), (8_000, 9)])
def test_rates_and_channel_counts_outside_the_limits_are_refused(rate_hz: int, channels: int, tmp_path: Path) -> None:
    path = a_wav(tmp_path / "call.wav", np.zeros((rate_hz, channels), np.int16), rate_hz=rate_hz)
    with pytest.raises(AudioInvalid, match=r"are read"):
        facts_of(path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_sound_on_both_channels_is_dual_mono_in_every_codec(kind: str, tmp_path: Path) -> None:
    voice = babble(1, seconds=4)
    bit_rate = 24_000 if KINDS[kind].lossy else None
    assert facts_of(a_recording(tmp_path / "same", kind, voice, voice, bit_rate=bit_rate)).dual_mono


@pytest.mark.parametrize("kind", LOSSY)
def test_two_voices_are_not_dual_mono_even_with_strong_crosstalk(kind: str, tmp_path: Path) -> None:
    """Each channel holds a fifth of the other one."""
    left, right = babble(1, seconds=4), babble(2, seconds=4)
    path = a_recording(tmp_path / "call", kind, left + 0.2 * right, right + 0.2 * left, bit_rate=24_000)
    assert not facts_of(path).dual_mono


def test_one_second_in_which_the_channels_differ_is_enough_not_to_be_dual_mono(tmp_path: Path) -> None:
    """The same hold music on both channels for half a minute, and one word on one of them, is a stereo call."""
    music = babble(1, seconds=30)
    other = music.copy()
    other[8_000 * 12 : 8_000 * 13] += babble(2, seconds=1)
    assert not facts_of(a_recording(tmp_path / "call.wav", "wav-16", music, other)).dual_mono


@pytest.mark.parametrize(("level", "silent"), [(0.0, True), (0.0002, True), (0.01, False)])
def test_a_channel_of_line_noise_is_silent_and_a_quiet_voice_is_not(level: float, silent: bool, tmp_path: Path) -> None:
    noise = (level * np.random.default_rng(3).normal(0, 1, 40_000)).astype(np.float32)
    facts = facts_of(a_recording(tmp_path / "call.wav", "wav-mulaw", babble(1, seconds=5), noise))
    assert facts.silent_channels == ((1,) if silent else ())
    assert not facts.dual_mono


def test_a_single_word_in_a_long_silence_is_not_silent(tmp_path: Path) -> None:
    left = np.zeros(8_000 * 60, np.float32)
    left[8_000 * 31 : 8_000 * 31 + 1_600] = babble(1, seconds=0.2, level=0.05)
    assert facts_of(a_recording(tmp_path / "call.wav", "wav-16", left, np.zeros_like(left))).silent_channels == (1,)


def test_all_silent_is_silent_and_not_dual_mono(tmp_path: Path) -> None:
    facts = facts_of(a_wav(tmp_path / "call.wav", np.zeros((8_000, 2), np.int16)))
    assert (facts.silent_channels, facts.dual_mono) == ((0, 1), False)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_float_samples_that_are_no_sound_do_no_harm(value: float, tmp_path: Path) -> None:
    signal = tone(440)
    signal[4_000:4_100] = value
    path = a_recording(tmp_path / "call.wav", "wav-float", signal, rate_hz=8_000)
    assert facts_of(path).silent_channels == ()
    heard = channel_of(path, 0)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() < 1.5


def test_decoding_stops_as_soon_as_the_limit_is_passed(tmp_path: Path) -> None:
    """A file that claims hours costs no more than the limit: here the rest of it is not even there."""
    path = a_wav(tmp_path / "call.wav", np.zeros((80_000, 1), np.int16), data_size=0x60000000)
    with pytest.raises(AudioTooLong, match="more than 5 s"):
        inspect(path, max_seconds=5, max_bytes=2**31)


def test_a_file_with_too_many_bytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.wav"
    path.touch()
    os.truncate(path, 2**33)  # sparse: takes no space, and would take minutes to read
    with pytest.raises(AudioTooLarge, match=str(2**31)):
        inspect(path, max_seconds=HOUR, max_bytes=2**31)


def test_a_film_is_refused_and_a_cover_picture_is_not(tmp_path: Path) -> None:
    with pytest.raises(AudioInvalid, match="film"):
        facts_of(a_film(tmp_path / "film.m4a"))
    song = tmp_path / "song.mp3"
    song.write_bytes(with_cover(a_recording(tmp_path / "plain.mp3", "mp3").read_bytes()))
    assert (facts_of(song).format, facts_of(song).channels) == ("mp3", 2)


def _peak_bytes(path: Path) -> int:
    tracemalloc.start()
    try:
        inspect(path, max_seconds=HOUR, max_bytes=2**31)
        total = sum(len(block) for block in channel_blocks(path, 0))
        assert total > 16_000
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    def noise(seconds: int) -> NDArray[np.int16]:
        return np.random.default_rng(1).integers(-999, 999, (8_000 * seconds, 2), dtype=np.int16)

    short = _peak_bytes(a_wav(tmp_path / "short.wav", noise(60)))
    long = _peak_bytes(a_wav(tmp_path / "long.wav", noise(600)))
    assert long < 1.2 * short < 20e6
