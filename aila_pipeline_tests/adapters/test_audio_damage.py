"""Files that are no audio, that are damaged or cut off, or that want to be more than a recording."""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aila_pipeline.adapters.audio import channel_blocks, inspect
from aila_pipeline.adapters.audio_formats import AudioFormat
from aila_pipeline.adapters.audio_leash import Leash, open_container
from aila_pipeline.domain.models import AudioFacts
from aila_pipeline.errors import AudioEmpty, AudioInvalid, AudioTooLong, AudioTruncated
from aila_pipeline_tests.adapters.sounds import KINDS, a_recording, a_wav, babble, tone

SIZED = ["wav-16", "wav-alaw", "aiff", "au", "flac", "m4a", "m4a-alac", "mp3"]
"""Kinds whose header says how long they are."""


def facts_of(path: Path) -> AudioFacts:
    return inspect(path, max_seconds=60.0, max_bytes=2**31)


def a_file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_file_without_bytes_is_empty(tmp_path: Path) -> None:
    with pytest.raises(AudioEmpty, match="no bytes"):
        facts_of(a_file(tmp_path / "call.wav", b""))


@pytest.mark.parametrize("kind", ["wav-16", "aiff", "au", "flac"])
def test_a_header_without_sound_is_empty(kind: str, tmp_path: Path) -> None:
    with pytest.raises(AudioEmpty):
        facts_of(a_recording(tmp_path / "call", kind, np.zeros(0, np.float32)))


@pytest.mark.parametrize(
    "content",
    [
        b"Dear all, please find the recordings attached.\r\n",
        b"<!DOCTYPE html><html><body>403 Forbidden</body></html>",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" * 40,
        b"PK\x03\x04\x14\x00\x00\x00\x08\x00" * 40,
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 20,
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" * 40,
        b"\xff\xfb\x90\x64 a sync word and nothing behind it" * 40,
        b"\x00" * 5_000,
        b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f",
        b"RIFF\x00\x00\x00\x00AVI LIST",
        b"RIFF",
        b"\x1aE\xdf\xa3\x9fB\x86\x81\x01webm" * 20,
    ],
    ids=lambda content: repr(content[:6]),
)
def test_what_is_not_audio_is_refused_by_its_bytes(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(AudioInvalid):
        facts_of(a_file(tmp_path / "call.mp3", content))


PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile '{target}'\n",
    "concat": "file '{target}'\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n",
    "hls-url": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{target}\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    "dash": "<?xml version='1.0'?><MPD><BaseURL>file://{target}</BaseURL></MPD>",
}


@pytest.mark.parametrize("playlist", PLAYLISTS)
@pytest.mark.parametrize("name", ["call.mp3", "call.m3u8", "call.ffconcat"])
def test_a_playlist_named_like_a_recording_is_refused(playlist: str, name: str, tmp_path: Path) -> None:
    """The file that it names is real sound; if it were opened, there would be facts and no error."""
    target = a_recording(tmp_path / "secret.wav", "wav-16")
    with pytest.raises(AudioInvalid, match="does not begin like"):
        facts_of(a_file(tmp_path / name, PLAYLISTS[playlist].format(target=target).encode()))


@pytest.mark.parametrize(("playlist", "demuxer"), [("ffconcat", "concat"), ("hls", "hls"), ("hls-url", "hls")])
def test_even_a_playlist_reader_could_open_nothing_else(playlist: str, demuxer: str, tmp_path: Path) -> None:
    """The second line of defence: were such a demuxer ever chosen, protocols and opening are still refused."""
    target = a_recording(tmp_path / "secret.wav", "wav-16")
    path = a_file(tmp_path / "call.mp3", PLAYLISTS[playlist].format(target=target).encode())
    playlist_format = AudioFormat("playlist", demuxer, ("pcm_s16le",))
    with (
        path.open("rb") as file,
        pytest.raises((av.FFmpegError, PermissionError)),
        open_container(Leash(file, path.stat().st_size), playlist_format) as container,
    ):
        list(container.decode(audio=0))


@pytest.mark.parametrize("kind", SIZED)
def test_a_recording_that_was_cut_off_is_truncated(kind: str, tmp_path: Path) -> None:
    whole = a_recording(tmp_path / "whole", kind, babble(1, seconds=10), babble(2, seconds=10))
    assert facts_of(whole).seconds == pytest.approx(10, abs=0.5)
    content = whole.read_bytes()
    with pytest.raises(AudioTruncated):
        facts_of(a_file(tmp_path / "half", content[: len(content) // 2]))


def test_an_m4a_with_its_index_in_front_tells_how_much_is_missing(tmp_path: Path) -> None:
    signal = babble(1, seconds=10)
    whole = a_recording(tmp_path / "whole.m4a", "m4a", signal, signal, muxing={"movflags": "faststart"})
    content = whole.read_bytes()
    with pytest.raises(AudioTruncated, match=r"of 10\.\d s"):
        facts_of(a_file(tmp_path / "half.m4a", content[: len(content) // 2]))


@pytest.mark.parametrize("kind", ["ogg-vorbis", "ogg-opus", "aac"])
def test_formats_that_declare_no_length_are_read_as_far_as_they_go(kind: str, tmp_path: Path) -> None:
    content = a_recording(tmp_path / "whole", kind, babble(1, seconds=40), babble(2, seconds=40)).read_bytes()
    half = facts_of(a_file(tmp_path / "half", content[: len(content) // 2]))
    assert 10 < half.seconds < 30  # by whole pages of up to 64 KiB


def test_an_mp3_without_a_count_of_frames_proves_nothing_about_its_length(tmp_path: Path) -> None:
    """FFmpeg guesses such a length from the bit rate; a call that starts with silence would look cut off."""
    whole = a_recording(tmp_path / "whole", "mp3", babble(1, seconds=10), muxing={"write_xing": "0"})
    content = whole.read_bytes()
    half = facts_of(a_file(tmp_path / "half", content[: len(content) // 2]))
    assert half.seconds == pytest.approx(5, abs=0.5)


@pytest.mark.parametrize("data_size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_a_wav_written_to_a_stream_is_not_truncated(data_size: int, tmp_path: Path) -> None:
    """Writers that cannot seek leave such sizes in the header; the sound ends where the file does."""
    samples = (3_000 * np.random.default_rng(1).normal(0, 1, (80_000, 1))).astype(np.int16)
    assert facts_of(a_wav(tmp_path / "call.wav", samples, data_size=data_size)).seconds == 10.0


@pytest.mark.parametrize(("claimed", "refused"), [(10.9, False), (11.1, True)])
def test_a_second_may_be_missing_and_no_more(claimed: float, refused: bool, tmp_path: Path) -> None:
    path = a_wav(tmp_path / "call.wav", np.ones((80_000, 1), np.int16), data_size=int(claimed * 16_000))
    if refused:
        with pytest.raises(AudioTruncated, match=r"10\.0 of 11\.1 s"):
            facts_of(path)
    else:
        assert facts_of(path).seconds == 10.0


def test_a_wrong_byte_rate_in_the_header_does_not_make_a_wav_truncated(tmp_path: Path) -> None:
    path = a_wav(tmp_path / "call.wav", np.ones((80_000, 1), np.int16))
    content = bytearray(path.read_bytes())
    content[28:32] = struct.pack("<I", 1_000)
    assert facts_of(a_file(path, bytes(content))).seconds == 10.0


@pytest.mark.parametrize("kind", ["mp3", "aac", "ogg-opus"])
def test_a_few_broken_frames_cost_only_themselves(kind: str, tmp_path: Path) -> None:
    """In Ogg that is the page, about a second, which fails its checksum as a whole."""
    content = bytearray(a_recording(tmp_path / "whole", kind, babble(1, seconds=20)).read_bytes())
    for place in (len(content) // 3, len(content) // 2):
        content[place : place + 20] = bytes(20)
    facts = facts_of(a_file(tmp_path / "call", bytes(content)))
    assert facts.seconds == pytest.approx(20, abs=2.1 if kind == "ogg-opus" else 0.5)


@pytest.mark.parametrize("kind", ["mp3", "aac"])
def test_a_recording_that_is_mostly_broken_is_refused(kind: str, tmp_path: Path) -> None:
    content = bytearray(a_recording(tmp_path / "whole", kind, babble(1, seconds=20)).read_bytes())
    noise = np.random.default_rng(5)
    for place in range(1_000, len(content) - 30, 60):
        content[place : place + 30] = noise.bytes(30)
    with pytest.raises((AudioInvalid, AudioTruncated)):
        facts_of(a_file(tmp_path / "call", bytes(content)))


def test_no_message_repeats_what_the_file_holds(tmp_path: Path) -> None:
    with pytest.raises(AudioInvalid) as caught:
        facts_of(a_file(tmp_path / "call.mp3", b"Ms Sally Example, +1 555 0100, asked to be called back" * 50))
    assert "Sally" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_header_cannot_make_the_decoder_take_gigabytes(tmp_path: Path) -> None:
    """A WAV's title that claims 2 GB made FFmpeg fill as much with zeros; run alone, to see what the process takes."""
    whole = a_recording(tmp_path / "call.wav", "wav-16").read_bytes()
    assert whole[0x24:0x28] == b"LIST"
    too_long = [struct.pack("<I", size) for size in (0x7E00001A, 0x7D000000)]  # the list's and the title's
    bomb = whole[:0x28] + too_long[0] + whole[0x2C:0x34] + too_long[1] + whole[0x38:]
    path = a_file(tmp_path / "bomb.wav", bomb)
    program = (
        "import sys, pathlib\n"
        "from aila_pipeline.adapters.audio import inspect\n"
        "from aila_pipeline.errors import CallError\n"
        "try: inspect(pathlib.Path(sys.argv[1]), max_seconds=60, max_bytes=2**31)\n"
        "except CallError as error: print(error.code)\n"
        # Not getrusage: Linux hands a child the peak of the process that started it, here that of all tests so far.
        "print(pathlib.Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    code, peak_kib = ended.stdout.split()
    assert code == "AUDIO_INVALID"
    assert int(peak_kib) < 400 * 1024


EXAMPLES: dict[str, bytes] = {}
"""One short file of each kind, made when first needed."""


def example_of(kind: str, folder: Path) -> bytes:
    if kind not in EXAMPLES:
        sound = (tone(440, seconds=0.6), babble(1, seconds=0.6))
        EXAMPLES[kind] = a_recording(folder / "example", kind, *sound).read_bytes()
    return EXAMPLES[kind]


@dataclass(frozen=True)
class Damage:
    """Bytes overwritten near the start and anywhere, some put in, and the end cut off."""

    near_start: list[tuple[float, bytes]]
    anywhere: list[tuple[float, bytes]]
    inserted: bytes
    kept: float

    def done_to(self, whole: bytes) -> bytes:
        content = bytearray(whole)
        for reach, changes in ((min(200, len(content)), self.near_start), (len(content), self.anywhere)):
            for place, new in changes:
                at = int(place * (reach - 1))
                content[at : at + len(new)] = new
        middle = len(content) // 2
        content[middle:middle] = self.inserted
        return bytes(content[: max(1, int(self.kept * len(content)))])


patches = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=12)), max_size=8)
damages = st.builds(Damage, patches, patches, st.binary(max_size=40), st.floats(0.02, 1.0))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(damage=damages)
def test_any_damage_gives_facts_or_a_coded_error(kind: str, tmp_path: Path, damage: Damage) -> None:
    """Never another exception, and never a hang: what can be inspected can also be read."""
    path = a_file(tmp_path / "damaged", damage.done_to(example_of(kind, tmp_path)))
    try:
        facts = facts_of(path)
    except (AudioEmpty, AudioInvalid, AudioTruncated, AudioTooLong):
        return
    assert facts.seconds > 0
    heard = sum(len(block) for block in channel_blocks(path, facts.channels - 1))
    assert heard / 16_000 == pytest.approx(facts.seconds, abs=0.05)
