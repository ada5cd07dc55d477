"""Audio formats: which files are audio at all, judged by their first bytes, and what length they claim to have.

Lives here: the whitelist of containers and codecs, the sniffing, the length that a header declares. Does not:
decoding (audio_decoding.py) or judging a recording (audio.py). A file's name plays no part.

Nothing here hands a byte to FFmpeg: a file whose beginning is not on the list never reaches a demuxer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

_UNKNOWN_LENGTH = 0x7FFFF000
"""From here on a 32-bit data size says "unknown": writers that cannot seek leave 0x7FFFF000 (SoX) to 0xFFFFFFFF
(FFmpeg) in the header, and a chunk that is really so large is over the size limit of a recording."""

_PCM = ("pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be")
_FLOAT = ("pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be")
_TELEPHONE = ("pcm_alaw", "pcm_mulaw", "gsm", "gsm_ms", "adpcm_ima_wav", "adpcm_ms")
_MP3 = ("mp3float", "mp3")


@dataclass(frozen=True)
class AudioFormat:
    """A container that is read: our name for it, FFmpeg's demuxer, and the decoders that may run on it."""

    name: str
    demuxer: str
    decoders: tuple[str, ...]


WAV = AudioFormat("wav", "wav", (*_PCM, *_FLOAT, *_TELEPHONE, *_MP3))
MP3 = AudioFormat("mp3", "mp3", _MP3)
FLAC = AudioFormat("flac", "flac", ("flac",))
OGG = AudioFormat("ogg", "ogg", ("vorbis", "opus", "flac"))
AIFF = AudioFormat("aiff", "aiff", (*_PCM, *_FLOAT, *_TELEPHONE))
AU = AudioFormat("au", "au", (*_PCM, *_FLOAT, *_TELEPHONE))
M4A = AudioFormat("m4a", "mov", ("aac", "alac", *_MP3, *_PCM))
AAC = AudioFormat("aac", "aac", ("aac",))

FORMATS = (WAV, MP3, FLAC, OGG, AIFF, AU, M4A, AAC)


def sniff(file: BinaryIO) -> AudioFormat | None:
    """The format that the file's bytes show, or None when they show none of ours.

    MP3 and AAC have no magic number, only frame headers; two of them must follow each other (after any ID3 tags and
    zero padding), so that text, pictures and films with a stray sync word are not taken for audio.
    """
    file.seek(0)
    head = file.read(12)
    if head[:4] in {b"RIFF", b"RIFX", b"RF64"} and head[8:12] == b"WAVE":
        return WAV
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return AIFF
    for magic, at, audio_format in ((b"OggS", 0, OGG), (b".snd", 0, AU), (b"ftyp", 4, M4A)):
        if head[at : at + 4] == magic:
            return audio_format
    start = first_byte(file)
    file.seek(start)
    if file.read(4) == b"fLaC":
        return FLAC
    first = _frame_at(file, start)
    if first is None:
        return None
    following = _frame_at(file, start + first.size_bytes)
    alone = not _bytes_at(file, start + first.size_bytes, 4)
    return first.audio_format if alone or (following and following.audio_format is first.audio_format) else None


def first_byte(file: BinaryIO) -> int:
    """Where the content starts: behind ID3v2 tags (their length is in 7-bit bytes) and up to 64 KiB of zeros."""
    at = 0
    for _ in range(8):
        tag = _bytes_at(file, at, 10)
        if len(tag) < 10 or tag[:3] != b"ID3" or max(tag[6:10]) > 0x7F:
            break
        size = tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9]
        at += 10 + size + (10 if tag[5] & 0x10 else 0)
    padding = _bytes_at(file, at, 0x10000)
    return at + len(padding) - len(padding.lstrip(b"\0"))


@dataclass(frozen=True)
class _Frame:
    """One MPEG audio frame's header, decoded."""

    audio_format: AudioFormat
    size_bytes: int
    samples: int
    sample_rate_hz: int


_RATES = (44_100, 48_000, 32_000)
_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # layer III, MPEG-1 (ISO 11172-3, 2.4.2.3)
_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # layer III, MPEG-2 and 2.5 (ISO 13818-3)


def _frame_at(file: BinaryIO, at: int) -> _Frame | None:
    """The MP3 or ADTS frame whose header stands at this place, if one does."""
    header = _bytes_at(file, at, 7)
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    if layer == 0 and header[1] & 0xF0 == 0xF0:  # ADTS: a sync word of 12 bits, layer always 0 (ISO 13818-7, 6.2)
        size = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
        return _Frame(AAC, size, 1024, 0) if size >= 7 and header[2] >> 2 & 15 < 13 else None
    bitrate, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer != 1 or bitrate in {0, 15} or rate == 3:
        return None
    first_edition = version == 3
    rate_hz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    kbps = (_KBPS_1 if first_edition else _KBPS_2)[bitrate]
    samples = 1152 if first_edition else 576
    return _Frame(MP3, samples // 8 * kbps * 1000 // rate_hz + (header[2] >> 1 & 1), samples, rate_hz)


@dataclass(frozen=True)
class Declared:
    """What a header claims: seconds, or how many times the bytes of sound that are there should be there."""

    seconds: float | None = None
    share: float | None = None

    def seconds_given(self, decoded_seconds: float) -> float | None:
        """The claimed length, seen from what was decoded; None when the header claims nothing."""
        return decoded_seconds * self.share if self.share is not None else self.seconds


def declared(audio_format: AudioFormat, file: BinaryIO, size_bytes: int) -> Declared:
    """The length that the file's own header claims.

    Containers with a sized data chunk are judged by its bytes, because some recorders write a wrong byte rate. An MP3
    claims something only by a Xing, Info or VBRI frame: a length guessed from its bit rate proves nothing. Ogg and
    ADTS claim nothing; the length of an M4A is FFmpeg's to tell.
    """
    if audio_format is WAV:
        return _declared_by_chunk(file, size_bytes, big_endian=_bytes_at(file, 0, 4) == b"RIFX", name=b"data")
    if audio_format is AIFF:
        return _declared_by_chunk(file, size_bytes, big_endian=True, name=b"SSND")
    if audio_format is AU:
        offset, length = struct.unpack(">II", _bytes_at(file, 4, 8).ljust(8, b"\0"))
        return _share(length, size_bytes - offset)
    if audio_format is FLAC:
        return _declared_by_streaminfo(_bytes_at(file, first_byte(file) + 4, 38))
    return _declared_by_first_frame(file) if audio_format is MP3 else Declared()


def overruns(file: BinaryIO, size_bytes: int) -> bool:
    """Whether a top-level box of an MP4 reaches past the file's end: then it was cut off, with or without its index."""
    at = 0
    for _ in range(1000):
        head = _bytes_at(file, at, 16)
        if len(head) < 8:
            return len(head) > 0
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # 0: up to the end of the file; else nonsense, which is the decoder's to judge
            return False
        at += size
        if at >= size_bytes:
            return at > size_bytes
    return False


def _declared_by_chunk(file: BinaryIO, size_bytes: int, *, big_endian: bool, name: bytes) -> Declared:
    """The size of an IFF chunk against the bytes that follow its head; RF64 keeps the real one in `ds64`."""
    at, real_size = 12, None
    for _ in range(1000):
        head = _bytes_at(file, at, 8)
        if len(head) < 8:
            return Declared()
        size = int.from_bytes(head[4:], "big" if big_endian else "little")
        if head[:4] == b"ds64":
            real_size = int.from_bytes(_bytes_at(file, at + 16, 8), "little")
        if head[:4] == name:
            return _share(real_size if size == 0xFFFFFFFF and real_size else size, size_bytes - at - 8)
        at += 8 + size + size % 2
    return Declared()


def _share(claimed_bytes: int, present_bytes: int) -> Declared:
    if present_bytes <= 0 or claimed_bytes == 0 or _UNKNOWN_LENGTH <= claimed_bytes <= 0xFFFFFFFF:
        return Declared()
    return Declared(share=max(1.0, claimed_bytes / present_bytes))


def _declared_by_streaminfo(block: bytes) -> Declared:
    """FLAC's total of samples, 36 bits behind rate, channels and depth (RFC 9639, 8.2); 0 is unknown."""
    if len(block) < 22 or block[0] & 0x7F != 0:
        return Declared()
    packed = int.from_bytes(block[14:22], "big")
    rate_hz, samples = packed >> 44, packed & (1 << 36) - 1
    return Declared(seconds=samples / rate_hz) if rate_hz and samples else Declared()


def _declared_by_first_frame(file: BinaryIO) -> Declared:
    """An MP3's count of frames, if its first frame carries one instead of sound."""
    start = first_byte(file)
    frame = _frame_at(file, start)
    if frame is None:
        return Declared()
    body = _bytes_at(file, start, 80)
    for mark, flags, count_at in ((b"Xing", 1, 8), (b"Info", 1, 8), (b"VBRI", 0, 14)):
        content = b"".join(body.partition(mark)[1:])
        if len(content) < count_at + 4 or (flags and not content[7] & flags):  # Xing: flag 1 says that a count is there
            continue
        frames = int.from_bytes(content[count_at : count_at + 4], "big")
        return Declared(seconds=frames * frame.samples / frame.sample_rate_hz) if frames else Declared()
    return Declared()


def _bytes_at(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)
