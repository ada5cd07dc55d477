"""Join: which entry of the archive is the audio of which row of the CSV.

Lives here: what an archive's directory says about an entry, which entries count, and why an entry cannot be a call's
audio. Does not: reading a directory or an entry (adapters/archive.py), or the rules of the other columns (rows.py).

Names are compared in NFC and with their case. macOS writes names in NFD, spreadsheets in NFC; both mean one file.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from aila_pipeline import errors

MAX_DEFLATE_RATIO = 1032
"""Deflate cannot do better: two bits for 258 bytes (zlib's technical notes, "maximum compression factor")."""

HIGH_RATIO, HIGH_RATIO_FLOOR_BYTES = 200, 256 * 1024**2
"""Digital silence deflates at almost 1000:1 and is a legitimate recording, so the ratio alone condemns an entry only
from 256 MiB on: more than two hours of silence in 8 kHz stereo, 16 bit."""

_IGNORED_NAMES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_OTHER_ENCODING = "cp866"


class Method(IntEnum):
    """Compression methods of the ZIP specification (APPNOTE 4.4.5) that people meet."""

    STORED = 0
    DEFLATE = 8
    DEFLATE64 = 9
    BZIP2 = 12
    LZMA = 14
    ZSTANDARD = 93
    XZ = 95
    PPMD = 98
    AES = 99


READABLE = frozenset({Method.STORED, Method.DEFLATE})


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """One entry as the archive's directory describes it; nothing of it has been unpacked.

    `name` has `/` as separator. `raw_name` are its bytes in the archive, and `name_certain` tells whether the archive
    said how to read them. The local header starts at `header_offset`, counted from the start of the file, and the
    entry's data must end before `end_bound`, where the next record starts.
    """

    name: str
    size_bytes: int
    compressed_bytes: int
    crc32: int
    method: int = Method.DEFLATE
    encrypted: bool = False
    directory: bool = False
    link: bool = False
    header_offset: int = 0
    end_bound: int = 0
    raw_name: bytes = b""
    name_certain: bool = True

    @property
    def base_name(self) -> str:
        """The name without its folders."""
        return self.name.rpartition("/")[2]

    @property
    def ignored(self) -> bool:
        """Whether it is a folder, or what operating systems leave in archives by themselves."""
        folders = self.name.split("/")[:-1]
        return self.directory or "__MACOSX" in folders or self.base_name.lower() in _IGNORED_NAMES

    def refusal(self, max_audio_bytes: int) -> errors.PermanentCallError | None:
        """Why this entry cannot be read as a recording, or None; judged by the directory alone."""
        return self._unreadable() or self._absurd(max_audio_bytes)

    def _unreadable(self) -> errors.PermanentCallError | None:
        """The ways of storing an entry that are not read."""
        if self.encrypted or self.method == Method.AES:
            return errors.EntryEncrypted()
        if self.link:
            return errors.EntryUnsupported("it is a link or a special file")
        if self.method not in READABLE:
            return errors.EntryUnsupported(f"its compression method is {_method_name(self.method)}")
        return None

    def _absurd(self, max_audio_bytes: int) -> errors.PermanentCallError | None:
        """Sizes that no recording has."""
        if self.method == Method.STORED and self.size_bytes != self.compressed_bytes:
            return errors.EntryCorrupt("it is stored, but its two sizes differ")
        if self.size_bytes == 0:
            return errors.AudioEmpty("the archive's entry has no bytes")
        if _is_bomb(self):
            return errors.EntryBomb(f"{self.compressed_bytes} bytes claim to hold {self.size_bytes}")
        if self.size_bytes > max_audio_bytes:
            return errors.AudioTooLarge(f"{self.size_bytes} bytes, the limit is {max_audio_bytes}")
        return None


@dataclass(frozen=True)
class Joined:
    """`entries` by row position, `failures` by row position, and how many files no row names."""

    entries: Mapping[int, ArchiveEntry]
    failures: Mapping[int, errors.PermanentCallError]
    files_without_row: int


def same_name(name: str) -> str:
    """The form in which names are compared."""
    return unicodedata.normalize("NFC", name)


def join(
    names: Mapping[int, str], entries: Iterable[ArchiveEntry], *, max_audio_bytes: int, fallback_encoding: str
) -> Joined:
    """Find each row's entry at the root of the archive.

    `names` maps a row's position to its `audio_file_name`. Rows that name the same file all fail, since nothing tells
    which of them is meant.
    """
    files = Files(entries, fallback_encoding=fallback_encoding)
    wanted = Counter(same_name(name) for name in names.values())
    found: dict[int, ArchiveEntry] = {}
    failures: dict[int, errors.PermanentCallError] = {}
    for position, name in names.items():
        count = wanted[same_name(name)]
        try:
            if count > 1:
                raise errors.FileAmbiguous(f"{count} rows name it")
            found[position] = files.find(name, max_audio_bytes=max_audio_bytes)
        except errors.PermanentCallError as failure:
            failures[position] = failure
    return Joined(found, failures, files.unnamed_by(names.values()))


class Files:
    """The files of an archive, by the names that a row may use for them.

    Names that the archive left without an encoding are tried as CP866 (Russian Windows) and in the tenant's fallback
    encoding too, after the exact match failed.
    """

    def __init__(self, entries: Iterable[ArchiveEntry], *, fallback_encoding: str) -> None:
        self._all = [entry for entry in entries if not entry.ignored]
        self._exact: defaultdict[str, list[ArchiveEntry]] = defaultdict(list)
        self._guessed: defaultdict[str, list[ArchiveEntry]] = defaultdict(list)
        self._in_folders: defaultdict[str, list[ArchiveEntry]] = defaultdict(list)
        self._folded: set[str] = set()
        for entry in self._all:
            name = same_name(entry.name)
            self._exact[name].append(entry)
            self._folded.add(name.casefold())
            if "/" in name:
                self._in_folders[_base(name)].append(entry)
            if not entry.name_certain:
                for guess in _guesses(entry.raw_name, (_OTHER_ENCODING, fallback_encoding)) - {name}:
                    self._guessed[guess].append(entry)

    def find(self, name: str, *, max_audio_bytes: int) -> ArchiveEntry:
        """The one entry of this name at the root, or the `PermanentCallError` that says why there is none to use."""
        candidates = self._candidates(name)
        if len(candidates) > 1:
            raise errors.FileAmbiguous(f"the archive has {len(candidates)} entries of this name")
        if not candidates and not self._in_folders.get(_base(name)):
            differs = same_name(name).casefold() in self._folded
            raise errors.FileNotFound("an entry differs only in upper and lower case" if differs else "")
        if not candidates or "/" in candidates[0].name:
            raise errors.EntryNested
        refusal = candidates[0].refusal(max_audio_bytes)
        if refusal is not None:
            raise refusal
        return candidates[0]

    def unnamed_by(self, names: Iterable[str]) -> int:
        """How many files none of these names means, not even wrongly by their base name."""
        named = {
            entry.name for name in names for entry in self._candidates(name) or self._in_folders.get(_base(name), ())
        }
        return sum(entry.name not in named for entry in self._all)

    def _candidates(self, name: str) -> Sequence[ArchiveEntry]:
        """The entries of exactly this name, else those whose bytes spell it in another encoding."""
        return self._exact.get(same_name(name)) or self._guessed.get(same_name(name)) or ()


def _base(name: str) -> str:
    """The name without folders, whatever separates them."""
    return same_name(name).replace("\\", "/").rpartition("/")[2]


def _guesses(raw_name: bytes, encodings: Iterable[str]) -> set[str]:
    """What the bytes of a name may mean, in NFC."""
    guesses = set()
    for encoding in encodings:
        try:
            guesses.add(same_name(codecs.decode(raw_name, encoding).replace("\\", "/")))
        except (UnicodeError, LookupError):  # not in this encoding, or the tenant's setting names none
            continue
    return guesses


def _is_bomb(entry: ArchiveEntry) -> bool:
    """Whether the entry claims what deflate cannot do, or what no recording of its size would."""
    possible = MAX_DEFLATE_RATIO * entry.compressed_bytes
    high = entry.size_bytes >= HIGH_RATIO_FLOOR_BYTES and entry.size_bytes > HIGH_RATIO * entry.compressed_bytes
    return entry.size_bytes > possible or high


def _method_name(method: int) -> str:
    """A method as people call it."""
    try:
        return Method(method).name.lower()
    except ValueError:
        return f"number {method}"
