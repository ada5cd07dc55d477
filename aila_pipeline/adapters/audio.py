"""Audio: what a recording is, and its channels as the recogniser wants them.

Lives here: probing a recording by decoding all of it (`inspect`) and reading channels, resampled, in blocks
(`channel_blocks`, `channels_blocks`). Does not: telling formats apart (audio_formats.py), decoding
(audio_decoding.py), fetching or storing files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from pathlib import Path

import av
import numpy as np

from aila_pipeline.adapters.audio_decoding import Recording, Samples, opened
from aila_pipeline.adapters.audio_formats import Declared, declared
from aila_pipeline.domain.models import AudioFacts
from aila_pipeline.errors import AudioEmpty, AudioInvalid, AudioTooLarge, AudioTooLong, AudioTruncated

SILENCE_DBFS = -60.0
"""A channel is silent when no second of it has an RMS level above this. Speech on a phone line lies between -40 and
-15 dBFS; the idle noise of G.711 and dither lie below -66."""

DUAL_MONO_DB = -26.0
"""Two channels are the same when in every audible second their difference lies this far below the louder of them
(5 % of the amplitude). Lossy codecs stay well under it; crosstalk of a real second speaker does not."""

RESAMPLED_BLOCK_SECONDS = 10.0


def inspect(path: Path, *, max_seconds: float, max_bytes: int) -> AudioFacts:
    """What the recording is, from one full decode in blocks of a second.

    Raises:
        AudioEmpty: no bytes, or a header without sound.
        AudioInvalid: not audio, a film, or a codec, rate or number of channels that is not read.
        AudioTooLarge: more than `max_bytes`.
        AudioTooLong: more than `max_seconds`; decoding stops there.
        AudioTruncated: its header claims more than was decoded, by more than a second and 2 %.
    """
    size_bytes = path.stat().st_size
    if size_bytes > max_bytes:
        raise AudioTooLarge(f"{size_bytes} bytes; {max_bytes} are read")
    with opened(path) as recording:
        levels = _Levels(recording.channels)
        samples = 0
        for block in recording.blocks(seconds=1.0):
            samples += block.shape[1]
            if samples > max_seconds * recording.sample_rate_hz:
                raise AudioTooLong(f"more than {max_seconds:g} s")
            levels.add(block)
        seconds = samples / recording.sample_rate_hz
        _check_complete(path, recording, seconds)
        return AudioFacts(
            sha256=_sha256(path),
            size_bytes=size_bytes,
            format=recording.format.name,
            codec=recording.codec,
            channels=recording.channels,
            sample_rate_hz=recording.sample_rate_hz,
            seconds=seconds,
            dual_mono=levels.dual_mono,
            silent_channels=levels.silent_channels,
        )


def channel_blocks(path: Path, channel: int, *, sample_rate_hz: int = 16_000) -> Generator[Samples, None, None]:
    """One channel (from 0), resampled, in blocks of about 10 s: arrays of one dimension.

    The channel itself, not a mix: the others do not reach the resampler. Memory is that of a few blocks.

    Raises:
        AudioInvalid: as `inspect`, or the recording has no such channel.
    """
    for _, block in channels_blocks(path, [channel], sample_rate_hz=sample_rate_hz):
        yield block


def channels_blocks(
    path: Path, channels: Sequence[int], *, sample_rate_hz: int = 16_000
) -> Generator[tuple[int, Samples], None, None]:
    """Several channels from one decoding, block by block: each channel's number with its next samples.

    Raises:
        AudioInvalid: as `inspect`, or the recording has no such channel.
    """
    with opened(path) as recording:
        for channel in channels:
            if not 0 <= channel < recording.channels:
                raise AudioInvalid(f"it has no channel {channel}")
        if recording.sample_rate_hz == sample_rate_hz:
            for block in recording.blocks(RESAMPLED_BLOCK_SECONDS):
                yield from ((channel, block[channel]) for channel in channels)
            return
        resamplers = {channel: _Resampler(recording.sample_rate_hz, sample_rate_hz) for channel in channels}
        for block in recording.blocks(RESAMPLED_BLOCK_SECONDS):
            for channel, resampler in resamplers.items():
                yield from ((channel, out) for out in resampler.take(block[channel]))
        for channel, resampler in resamplers.items():
            yield from ((channel, out) for out in resampler.end())


class _Resampler:
    """One channel's way to another sample rate."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._from_hz = from_hz
        self._resampler = av.AudioResampler(format="fltp", layout="mono", rate=to_hz)

    def take(self, samples: Samples) -> list[Samples]:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[np.newaxis]), format="fltp", layout="mono")
        frame.sample_rate = self._from_hz
        return [out.to_ndarray()[0] for out in self._resampler.resample(frame)]

    def end(self) -> list[Samples]:
        # None flushes: without it the filter would keep the last milliseconds.
        return [out.to_ndarray()[0] for out in self._resampler.resample(None)]


def _check_complete(path: Path, recording: Recording, seconds: float) -> None:
    """Refuses a recording without sound, and one that is shorter than it says."""
    if seconds == 0:
        if recording.broken:
            raise AudioInvalid("none of its frames can be decoded")
        raise AudioEmpty("a header without sound")
    with path.open("rb") as file:
        claim = declared(recording.format, file, path.stat().st_size)
    if claim == Declared() and recording.format.name == "m4a":
        claim = Declared(seconds=recording.container_seconds)
    claimed_seconds = claim.seconds_given(seconds)
    if claimed_seconds is not None and claimed_seconds - seconds > max(1.0, 0.02 * claimed_seconds):
        raise AudioTruncated(f"{seconds:.1f} of {claimed_seconds:.1f} s")


class _Levels:
    """Which channels are silent, and whether two are one, gathered block by block."""

    def __init__(self, channels: int) -> None:
        self._audible = np.zeros(channels, dtype=bool)
        self._same = channels == 2

    def add(self, block: Samples) -> None:
        power = np.mean(np.square(block, dtype=np.float64), axis=1)
        audible = power > 10 ** (SILENCE_DBFS / 10)
        self._audible |= audible
        if self._same and audible.any():
            difference = np.mean(np.square(block[0] - block[1], dtype=np.float64))
            self._same = bool(difference <= power.max() * 10 ** (DUAL_MONO_DB / 10))

    @property
    def silent_channels(self) -> tuple[int, ...]:
        return tuple(int(channel) for channel in np.flatnonzero(~self._audible))

    @property
    def dual_mono(self) -> bool:
        return self._same and bool(self._audible.any())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
