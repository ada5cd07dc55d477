"""A Whisper of true dimensions with random weights: as slow as the real one, and as deaf as a stone.

Lives here: making it as a CTranslate2 directory, with a vocabulary of Whisper's size and order. Does not: measuring.
Recognition time depends on the sizes of a model and on the number of tokens it writes, not on its weights.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import common_spec, whisper_spec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

WORDS = 50_257
FRAMES, POSITIONS = 1500, 448
TIMESTAMPS = 1501
_LANGUAGES = [code for code in _LANGUAGE_CODES if code != "yue"]
"""Cantonese came with large-v3, which has one token more."""


@dataclass(frozen=True)
class Dimensions:
    """How large a model is inside."""

    width: int
    heads: int
    layers: int
    """Of the encoder, and as many of the decoder."""
    alignment: tuple[tuple[int, int], ...] = ()
    """Layer and head that tell the time of words; none: all heads of the last layer."""


KNOWN = {
    "least": Dimensions(128, 2, 2),
    "tiny": Dimensions(384, 6, 4, ((2, 2), (3, 0), (3, 2), (3, 3), (3, 4), (3, 5))),
    "base": Dimensions(512, 8, 6, ((3, 1), (4, 2), (4, 3), (4, 7), (5, 1), (5, 2), (5, 4), (5, 6))),
    "small": Dimensions(768, 12, 12, ((5, 3), (5, 9), (8, 0), (8, 4), (8, 7), (8, 8), (9, 0), (9, 7), (9, 9), (10, 5))),
}
"""OpenAI's, and one far smaller than any of theirs, for what does not depend on the model."""


def make_model(directory: Path, sizes: Dimensions, *, seed: int = 1) -> Path:
    """Write the model into the directory, quantised to int8; the same arguments give the same files."""
    random = np.random.default_rng(seed)
    spec = whisper_spec.WhisperSpec(sizes.layers, sizes.heads, sizes.layers, sizes.heads)
    tokenizer = _tokenizer()
    count = tokenizer.get_vocab_size(with_added_tokens=True)
    _fill(spec, sizes, count, random)
    spec.register_vocabulary([tokenizer.id_to_token(number) for number in range(count)])
    number = tokenizer.token_to_id
    spec.config.suppress_ids = [number("<|nospeech|>")]
    spec.config.suppress_ids_begin = [number("<|endoftext|>")]
    spec.config.lang_ids = [number(f"<|{code}|>") for code in _LANGUAGES]
    spec.config.alignment_heads = sizes.alignment or [(sizes.layers - 1, head) for head in range(sizes.heads)]
    spec.validate()
    spec.optimize(quantization="int8")
    directory.mkdir(parents=True, exist_ok=True)
    spec.save(str(directory))
    tokenizer.save(str(directory / "tokenizer.json"))
    features = {"feature_size": 80, "sampling_rate": 16_000, "hop_length": 160, "n_fft": 400, "chunk_length": 30}
    (directory / "preprocessor_config.json").write_text(json.dumps(features) + "\n", "utf-8")
    return directory


def _tokenizer() -> Tokenizer:
    """As many tokens as Whisper has, in its order; the words are numbers."""
    # CTranslate2 takes a model for multilingual if it has the empty token, which Whisper's first vocabulary lacks.
    vocabulary = {f"Ġ{number}": number for number in range(WORDS - 1)} | {"": WORDS - 1}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="Ġ0"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    languages = [f"<|{code}|>" for code in _LANGUAGES]
    tasks = ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    times = [f"<|{step * 0.02:.2f}|>" for step in range(TIMESTAMPS)]
    tokenizer.add_special_tokens(["<|endoftext|>", "<|startoftranscript|>", *languages, *tasks, *times])
    return tokenizer


def _fill(spec: Any, sizes: Dimensions, tokens: int, random: np.random.Generator) -> None:
    width = sizes.width

    def some(*shape: int) -> NDArray[np.float32]:
        return (random.standard_normal(shape, dtype=np.float32) / np.sqrt(shape[-1])).astype(np.float32)

    spec.encoder.conv1.weight, spec.encoder.conv1.bias = some(width, 80, 3), some(width)
    spec.encoder.conv2.weight, spec.encoder.conv2.bias = some(width, width, 3), some(width)
    spec.encoder.position_encodings.encodings = some(FRAMES, width)
    spec.decoder.position_encodings.encodings = some(POSITIONS, width)
    table = some(tokens, width)
    spec.decoder.embeddings.weight = spec.decoder.projection.weight = table
    spec.decoder.scale_embeddings = False
    for norm in (spec.encoder.layer_norm, spec.decoder.layer_norm):
        _norm(norm, width)
    for layer in (*spec.encoder.layer, *spec.decoder.layer):
        _attention(layer.self_attention, some, width, parts=(3 * width, width))
        if hasattr(layer, "attention"):
            _attention(layer.attention, some, width, parts=(width, 2 * width, width))
        _linear(layer.ffn.linear_0, some, 4 * width, width)
        _linear(layer.ffn.linear_1, some, width, 4 * width)
        _norm(layer.ffn.layer_norm, width)


def _attention(target: Any, some: Any, width: int, parts: tuple[int, ...]) -> None:
    for linear, outputs in zip(target.linear, parts, strict=True):
        _linear(linear, some, outputs, width)
    _norm(target.layer_norm, width)


def _linear(target: common_spec.LinearSpec, some: Any, outputs: int, inputs: int) -> None:
    target.weight, target.bias = some(outputs, inputs), some(outputs)


def _norm(target: Any, width: int) -> None:
    target.gamma, target.beta = np.ones(width, np.float32), np.zeros(width, np.float32)
