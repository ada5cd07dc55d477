"""Speech size: how large a model is inside, and how many windows it can take at a time in a given memory.

Lives here: reading the sizes from a CTranslate2 file's directory of variables, and the estimate. Does not: loading.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aila_pipeline.errors import ModelUnavailable

LARGEST_BATCH = 8
"""Beyond it the decoder gains next to nothing; with 10, two workers of `tiny` passed 1 GB (docs/benchmarks.md)."""

FRAMES = 1500
"""Positions that the encoder makes of a window."""

_TOKENS = 230
"""Most that the decoder writes for a window, with a short prompt."""

_WINDOW_BYTES = 30 * 16_000 * 4
_WAITING_PER_PLACE = 6
"""Windows of sound that wait, for each place in a batch (speech_pooled.py)."""


@dataclass(frozen=True)
class ModelSize:
    """What a Whisper model's memory follows from. `heads` of the encoder."""

    width: int
    heads: int
    decoder_layers: int
    tokens: int

    def batch_for(self, memory_bytes: int, *, beam_size: int, value_bytes: int = 4) -> int:
        """Windows that one batch may have, at least 1 and at most `LARGEST_BATCH`."""
        return max(1, min(LARGEST_BATCH, self.windows_in(memory_bytes, beam_size=beam_size, value_bytes=value_bytes)))

    def windows_in(self, memory_bytes: int, *, beam_size: int, value_bytes: int = 4) -> int:
        """Windows for which this is enough at one time, 0 or below if for none.

        A batch is encoded, then decoded, then aligned; each gives its memory back for the next. So what counts is
        decoding (the keys and values of the windows and of each beam, the scores for every token, the sound that waits)
        unless the encoder's attention or the alignment of a single window need more. `value_bytes` is 2 for float16.
        """
        attention = self.heads * FRAMES * FRAMES * 2 + FRAMES * self.width * 10
        alignment = _TOKENS * (self.tokens + self.heads * FRAMES)
        of_window = FRAMES * self.width * (2 * self.decoder_layers + 2)
        of_beams = beam_size * (2 * (self.decoder_layers + 1) * _TOKENS * self.width + 4 * self.tokens)
        each = value_bytes * (of_window + of_beams) + _WAITING_PER_PLACE * _WINDOW_BYTES
        for_one = value_bytes * max(attention, alignment)
        held = value_bytes * FRAMES * self.width  # of each window, while another one is encoded or aligned
        return min(memory_bytes // each, (memory_bytes - for_one) // held)


def size_of(directory: Path) -> ModelSize:
    """The sizes of the model in this directory.

    Raises:
        ModelUnavailable: its model.bin is no Whisper model in CTranslate2's format; one line with setting and path.
    """
    path = directory / "model.bin"
    try:
        with path.open("rb") as file:
            shapes = dict(_variables(file))
        table = shapes["decoder/embeddings/weight"]
        layers = {name.split("/")[1] for name in shapes if name.startswith("decoder/layer_")} - {"layer_norm"}
        heads = shapes.get("encoder/num_heads", ())
        width = table[1]
        return ModelSize(width, heads[0] if heads else width // 64, len(layers), table[0])
    except (OSError, struct.error, UnicodeDecodeError, KeyError, IndexError) as error:
        raise ModelUnavailable(
            f"AILA_WHISPER_MODEL: {path} is no Whisper model in CTranslate2's format ({type(error).__name__}); "
            "ct2-transformers-converter makes one"
        ) from None


def _variables(file: BinaryIO) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of each variable; of a number that stands alone, its value instead of a shape."""
    version, name_length = struct.unpack("<IH", _exactly(file, 6))
    if not 1 <= version <= 100 or b"Whisper" not in _exactly(file, name_length):
        raise KeyError("a model of another kind")
    _, count = struct.unpack("<II", _exactly(file, 8))
    for _ in range(count):
        (length,) = struct.unpack("<H", _exactly(file, 2))
        name = _exactly(file, length).rstrip(b"\0").decode()
        (rank,) = struct.unpack("<B", _exactly(file, 1))
        shape = struct.unpack(f"<{rank}I", _exactly(file, 4 * rank))
        _, size = struct.unpack("<BI", _exactly(file, 5))
        if name.endswith("num_heads"):
            yield name, (int.from_bytes(_exactly(file, size), "little"),)
        else:
            yield name, shape
            file.seek(size, 1)


def _exactly(file: BinaryIO, count: int) -> bytes:
    found = file.read(count)
    if len(found) < count:
        raise KeyError("the file ends early")
    return found
