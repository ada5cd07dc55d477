"""The leash: FFmpeg's libraries (PyAV) opened on bytes that nobody vouches for, with everything shut that can be.

Lives here: what FFmpeg may open, read, run and allocate. Does not: decoding (audio_decoding.py) or telling formats
apart (audio_formats.py).

FFmpeg never sees a path or URL, only a file object; the demuxer is the one that the first bytes called for, never
FFmpeg's own guess (a playlist named `.mp3` would make it open other files); no protocol and no second file may be
opened; only the decoders on the format's list may run; what it reads in all is bounded, so that an index that leads in
circles ends; and so is what it allocates at once, because a damaged header can ask for 2 GB (a WAV of 17 KB did).
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import BinaryIO, NoReturn

import av
import av.logging
from av.container import InputContainer

from aila_pipeline.adapters.audio_formats import AudioFormat

MAX_ALLOCATION_BYTES = 128 * 1024**2
"""Of one block; the largest honest ones are the index of an M4A of hours and a cover picture, 16 MB each."""

_BUFFER_BYTES = 256 * 1024
_READS_PER_BYTE = 16
_FREE_READS = 64 * 1024**2


class Leash:
    """The file as FFmpeg sees it: read only, and it ends for good when far more was read than it holds."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._left = size_bytes * _READS_PER_BYTE + _FREE_READS
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int) -> bytes:
        """The next bytes. Fewer than asked for, if FFmpeg asks for more than a buffer's worth at once."""
        content = self._file.read(min(count, self._left, _BUFFER_BYTES))
        self._left -= len(content)
        return content

    @property
    def spent(self) -> bool:
        """Whether the end that FFmpeg saw was not the file's."""
        return self._left == 0


def open_container(file: Leash, audio_format: AudioFormat) -> InputContainer:
    """FFmpeg's view of the file, by the one demuxer that the format names.

    Raises:
        av.FFmpegError: the demuxer cannot make sense of it.
    """
    av.logging.set_level(None)  # its messages may quote a file's content
    _limit_allocations()
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


@functools.cache
def _limit_allocations() -> None:
    """Calls FFmpeg's `av_max_alloc`, which PyAV does not pass on; its default is 2 GB a block.

    PyAV's wheels bring libavutil with them, in one of these places. A PyAV that was built against the system's FFmpeg
    goes without the limit.
    """
    package = Path(av.__file__).parent
    for pattern in ("../av.libs/libavutil*", ".dylibs/libavutil*", "../av.libs/avutil*.dll"):
        for library in package.glob(pattern):
            ctypes.CDLL(str(library)).av_max_alloc(ctypes.c_size_t(MAX_ALLOCATION_BYTES))
