"""Export: a checkpoint as the CTranslate2 directory that faster-whisper loads.

    python -m tools.demo_model.export WORK CHECKPOINT.pt OUT [--chunk-length 8] [--quantization int8]

Lives here: the mapping of layers to CTranslate2's specification, without the words that are not to be written. Does
not: `aila.json`, `words.txt` and README.md of the shipped directory, which are written by hand.
"""

# mypy: disable-error-code="import-not-found, no-untyped-call, no-any-return"

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.converters import utils
from ctranslate2.specs import common_spec, whisper_spec

from tools.demo_model.network import Attention, Block, Whisper, load
from tools.demo_model.sentences import EXPORTED
from tools.demo_model.tokens import make_tokenizer, read_tokenizer


def main() -> None:
    """Write the directory anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--chunk-length", type=int, default=8, help="seconds of sound in a window of 30 s")
    parser.add_argument("--quantization", choices=("int8", "float32"), default="int8")
    arguments = parser.parse_args()
    model = load(str(arguments.checkpoint)).eval()
    spec = _spec(model, arguments.work / "tokenizer.json")
    arguments.out.mkdir(parents=True, exist_ok=True)
    spec.validate()
    spec.optimize(quantization=None if arguments.quantization == "float32" else arguments.quantization)
    spec.save(str(arguments.out))
    # Without its tokenizer beside it, faster-whisper asks the model hub for one.
    make_tokenizer(EXPORTED).save(str(arguments.out / "tokenizer.json"))
    features = {"feature_size": 80, "sampling_rate": 16_000, "hop_length": 160, "n_fft": 400}
    features["chunk_length"] = arguments.chunk_length
    (arguments.out / "preprocessor_config.json").write_text(json.dumps(features) + "\n", "utf-8")


def _spec(model: Whisper, tokenizer_path: Path) -> Any:
    sizes = model.sizes
    spec = whisper_spec.WhisperSpec(sizes.encoder_layers, sizes.heads, sizes.decoder_layers, sizes.heads)
    for target, layer in ((spec.encoder.conv1, model.conv1), (spec.encoder.conv2, model.conv2)):
        target.weight, target.bias = _array(layer.weight), _array(layer.bias)
    spec.encoder.position_encodings.encodings = _array(model.encoder_positions)
    _norm(spec.encoder.layer_norm, model.encoder_norm)
    trained, _ = read_tokenizer(tokenizer_path)
    exported = make_tokenizer(EXPORTED)
    numbers = exported.get_vocab(with_added_tokens=True)
    tokens = sorted(numbers, key=numbers.__getitem__)
    table = _array(model.table())[[trained.token_to_id(token) for token in tokens]]
    spec.decoder.embeddings.weight = table
    spec.decoder.position_encodings.encodings = _array(model.decoder_positions)
    _norm(spec.decoder.layer_norm, model.decoder_norm)
    spec.decoder.scale_embeddings = False
    spec.decoder.projection.weight = table
    layers, blocks = [*spec.encoder.layer, *spec.decoder.layer], [*model.encoder, *model.decoder]
    for target, block in zip(layers, blocks, strict=True):
        _block(target, block)
    spec.register_vocabulary(tokens)
    unknown = exported.token_to_id("<unk>")
    # End-of-text is not suppressed at the start: so silence gives no text even without voice activity detection.
    spec.config.suppress_ids = spec.config.suppress_ids_begin = [unknown]
    spec.config.lang_ids = [exported.token_to_id("<|en|>")]
    spec.config.alignment_heads = [(sizes.decoder_layers - 1, head) for head in range(sizes.heads)]
    return spec


def _array(tensor: Any) -> Any:
    return tensor.detach().float().contiguous().numpy()


def _linear(target: Any, layer: Any) -> None:
    target.weight = _array(layer.weight)
    if layer.bias is not None:
        target.bias = _array(layer.bias)


def _norm(target: Any, layer: Any) -> None:
    target.gamma, target.beta = _array(layer.weight), _array(layer.bias)


def _attention(target: Any, attention: Attention, *, cross: bool = False) -> None:
    parts = [common_spec.LinearSpec() for _ in range(3)]
    for part, layer in zip(parts, (attention.query, attention.key, attention.value), strict=True):
        _linear(part, layer)
    parts[1].bias = np.zeros_like(_array(attention.query.bias))
    if cross:
        utils.fuse_linear(target.linear[0], parts[:1])
        utils.fuse_linear(target.linear[1], parts[1:])
    else:
        utils.fuse_linear(target.linear[0], parts)
    _linear(target.linear[-1], attention.out)


def _block(target: Any, block: Block) -> None:
    _attention(target.self_attention, block.attention)
    _norm(target.self_attention.layer_norm, block.norm)
    if block.cross:
        _attention(target.attention, block.cross_attention, cross=True)
        _norm(target.attention.layer_norm, block.cross_norm)
    _linear(target.ffn.linear_0, block.widen)
    _linear(target.ffn.linear_1, block.narrow)
    _norm(target.ffn.layer_norm, block.wide_norm)


if __name__ == "__main__":
    main()
