"""Audio decoding: a file's samples in blocks of bounded size, through FFmpeg's libraries (PyAV).

Lives here: opening a recording and turning its packets into float samples. Does not: what FFmpeg may do meanwhile
(audio_leash.py), telling formats apart (audio_formats.py), judging or resampling what was decoded (audio.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from numpy.typing import NDArray

from aila_pipeline.adapters.audio_formats import M4A, AudioFormat, overruns, sniff
from aila_pipeline.adapters.audio_leash import Leash, open_container
from aila_pipeline.errors import AudioEmpty, AudioInvalid, AudioTruncated

Samples = NDArray[np.float32]
"""Samples from -1 to 1, one row a channel."""

MAX_CHANNELS = 8
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 96_000
MAX_BROKEN_SHARE = 0.05
"""Of a recording's packets, so many may be undecodable (at least 3 in a short one): each is some 20 ms of sound, and a
call that lost one in twenty is still understood. Beyond that the file is damaged, and a person should know."""


class Recording:
    """An opened recording. `broken` counts the packets so far that could not be decoded."""

    def __init__(self, container: InputContainer, stream: AudioStream, audio_format: AudioFormat, leash: Leash) -> None:
        context = stream.codec_context
        self.format = audio_format
        self.codec = str(context.codec.canonical_name)
        self.channels = int(context.channels)
        self.sample_rate_hz = int(context.sample_rate)
        self.container_seconds = _length_of(stream)
        self.broken = 0
        self._interleave = av.AudioResampler(format="flt")
        self._container, self._stream, self._leash, self._packets = container, stream, leash, 0
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise AudioInvalid(f"{self.channels} channels; 1 to {MAX_CHANNELS} are read")
        if not MIN_RATE_HZ <= self.sample_rate_hz <= MAX_RATE_HZ:
            raise AudioInvalid(f"a sample rate of {self.sample_rate_hz} Hz; 8 to 96 kHz are read")

    def blocks(self, seconds: float = 1.0) -> Iterator[Samples]:
        """The samples from the start, in blocks of this length (the last one shorter).

        A packet that cannot be decoded is left out, unless there are too many.

        Raises:
            AudioInvalid: more than 5 % of the packets (and more than 3) cannot be decoded.
        """
        length = max(1, round(seconds * self.sample_rate_hz))
        held: list[Samples] = []
        held_length = 0
        for samples in self._decoded():
            held.append(samples)
            held_length += samples.shape[1]
            if held_length < length:
                continue
            joined = np.concatenate(held, axis=1)
            whole = held_length // length * length
            for start in range(0, whole, length):
                yield joined[:, start : start + length]
            held, held_length = [joined[:, whole:]], held_length - whole
        if held_length:
            yield np.concatenate(held, axis=1)

    def _decoded(self) -> Iterator[Samples]:
        """Each frame's samples."""
        for packet in self._demuxed():
            self._packets += 1
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self._count_broken()
                continue
            for frame in frames:
                if frame.sample_rate != self.sample_rate_hz or frame.layout.nb_channels != self.channels:
                    # A damaged header; in a whole file of them, a recording glued together from unlike parts.
                    self._count_broken()
                elif frame.samples:
                    yield from (_as_float(safe) for safe in self._without_eight_planes(frame))
        if self.broken > max(3, self._packets * MAX_BROKEN_SHARE):
            raise AudioInvalid(f"{self.broken} of its {self._packets} frames cannot be decoded")

    def _without_eight_planes(self, frame: AudioFrame) -> list[AudioFrame]:
        """The frame, interleaved if it has eight planes.

        PyAV (seen in 18.1) counts a frame's planes up to a null pointer, and behind the eighth there is none: touching
        such a frame's planes or array ends the process.
        """
        return self._interleave.resample(frame) if frame.format.is_planar and self.channels >= 8 else [frame]

    def _demuxed(self) -> Iterator[Packet[AudioStream]]:
        """Packets; a place where the container is damaged is passed over, if it can be."""
        while True:
            try:
                yield from self._container.demux(self._stream)
            except av.FFmpegError:
                self._packets += 1
                self._count_broken()
            else:
                break
        if self._leash.spent:
            raise AudioInvalid("its index leads in circles")

    def _count_broken(self) -> None:
        self.broken += 1
        if self.broken > 1000 and self.broken > self._packets * MAX_BROKEN_SHARE:
            raise AudioInvalid("too many of its frames cannot be decoded")


@contextmanager
def opened(path: Path) -> Iterator[Recording]:
    """The recording in this file, closed afterwards.

    Raises:
        AudioEmpty: no bytes.
        AudioInvalid: no format, codec, rate or number of channels that is read, or it holds a film.
        AudioTruncated: cut off before the index without which nothing can be read.
    """
    with path.open("rb") as file:
        size_bytes = path.stat().st_size
        if size_bytes == 0:
            raise AudioEmpty("the file has no bytes")
        audio_format = sniff(file)
        if audio_format is None:
            raise AudioInvalid("it does not begin like any audio format that is read")
        file.seek(0)
        leash = Leash(file, size_bytes)
        try:
            container = open_container(leash, audio_format)
        except av.FFmpegError:
            if audio_format is M4A and overruns(file, size_bytes):
                raise AudioTruncated("it ends before its index") from None
            raise AudioInvalid(f"it begins like {audio_format.name}, but its structure is damaged") from None
        with container:
            yield Recording(container, _audio_stream(container, audio_format), audio_format, leash)


def _audio_stream(container: InputContainer, audio_format: AudioFormat) -> AudioStream:
    """The one stream of sound; a cover picture beside it is no film."""
    if any(not stream.disposition & Disposition.attached_pic for stream in container.streams.video):
        raise AudioInvalid("it holds a film; send its sound alone")
    if not container.streams.audio:
        raise AudioInvalid("it holds no sound")
    stream = container.streams.audio[0]
    context = stream.codec_context
    if context is None or context.codec.name not in audio_format.decoders:
        raise AudioInvalid(f"a codec that is not read in a file of format {audio_format.name}")
    context.thread_count = 1
    return stream


def _length_of(stream: AudioStream) -> float | None:
    """The stream's length in seconds as its container has it."""
    if stream.duration is None or stream.time_base is None:
        return None
    return float(stream.duration * stream.time_base)


def _as_float(frame: AudioFrame) -> Samples:
    """A frame's samples as one row a channel, whatever its sample format is.

    Float recordings can hold NaN, infinities and values above full scale: those become silence and full scale.
    """
    raw: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        raw = raw.reshape(-1, frame.layout.nb_channels).T
    samples = raw.astype(np.float32)
    if raw.dtype == np.uint8:
        return (samples - 128.0) / 128.0
    if raw.dtype.kind == "i":
        return samples / 2.0 ** (8 * raw.dtype.itemsize - 1)
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
