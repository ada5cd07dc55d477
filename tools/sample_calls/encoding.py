"""Encoding: samples into an audio file of any format that the pipeline reads, through PyAV.

Lives here: resampling, codecs, containers. Does not: what is heard (mixing.py). The container follows the file's name.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from tools.sample_calls.dialogues import Audio

_CONTAINER = {".m4a": "ipod", ".aac": "adts"}
"""FFmpeg's name of the container, where it is not the name's ending."""

_BITEXACT = "+bitexact"
_OPTIONS = {"vorbis": {"strict": "experimental", "flags": f"+qscale{_BITEXACT}", "global_quality": "236"}}
"""FFmpeg's own Vorbis encoder is marked experimental (its files are ordinary ones) and knows quality, not bit rate."""


def encode(samples: NDArray[np.float32], rate_hz: int, path: Path, audio: Audio) -> None:
    """Write samples of shape (length, channels), -1..1, as `path`, in the codec and at the rate of `audio`.

    The bytes depend on the samples and FFmpeg's version alone: no dates, no encoder names.

    Raises:
        ValueError: the codec is not one for audio.
        av.FFmpegError: no such codec, or the container cannot hold it.
    """
    layout = "stereo" if samples.shape[1] == 2 else "mono"
    with av.open(path, "w", format=_CONTAINER.get(path.suffix), container_options={"fflags": _BITEXACT}) as container:
        stream = container.add_stream(audio.codec, rate=audio.rate_hz, layout=layout)
        if not isinstance(stream, AudioStream):
            raise ValueError(f"{audio.codec} is no audio codec")
        if audio.bit_rate is not None:
            stream.bit_rate = audio.bit_rate
        context = stream.codec_context
        context.options = {"flags": _BITEXACT, **_OPTIONS.get(audio.codec, {})}
        context.open()
        resampler = AudioResampler(context.format, layout, audio.rate_hz, frame_size=context.frame_size or 1024)
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate_hz, Fraction(1, rate_hz), 0
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
