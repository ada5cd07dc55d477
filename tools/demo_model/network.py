"""Network: the Whisper architecture in plain torch, tiny, with auxiliary heads that are dropped at export.

Lives here: layers and their initial values. Does not: losses (train.py) or the CTranslate2 format (export.py).
"""

# Torch is in tools/demo_model/requirements.txt, not in the project's environment.
# mypy: disable-error-code="import-not-found, misc, no-untyped-call, no-any-return, untyped-decorator"

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_ENCODER_FRAMES, _TIMESTAMPS, _DECODER_POSITIONS, _BANDS = 1500, 1501, 448, 80
_WAVELENGTH = 10_000

HEAD_STRIDE = {"phone": 1, "early": 3, "word": 2, "previous": 3, "before": 3}
"""How many encoder frames lie between two at which a head is asked: neighbours say the same, at a fifth less cost."""

_LOCAL_WINDOWS = (
    ((-3, -1, 1, 3), 0),
    ((-6, -2, 2, 6), 3),
    ((-10, -4, 4, 10), 6),
    ((-18, -8, None, None), 9),
    ((-6, -2, 2, 6), 0),
    ((-12, -4, 4, 12), 6),
)
"""For each encoder layer, each head's first offset in frames (None: free), and the first position channel it uses."""


@dataclass(frozen=True)
class Sizes:
    """What the network's shape follows from; kept in the checkpoint."""

    tokens: int
    first_timestamp: int
    phones: int
    words: int
    width: int = 128
    encoder_layers: int = 4
    decoder_layers: int = 2
    heads: int = 4
    feed_forward: int = 1024


def sinusoids(length: int, channels: int) -> Tensor:
    """Whisper's positions: sines in the first half of the channels, cosines in the second."""
    positions = torch.arange(length)[:, None] * _frequencies(channels)[None]
    return torch.cat([positions.sin(), positions.cos()], 1)


def _frequencies(channels: int) -> Tensor:
    half = channels // 2
    return torch.exp(-math.log(_WAVELENGTH) / (half - 1) * torch.arange(half))


class Attention(nn.Module):
    """Multi-head attention that can return its weights."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    @torch.no_grad()
    def start_local(self, offsets: tuple[int | None, ...], first_channel: int, gain: float = 1.2) -> None:
        """Let each head begin as a window at a fixed offset, so that locality need not be discovered.

        On the sinusoidal position channels, query times key is then a sum of cos(w (t - u + offset)).
        """
        width = self.query.weight.shape[0]
        frequency, half = _frequencies(width), width // 2
        size = width // self.heads
        for head, offset in enumerate(offsets):
            if offset is None:
                continue
            for layer in (self.query, self.key):
                layer.weight[head * size : (head + 1) * size] *= 0.2
            for pair in range(size // 2):
                channel, row = first_channel + pair, head * size + 2 * pair
                cosine = math.cos(frequency[channel] * offset)
                sine = math.sin(frequency[channel] * offset)
                self.key.weight[row, channel] += gain
                self.key.weight[row + 1, half + channel] += gain
                self.query.weight[row, channel] += gain * cosine
                self.query.weight[row, half + channel] += gain * sine
                self.query.weight[row + 1, half + channel] += gain * cosine
                self.query.weight[row + 1, channel] -= gain * sine

    def forward(self, x: Tensor, context: Tensor | None = None, *, causal: bool = False) -> tuple[Tensor, Tensor]:
        """Output and weights (batch, head, query, key)."""
        batch, length, width = x.shape
        source = x if context is None else context

        def split(y: Tensor) -> Tensor:
            return y.view(batch, -1, self.heads, width // self.heads).transpose(1, 2)

        query, key, value = split(self.query(x)), split(self.key(source)), split(self.value(source))
        # Plain matrix products: on a CPU much cheaper to differentiate than torch's fused attention.
        scores = (query * (width // self.heads) ** -0.5) @ key.transpose(2, 3)
        if causal:
            scores = scores.masked_fill(torch.ones(length, length, dtype=torch.bool).triu(1), float("-inf"))
        # Autocast would do this in 32 bits, with a copy to and fro, which is a tenth of a step.
        with torch.autocast("cpu", enabled=False):
            weights = scores.softmax(-1)
        mixed = (weights.to(value.dtype) @ value).transpose(1, 2).reshape(batch, length, width)
        return self.out(mixed), weights


class Block(nn.Module):
    """A layer of the encoder, or (`cross`) of the decoder."""

    def __init__(self, sizes: Sizes, *, cross: bool) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(sizes.width), Attention(sizes.width, sizes.heads)
        self.cross = cross
        if cross:
            self.cross_norm, self.cross_attention = nn.LayerNorm(sizes.width), Attention(sizes.width, sizes.heads)
        self.wide_norm = nn.LayerNorm(sizes.width)
        self.widen, self.narrow = nn.Linear(sizes.width, sizes.feed_forward), nn.Linear(sizes.feed_forward, sizes.width)

    def outputs(self) -> list[nn.Linear]:
        """What adds to the stream: a layer in which they are zero adds nothing."""
        return [self.attention.out, self.narrow, *([self.cross_attention.out] if self.cross else [])]

    def forward(self, x: Tensor, sound: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Output, and where the decoder looked in the sound."""
        x = x + self.attention(self.norm(x), causal=self.cross)[0]
        weights = None
        if self.cross:
            seen, weights = self.cross_attention(self.cross_norm(x), sound)
            x = x + seen
        return x + self.narrow(functional.gelu(self.widen(self.wide_norm(x)))), weights


class Whisper(nn.Module):
    """Encoder, decoder, and the heads that tell phone and word of each encoder frame while training."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.width
        self.sizes = sizes
        self.conv1 = nn.Conv1d(_BANDS, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.register_buffer("encoder_positions", sinusoids(_ENCODER_FRAMES, width))
        self.register_buffer("times", sinusoids(_TIMESTAMPS, width))
        self.encoder = nn.ModuleList(Block(sizes, cross=False) for _ in range(sizes.encoder_layers))
        self.encoder_norm = nn.LayerNorm(width)
        self.decoder = nn.ModuleList(Block(sizes, cross=True) for _ in range(sizes.decoder_layers))
        self.decoder_norm = nn.LayerNorm(width)
        self.embedding = nn.Parameter(torch.randn(sizes.first_timestamp, width) * 0.04)
        self.time_weight = nn.Parameter(torch.eye(width) * 0.1)
        self.time_bias = nn.Parameter(torch.randn(width) * 0.04)
        self.decoder_positions = nn.Parameter(torch.randn(_DECODER_POSITIONS, width) * 0.02)
        self.phone_head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, sizes.phones))
        self.early_head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, sizes.words))
        self.word_heads = nn.ModuleDict(
            {name: nn.Linear(width, sizes.words) for name in ("word", "previous", "before")}
        )
        for block, (offsets, channel) in zip(self.encoder, _LOCAL_WINDOWS, strict=False):
            block.attention.start_local(offsets, channel)

    def table(self) -> Tensor:
        """All token embeddings; those of timestamps are a linear map of fixed sinusoids."""
        return torch.cat([self.embedding, self.times @ self.time_weight + self.time_bias])

    @torch.no_grad()
    def deepened(self, encoder_layers: int, decoder_layers: int) -> Whisper:
        """A network with so many layers that hears as this one does: the new ones add nothing yet.

        The encoder's new ones come last, the decoder's before its last one, which looks for the word to be written.
        """
        grown = Whisper(replace(self.sizes, encoder_layers=encoder_layers, decoder_layers=decoder_layers))
        last_before, last = f"decoder.{len(self.decoder) - 1}.", f"decoder.{decoder_layers - 1}."
        weights = {name.replace(last_before, last): value for name, value in self.state_dict().items()}
        grown.load_state_dict(weights, strict=False)
        for block in (*grown.encoder[len(self.encoder) :], *grown.decoder[len(self.decoder) - 1 : -1]):
            for layer in block.outputs():
                layer.weight.zero_()
                layer.bias.zero_()
        return grown

    def encode(self, mel: Tensor, offsets: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Mel (batch, 80, frames) to encoder frames of 20 ms, and the auxiliary heads' scores.

        `offsets`: the window's place within 30 s, in encoder frames; 0 by default.
        """
        x = functional.gelu(self.conv1(mel))
        x = functional.gelu(self.conv2(x)).transpose(1, 2)
        length = x.shape[1]
        places = slice(length) if offsets is None else offsets[:, None] + torch.arange(length)
        x = x + self.encoder_positions[places]
        heads = {}
        for number, block in enumerate(self.encoder):
            x, _ = block(x)
            if number == 1:
                heads["phone"] = self.phone_head(x[:, :: HEAD_STRIDE["phone"]])
            if number == 2:
                heads["early"] = self.early_head(x[:, :: HEAD_STRIDE["early"]])
        x = self.encoder_norm(x)
        return x, heads | {name: head(x[:, :: HEAD_STRIDE[name]]) for name, head in self.word_heads.items()}

    def decode(self, tokens: Tensor, sound: Tensor) -> tuple[Tensor, list[Any]]:
        """Scores of the next token at each position, and each layer's cross-attention."""
        table = self.table()
        x = functional.embedding(tokens, table) + self.decoder_positions[: tokens.shape[1]]
        seen = []
        for block in self.decoder:
            x, weights = block(x, sound)
            seen.append(weights)
        return self.decoder_norm(x) @ table.t(), seen


def load(path: str) -> Whisper:
    """The model of a checkpoint of train.py."""
    checkpoint = torch.load(path)
    model = Whisper(Sizes(**checkpoint["sizes"]))
    model.load_state_dict(checkpoint["averaged"])
    return model
