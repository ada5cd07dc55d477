"""A Whisper of true dimensions with random weights, as whisper.cpp reads it.

Lives here: the file in ggml's own format, quantised to Q8_0 as whisper.cpp's `quantize` does it. Does not: the model
for CTranslate2 (random_model.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from tools.measurements.random_model import FRAMES, POSITIONS, WORDS, Dimensions

Array = NDArray[np.float32]

TOKENS = 51_865
_MAGIC, _Q8_0_FILE = 0x67676D6C, 2007
_F32, _F16, _Q8_0 = 0, 1, 8
_BLOCK = 32
_SPACE = 220
"""The token of a single space, which whisper.cpp looks up by its text."""


def make_ggml(path: Path, sizes: Dimensions, *, seed: int = 1) -> Path:
    """Write the model; the same arguments give the same file."""
    random = np.random.default_rng(seed)
    text = (POSITIONS, sizes.width, sizes.heads, sizes.layers)
    with path.open("wb") as file:
        file.write(struct.pack("<12i", _MAGIC, TOKENS, FRAMES, *text[1:], *text, 80, _Q8_0_FILE))
        filters = FeatureExtractor(feature_size=80).mel_filters.astype("<f4")
        file.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        file.write(struct.pack("<i", WORDS))
        for number in range(WORDS):
            word = f" {number}".encode() if number != _SPACE else b" "
            file.write(struct.pack("<i", len(word)) + word)
        for name, values in _tensors(sizes, random):
            _write(file, name, values)
    return path


def _tensors(sizes: Dimensions, random: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """Every tensor under the name that OpenAI's checkpoints have for it."""
    width = sizes.width

    def some(*shape: int) -> Array:
        values: Array = random.standard_normal(shape, dtype=np.float32)
        values /= np.float32(np.sqrt(shape[-1]))
        return values

    def norm(name: str) -> Iterator[tuple[str, Array]]:
        yield f"{name}.weight", np.ones(width, np.float32)
        yield f"{name}.bias", np.zeros(width, np.float32)

    def attention(name: str) -> Iterator[tuple[str, Array]]:
        for part in ("query", "key", "value", "out"):
            yield f"{name}.{part}.weight", some(width, width)
            if part != "key":
                yield f"{name}.{part}.bias", some(width)
        yield from norm(f"{name}_ln")

    table = some(TOKENS, width)
    table[WORDS] = 0  # the end of text, so that none is written before the limit
    yield "encoder.positional_embedding", some(FRAMES, width)
    yield "decoder.positional_embedding", some(POSITIONS, width)
    yield "decoder.token_embedding.weight", table
    for number, inputs in ((1, 80), (2, width)):
        yield f"encoder.conv{number}.weight", some(width, inputs, 3)
        yield f"encoder.conv{number}.bias", some(width, 1)
    yield from norm("encoder.ln_post")
    yield from norm("decoder.ln")
    for block in (f"{side}.blocks.{layer}" for side in ("encoder", "decoder") for layer in range(sizes.layers)):
        for part in ("attn",) if block.startswith("encoder") else ("attn", "cross_attn"):
            yield from attention(f"{block}.{part}")
        yield from norm(f"{block}.mlp_ln")
        yield f"{block}.mlp.0.weight", some(4 * width, width)
        yield f"{block}.mlp.0.bias", some(4 * width)
        yield f"{block}.mlp.2.weight", some(width, 4 * width)
        yield f"{block}.mlp.2.bias", some(width)


def _write(file: BinaryIO, name: str, values: Array) -> None:
    kind, content = _F32, values.astype("<f4").tobytes()
    if values.ndim == 3:
        kind, content = _F16, values.astype("<f2").tobytes()
    elif values.ndim == 2 and not name.endswith((".bias", "positional_embedding")):
        kind, content = _Q8_0, _quantised(values)
    file.write(struct.pack("<3i", values.ndim, len(name), kind))
    file.write(struct.pack(f"<{values.ndim}i", *reversed(values.shape)) + name.encode() + content)


def _quantised(values: Array) -> bytes:
    """Blocks of 32 values: a scale of 16 bits, then 8 bits each."""
    blocks = values.reshape(-1, _BLOCK)
    scales = np.abs(blocks).max(axis=1) / 127
    packed = np.empty(len(blocks), np.dtype([("scale", "<f2"), ("values", "i1", _BLOCK)]))
    packed["scale"] = scales
    packed["values"] = np.rint(blocks / np.where(scales > 0, scales, 1)[:, np.newaxis])
    return packed.tobytes()
