"""First model: today's network started with what an exported one has learned.

Lives here: laying the weights into a network with more words and wider layers, so that at first it hears as the
exported one did. Does not: reading the file (model_file.py), training (train.py).
"""

# mypy: disable-error-code="import-not-found, no-untyped-call, no-any-return, untyped-decorator"

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tools.demo_model.model_file import Arrays, read_arrays
from tools.demo_model.network import Attention, Block, Sizes, Whisper
from tools.demo_model.tokens import TIMESTAMPS, read_tokenizer

_NEW_WORD_SPREAD = 0.5
"""A new word's embedding is the mean of the known ones, plus noise of this share of their spread."""
_RIDGE = 1e-3


@torch.no_grad()
def started_from(sizes: Sizes, directory: Path, tokenizer_path: Path) -> Whisper:
    """The exported model of `directory` in a network of these sizes, with as many layers as it has.

    Its tokens are those of `tokenizer_path`.

    Raises:
        RuntimeError: the widths differ.
    """
    arrays = read_arrays(directory / "model.bin")
    encoder_layers, decoder_layers = (_layers(arrays, side) for side in ("encoder", "decoder"))
    model = Whisper(replace(sizes, encoder_layers=encoder_layers, decoder_layers=decoder_layers))
    for layer, name in ((model.conv1, "conv1"), (model.conv2, "conv2")):
        layer.weight.copy_(_tensor(arrays[f"encoder/{name}/weight"]))
        layer.bias.copy_(_tensor(arrays[f"encoder/{name}/bias"]))
    for side, blocks in (("encoder", model.encoder), ("decoder", model.decoder)):
        for number, block in enumerate(blocks):
            _block(block, arrays, f"{side}/layer_{number}")
        _norm(getattr(model, f"{side}_norm"), arrays, f"{side}/layer_norm")
    model.decoder_positions.copy_(_tensor(arrays["decoder/position_encodings/encodings"]))
    _embeddings(model, _tensor(arrays["decoder/embeddings/weight"]), directory, tokenizer_path)
    # The auxiliary heads are not in the export. Zeros: they learn at once, and do not disturb the encoder before that.
    for head in (model.phone_head[1], model.early_head[1], *model.word_heads.values()):
        head.weight.zero_()
        head.bias.zero_()
    return model


def _layers(arrays: Arrays, side: str) -> int:
    return len({found[1] for found in map(re.compile(rf"{side}/layer_(\d+)/").match, arrays) if found})


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(array, np.float32))


def _embeddings(model: Whisper, table: Tensor, directory: Path, tokenizer_path: Path) -> None:
    old: list[str] = json.loads((directory / "vocabulary.json").read_text("utf-8"))
    place = {token: number for number, token in enumerate(old)}
    tokenizer, ids = read_tokenizer(tokenizer_path)
    known = table[1 : place["<|endoftext|>"]]
    generator = torch.Generator().manual_seed(11)
    for number in range(ids.first_timestamp):
        token = tokenizer.id_to_token(number)
        if token in place:
            model.embedding[number] = table[place[token]]
        else:
            noise = torch.randn(table.shape[1], generator=generator)
            model.embedding[number] = known.mean(0) + _NEW_WORD_SPREAD * known.std(0) * noise
    # Timestamps are a linear map of sinusoids: the small one that nearly gives the old rows. Sinusoids much longer than
    # 30 s look alike, and an exact solution would be huge.
    columns = torch.cat([model.times, torch.ones(TIMESTAMPS, 1)], 1).double()
    square = columns.T @ columns + _RIDGE * torch.eye(columns.shape[1])
    solved = torch.linalg.solve(square, columns.T @ table[-TIMESTAMPS:].double()).float()
    model.time_weight.copy_(solved[:-1])
    model.time_bias.copy_(solved[-1])


def _norm(layer: Any, arrays: Arrays, name: str) -> None:
    layer.weight.copy_(_tensor(arrays[f"{name}/gamma"]))
    layer.bias.copy_(_tensor(arrays[f"{name}/beta"]))


def _linear(layer: Any, weight: Tensor, bias: Tensor) -> None:
    layer.weight.copy_(weight)
    if layer.bias is not None:
        layer.bias.copy_(bias)


def _attention(attention: Attention, arrays: Arrays, name: str, *, cross: bool) -> None:
    fused = 2 if cross else 1
    weights = [_tensor(arrays[f"{name}/linear_{number}/weight"]) for number in range(fused + 1)]
    biases = [_tensor(arrays[f"{name}/linear_{number}/bias"]) for number in range(fused + 1)]
    parts = torch.cat(weights[:-1]).chunk(3), torch.cat(biases[:-1]).chunk(3)
    for layer, weight, bias in zip((attention.query, attention.key, attention.value), *parts, strict=True):
        _linear(layer, weight, bias)
    _linear(attention.out, weights[-1], biases[-1])


def _block(block: Block, arrays: Arrays, name: str) -> None:
    _norm(block.norm, arrays, f"{name}/self_attention/layer_norm")
    _attention(block.attention, arrays, f"{name}/self_attention", cross=False)
    if block.cross:
        _norm(block.cross_norm, arrays, f"{name}/attention/layer_norm")
        _attention(block.cross_attention, arrays, f"{name}/attention", cross=True)
    _norm(block.wide_norm, arrays, f"{name}/ffn/layer_norm")
    old = arrays[f"{name}/ffn/linear_0/bias"].shape[0]
    block.widen.weight[:old] = _tensor(arrays[f"{name}/ffn/linear_0/weight"])
    block.widen.bias[:old] = _tensor(arrays[f"{name}/ffn/linear_0/bias"])
    # The units added by a wider layer are heard by nobody yet.
    block.narrow.weight.zero_()
    block.narrow.weight[:, :old] = _tensor(arrays[f"{name}/ffn/linear_1/weight"])
    block.narrow.bias.copy_(_tensor(arrays[f"{name}/ffn/linear_1/bias"]))
