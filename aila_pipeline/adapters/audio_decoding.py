"""Audio decoding: a file's samples in blocks of bounded size, through FFmpeg's libraries (PyAV) on a short leash.

Lives here: opening a recording safely and turning its packets into float samples. Does not: telling formats apart
(audio_formats.py), judging or resampling what was decoded (audio.py).

The leash: FFmpeg never sees a path or URL, only a file object; the demuxer is the one that the first bytes called for,
never FFmpeg's own guess (a playlist named `.mp3` would make it open other files); no protocol may be opened by it;
only the decoders on the format's list may run, on one thread; and what it reads is bounded, so that an index that
leads in circles ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn

import av
import av.error
import av.logging
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from numpy.typing import NDArray

from aila_pipeline.adapters.audio_formats import M4A, AudioFormat, overruns, sniff
from aila_pipeline.errors import AudioEmpty, AudioInvalid, AudioTruncated

Samples = NDArray[np.float32]
"""Samples from -1 to 1, one row a channel."""

MAX_CHANNELS = 8
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 96_000
MAX_BROKEN_SHARE = 0.05
"""Of a recording's packets, so many may be undecodable (at least 3 in a short one): each is some 20 ms of sound, and a
call that lost one in twenty is still understood. Beyond that the file is damaged, and a person should know."""

_BUFFER_BYTES = 256 * 1024
_READS_PER_BYTE = 16
_FREE_READS = 64 * 1024**2


class ReadBudgetError(OSError):
    """FFmpeg read the file over and over; no sound file makes it do so."""


class _Leash:
    """The file as FFmpeg sees it: read only, and with an end to how much may be read in all."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._left = size_bytes * _READS_PER_BYTE + _FREE_READS
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int) -> bytes:
        self._left -= count
        if self._left < 0:
            raise ReadBudgetError
        return self._file.read(count)


class Recording:
    """An opened recording. `broken` counts the packets so far that could not be decoded."""

    def __init__(self, container: InputContainer, stream: AudioStream, audio_format: AudioFormat) -> None:
        context = stream.codec_context
        self.format = audio_format
        self.codec = str(context.codec.canonical_name)
        self.channels = int(context.channels)
        self.sample_rate_hz = int(context.sample_rate)
        self.container_seconds = float(stream.duration * stream.time_base) if _has_length(stream) else None
        self.broken = 0
        self._interleave = av.AudioResampler(format="flt")
        self._container, self._stream, self._packets = container, stream, 0
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
            except ReadBudgetError:
                raise AudioInvalid("its index leads in circles") from None
            except av.FFmpegError:
                self._packets += 1
                self._count_broken()
            else:
                return

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
        try:
            container = _open_container(_Leash(file, size_bytes), audio_format)
        except (av.FFmpegError, ReadBudgetError):
            if audio_format is M4A and overruns(file, size_bytes):
                raise AudioTruncated("it ends before its index") from None
            raise AudioInvalid(f"it begins like {audio_format.name}, but its structure is damaged") from None
        with container:
            yield Recording(container, _audio_stream(container, audio_format), audio_format)


def _open_container(file: _Leash, audio_format: AudioFormat) -> InputContainer:
    av.logging.set_level(None)  # FFmpeg's messages may quote a file's content
    return av.open(
        file,
        "r",
        format=audio_format.demuxer,
        container_options={
            "protocol_whitelist": "none",
            "codec_whitelist": ",".join(audio_format.decoders),
            "max_streams": "16",
        },
        metadata_errors="replace",
        buffer_size=_BUFFER_BYTES,
        io_open=_refuse_to_open,
    )


def _refuse_to_open(*_: object) -> NoReturn:
    """FFmpeg asks for a second file: a playlist or a reference. It never gets one."""
    raise PermissionError("a recording may not open other files")


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


def _has_length(stream: AudioStream) -> bool:
    return stream.duration is not None and stream.time_base is not None


def _as_float(frame: AudioFrame) -> Samples:
    """A frame's samples as one row a channel, whatever its sample format is.

    Float recordings can hold NaN, infinities and values above full scale: those become silence and full scale.
    """
    raw = frame.to_ndarray()
    if not frame.format.is_planar:
        raw = raw.reshape(-1, frame.layout.nb_channels).T
    if raw.dtype == np.uint8:
        return (raw.astype(np.float32) - 128.0) / 128.0
    if np.issubdtype(raw.dtype, np.integer):
        return raw.astype(np.float32) / np.float32(-float(np.iinfo(raw.dtype).min))
    return np.clip(np.nan_to_num(raw.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
