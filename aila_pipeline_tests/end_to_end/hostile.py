"""Bad input, as clients send it: one builder for each way to spoil a row, an archive's entry or a recording.

Lives here: what is sent, and the code that it must end with. Does not: running the pipeline (in_process.py), or
expectations beyond the code (the tests).
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from aila_pipeline.adapters.audio import channel_blocks
from aila_pipeline_tests.adapters.sounds import Signal, a_film, a_recording, a_wav, tone
from aila_pipeline_tests.adapters.zips import Record, a_record
from aila_pipeline_tests.domain.intake.builders import a_row

MAX_AUDIO_BYTES = 1_000_000
MAX_AUDIO_SECONDS = 36.0
"""Limits that the tests set, so that what breaks them is small."""


@dataclass(frozen=True)
class Sent:
    """One row of a pair and what the archive holds for it. `code` is None where the call must complete."""

    name: str
    code: str | None
    entries: tuple[Record, ...] = ()
    cells: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    file_name: str = ""

    @property
    def row(self) -> dict[str, str]:
        """Its row of the CSV; every call has an id of its own, by which the tests find it again."""
        return a_row(self.file_name or f"{self.name}.wav", partner_call_id=self.name) | self.cells


def _stored(name: str, code: str | None, data: bytes, *, warnings: tuple[str, ...] = (), ending: str = "wav") -> Sent:
    file_name = f"{name}.{ending}"
    return Sent(name, code, (a_record(data, file_name),), warnings=warnings, file_name=file_name)


def good_calls(speech: bytes) -> Iterator[Sent]:
    """Calls with which nothing is wrong, at the start and at the end of the pair."""
    yield _stored("good-first", None, speech, ending="flac")
    yield _stored("good-last", None, speech, ending="flac")


def odd_rows(speech: bytes) -> Iterator[Sent]:
    """Rows with something in them that is kept as it is, with a warning."""
    for name, phone in (("phone-of-words", "call me"), ("phone-without-plus", "5550100")):
        recording = (a_record(speech, f"{name}.wav"),)
        yield Sent(name, None, recording, cells={"client_phone_number": phone}, warnings=("PHONE_UNUSUAL",))


def bad_rows(speech: bytes) -> Iterator[Sent]:
    """Each field of contract A broken, beside a recording that is well."""
    broken = {
        "phone-missing": {"client_phone_number": ""},
        "operator-missing": {"operator_name": ""},
        "operator-too-long": {"operator_name": "x" * 300},
        "operator-with-bell": {"operator_name": "Ann\a"},
        "time-missing": {"start_time": ""},
        "time-of-another-kind": {"start_time": "13.01.2026 10:30"},
        "time-without-hours": {"start_time": "2026-01-13"},
        "time-in-the-future": {"start_time": "2199-01-01T00:00:00"},
        "segment-missing": {"segment_type": ""},
        "segment-too-long": {"segment_type": "s" * 101},
        "right-missing": {"right_channel": ""},
        "right-unknown": {"right_channel": "robot"},
        "left-missing": {"left_channel": ""},
        "left-unknown": {"left_channel": "robot"},
        "same-role-twice": {"left_channel": "operator"},
        "direction-unknown": {"direction": "sideways"},
        "call-id-too-long": {"partner_call_id": "call-id-too-long" + "x" * 300},
        "file-name-missing": {"audio_file_name": ""},
    }
    for name in ("first-of-one-id", "second-of-one-id"):
        broken[name] = {"partner_call_id": "twice"}
    for name, cells in broken.items():
        yield Sent(name, "ROW_INVALID", (a_record(speech, f"{name}.wav"),), cells=cells)


def bad_entries(speech: bytes) -> Iterator[Sent]:
    """Each way in which an archive has no readable entry for a row."""
    yield Sent("no-file", "FILE_NOT_FOUND")
    yield Sent("other-case", "FILE_NOT_FOUND", (a_record(speech, "OTHER-CASE.wav"),))
    yield Sent("two-entries", "FILE_AMBIGUOUS", (a_record(speech, "two-entries.wav"),) * 2)
    shared = a_record(speech, "shared.wav")
    yield Sent("row-one-of-two", "FILE_AMBIGUOUS", (shared,), file_name="shared.wav")
    yield Sent("row-two-of-two", "FILE_AMBIGUOUS", file_name="shared.wav")
    yield Sent("nested", "ENTRY_NESTED", (a_record(speech, "calls/nested.wav"),))
    yield Sent("climbing", "ENTRY_NESTED", (a_record(speech, "../climbing.wav"),))
    yield _entry("encrypted", "ENTRY_ENCRYPTED", speech, flags=0x1)
    yield _entry("bzip2", "ENTRY_UNSUPPORTED", speech, method=12)
    yield _entry("link", "ENTRY_UNSUPPORTED", b"/etc/passwd", mode=stat.S_IFLNK | 0o777)
    yield _entry("wrong-checksum", "ENTRY_CORRUPT", speech, crc32=1)
    packed = a_record(speech, "damaged.wav").packed
    yield _entry("damaged", "ENTRY_CORRUPT", speech, packed=packed[:40] + bytes(60) + packed[100:])
    yield _entry("says-more", "ENTRY_CORRUPT", speech, size=len(speech) + 10)
    yield _entry("says-less", "ENTRY_CORRUPT", speech, size=len(speech) - 10)
    yield _entry("impossible-ratio", "ENTRY_BOMB", b"a" * 2000, size=900_000)
    yield _entry("no-bytes", "AUDIO_EMPTY", b"")


def _entry(name: str, code: str, data: bytes, **lies: object) -> Sent:
    """A call whose entry differs from an honest one in these fields."""
    return Sent(name, code, (replace(a_record(data, f"{name}.wav"), **lies),))  # type: ignore[arg-type]


def bad_recordings(folder: Path) -> Iterator[Sent]:
    """Each way in which the bytes of an entry are no recording that is read."""
    second = np.zeros((8_000, 2), np.int16)
    yield _stored("header-alone", "AUDIO_EMPTY", a_wav(folder / "empty.wav", second[:0]).read_bytes())
    cut = a_wav(folder / "cut.wav", second, data_size=20 * 8_000 * 4)
    yield _stored("cut-off", "AUDIO_TRUNCATED", cut.read_bytes())
    yield _stored("text", "AUDIO_INVALID", b"this is no recording\n" * 100)
    noise = np.random.default_rng(1).bytes(20_000)
    yield _stored("noise-bytes", "AUDIO_INVALID", noise)
    concat = b"ffconcat version 1.0\nfile /etc/passwd\n"
    yield _stored("ffconcat", "AUDIO_INVALID", concat, ending="mp3")
    playlist = b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    yield _stored("playlist", "AUDIO_INVALID", playlist, ending="mp3")
    yield _stored("film", "AUDIO_INVALID", a_film(folder / "film.mp4").read_bytes(), ending="mp3")
    hour = np.zeros((int(8_000 * (MAX_AUDIO_SECONDS + 2)), 1), np.int16)
    yield _stored("too-long", "AUDIO_TOO_LONG", a_wav(folder / "long.wav", hour).read_bytes())
    yield _stored("too-large", "AUDIO_TOO_LARGE", bytes(MAX_AUDIO_BYTES + 1))


def odd_recordings(folder: Path, speech: bytes) -> Iterator[Sent]:
    """Recordings that complete, with a warning that tells what could not be done with them."""
    source = folder / "speech.flac"
    source.write_bytes(speech)
    left = voice(source, 0)
    silence = np.zeros_like(left)
    for name, warnings, channels in (
        ("mono", ("MONO_AUDIO",), (left,)),
        ("dual-mono", ("DUAL_MONO",), (left, left)),
        ("silent-channel", ("SILENT_CHANNEL",), (left, silence)),
        ("both-silent", ("SILENT_CHANNEL", "NO_SPEECH"), (silence, silence)),
        ("tone", ("NO_SPEECH",), (tone(440), tone(880))),
    ):
        data = a_recording(folder / f"{name}.wav", "wav-16", *channels).read_bytes()
        yield _stored(name, None, data, warnings=warnings)


def voice(path: Path, channel: int) -> Signal:
    """One channel of a recording, at 8 kHz."""
    return np.concatenate(list(channel_blocks(path, channel, sample_rate_hz=8_000)))
