"""Sounds: real recordings of tones in every format that is read, made with PyAV for the audio tests.

Lives here: builders of files. Does not: any expectation.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]


@dataclass(frozen=True)
class Kind:
    """One way to store sound: our names for it, and how PyAV writes it."""

    format: str
    codec: str
    muxer: str
    encoder: str
    lossy: bool = False


KINDS = {
    "wav-u8": Kind("wav", "pcm_u8", "wav", "pcm_u8"),
    "wav-16": Kind("wav", "pcm_s16le", "wav", "pcm_s16le"),
    "wav-24": Kind("wav", "pcm_s24le", "wav", "pcm_s24le"),
    "wav-32": Kind("wav", "pcm_s32le", "wav", "pcm_s32le"),
    "wav-float": Kind("wav", "pcm_f32le", "wav", "pcm_f32le"),
    "wav-alaw": Kind("wav", "pcm_alaw", "wav", "pcm_alaw"),
    "wav-mulaw": Kind("wav", "pcm_mulaw", "wav", "pcm_mulaw"),
    "mp3": Kind("mp3", "mp3", "mp3", "libmp3lame", lossy=True),
    "flac": Kind("flac", "flac", "flac", "flac"),
    "ogg-vorbis": Kind("ogg", "vorbis", "ogg", "vorbis", lossy=True),
    "ogg-opus": Kind("ogg", "opus", "ogg", "libopus", lossy=True),
    "aiff": Kind("aiff", "pcm_s16be", "aiff", "pcm_s16be"),
    "au": Kind("au", "pcm_mulaw", "au", "pcm_mulaw"),
    "m4a": Kind("m4a", "aac", "ipod", "aac", lossy=True),
    "m4a-alac": Kind("m4a", "alac", "ipod", "alac"),
    "aac": Kind("aac", "aac", "adts", "aac", lossy=True),
}
LOSSY = [name for name, kind in KINDS.items() if kind.lossy]


def tone(hertz: float, *, seconds: float = 2.0, rate_hz: int = 8_000, level: float = 0.5) -> Signal:
    """A sine."""
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def babble(seed: int, *, seconds: float = 2.0, rate_hz: int = 8_000, level: float = 0.1) -> Signal:
    """Noise shaped and broken up somewhat like speech, so that a codec has to work for it."""
    noise = np.convolve(np.random.default_rng(seed).normal(0, 1, round(seconds * rate_hz)), np.ones(5) / 5, "same")
    envelope = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * np.arange(len(noise)) / rate_hz + seed)
    return (level * noise * envelope).astype(np.float32)


def a_recording(
    path: Path,
    kind: str = "wav-16",
    *channels: Signal,
    rate_hz: int = 8_000,
    bit_rate: int | None = None,
    muxing: dict[str, str] | None = None,
) -> Path:
    """A file of this kind with these channels; a 440 Hz and an 880 Hz tone of 2 s when none are given."""
    how = KINDS[kind]
    signals = channels or (tone(440, rate_hz=rate_hz), tone(880, rate_hz=rate_hz))
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[len(signals)]
    # Interleaved, because PyAV cannot make a planar frame of eight channels.
    interleaved = np.ascontiguousarray(np.stack(signals, axis=1).reshape(1, -1))
    frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=layout)
    frame.sample_rate = rate_hz
    with av.open(path, "w", format=how.muxer, options=muxing or {}) as container:
        # Vorbis' own encoder counts as experimental in FFmpeg.
        stream = container.add_stream(how.encoder, rate=rate_hz, layout=layout, options={"strict": "-2"})
        assert isinstance(stream, av.AudioStream)
        if bit_rate:
            stream.bit_rate = bit_rate
        context = stream.codec_context
        context.open()  # only then is its frame size known
        size = context.frame_size or 1024
        resampler = av.AudioResampler(format=context.format, layout=layout, rate=context.sample_rate, frame_size=size)
        container.start_encoding()
        if frame.samples:
            for piece in [*resampler.resample(frame), *resampler.resample(None)]:
                container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def a_wav(path: Path, samples: NDArray[np.int16], *, rate_hz: int = 8_000, data_size: int | None = None) -> Path:
    """A 16-bit WAV written by hand, of shape (samples, channels); `data_size`: what its header claims instead."""
    body = samples.astype("<i2").tobytes()
    channels = samples.shape[1]
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate_hz, rate_hz * channels * 2, channels * 2, 16)
    data = struct.pack("<4sI", b"data", len(body) if data_size is None else data_size)
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", 0xFFFFFFFF, b"WAVE") + fmt + data + body)
    return path


def a_gsm_wav(path: Path, *, blocks: int) -> Path:
    """A WAV of GSM 06.10 as telephone systems write it: 65 bytes for 320 samples; the bytes are arbitrary."""
    body = bytes((7 * i) % 251 for i in range(65 * blocks))
    fmt = struct.pack("<4sIHHIIHHHH", b"fmt ", 20, 0x31, 1, 8_000, 1_625, 65, 0, 2, 320)
    data = struct.pack("<4sI", b"data", len(body))
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", 4 + len(fmt + data + body), b"WAVE") + fmt + data + body)
    return path


def a_film(path: Path) -> Path:
    """An MP4 with a picture that moves, and sound."""
    with av.open(path, "w", format="mp4") as container:
        picture = container.add_stream("mpeg4", rate=10)
        assert isinstance(picture, av.VideoStream)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        sound = container.add_stream("aac", rate=8_000, layout="mono")
        assert isinstance(sound, av.AudioStream)
        for _ in range(10):
            container.mux(picture.encode(av.VideoFrame(64, 64, "yuv420p")))
        frame = av.AudioFrame.from_ndarray(tone(440, seconds=0.128)[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = 8_000
        container.mux([*picture.encode(None), *sound.encode(frame), *sound.encode(None)])
    return path


def with_cover(mp3: bytes) -> bytes:
    """The MP3 behind an ID3v2.3 tag that holds a title and a picture (the bytes of a 1x1 PNG)."""
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f80f00010501012718e366"
        "0000000049454e44ae426082"
    )
    apic = b"\0image/png\0\3\0" + png
    title = b"\0caf\xe9"
    frames = b"".join(
        struct.pack(">4sIH", name, len(body), 0) + body for name, body in ((b"TIT2", title), (b"APIC", apic))
    )
    size = len(frames)
    syncsafe = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + syncsafe + frames + mp3
