"""Losses: what the training makes small.

Lives here: the tokens' loss, and the dense tasks beside it that teach encoder and decoder where each word is. Does not:
what is trained on (batches.py), or changing weights (learning.py).
"""

# mypy: disable-error-code="import-not-found, no-untyped-call, no-any-return"

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tools.demo_model.batches import Batch
from tools.demo_model.corpus import IGNORED
from tools.demo_model.network import HEAD_STRIDE, Whisper
from tools.demo_model.tokens import Ids

_HEAD_WEIGHTS = {"phone": 0.5, "early": 0.5, "word": 1.0, "previous": 0.4, "before": 0.2}
_NEAR = torch.exp(-0.5 * (torch.arange(-3, 4) / 1.3) ** 2)
_SOFT_STAMP = _NEAR / _NEAR.sum()
"""A timestamp's label is spread over its neighbours: 20 ms beside the truth is nearly right."""


def losses_of(model: Whisper, batch: Batch, ids: Ids) -> dict[str, Tensor]:
    """What is minimised (`total`) and its parts.

    Besides the tokens: phone and words of each encoder frame, which teach the encoder densely, and the mass of each
    token's cross-attention inside its word, which teaches the decoder where to look.
    """
    with torch.autocast("cpu", dtype=torch.bfloat16):
        sound, heads = model.encode(batch.mel, batch.offsets)
        scores, seen = model.decode(batch.inputs, sound)
    log_probability = scores.float().log_softmax(-1)
    stamps = batch.labels >= ids.first_timestamp
    texts = (batch.labels >= 0) & ~stamps
    losses = {"text": -log_probability[texts].gather(1, batch.labels[texts][:, None]).mean()}
    losses["stamp"] = torch.zeros(())
    if stamps.any():
        near = (batch.labels[stamps][:, None] + torch.arange(-3, 4)).clamp(ids.first_timestamp, ids.count - 1)
        losses["stamp"] = -(log_probability[stamps].gather(1, near) * _SOFT_STAMP).sum(1).mean()
    for name, head in heads.items():
        losses[name] = _frame_loss(
            head.float().flatten(0, 1), batch.frame_labels[name][:, :: HEAD_STRIDE[name]].flatten()
        )
    losses["look_last"] = _outside(seen[-1], batch.label_spans)
    losses["look_first"] = _outside(seen[0][:, :2], batch.input_spans)
    # Which of several places that say the same was just read, the first layer cannot know: the ones between can.
    losses["look_again"] = sum((_outside(one[:, :2], batch.input_spans) for one in seen[1:-1]), torch.zeros(()))
    losses["total"] = (
        losses["text"]
        + 0.25 * losses["stamp"]
        + sum(weight * losses[name] for name, weight in _HEAD_WEIGHTS.items())
        + 0.5 * losses["look_last"]
        + 0.15 * losses["look_first"]
        + 0.3 * losses["look_again"]
    )
    return losses


def _frame_loss(scores: Tensor, labels: Tensor) -> Tensor:
    # No label at all happens: a short clip by an engine that tells no phones. Its mean would not be a number.
    return functional.cross_entropy(scores, labels, reduction="sum") / (labels != IGNORED).sum().clamp(min=1)


def _outside(weights: Tensor, spans: NDArray[np.int64]) -> Tensor:
    """-log of the attention mass inside each token's frames, over all heads given."""
    heard = np.argwhere(spans[:, :, 0] >= 0)
    if not len(heard):
        return torch.zeros(())
    frames = np.arange(weights.shape[3])
    bounds = spans[heard[:, 0], heard[:, 1]]
    inside = torch.from_numpy(((frames >= bounds[:, :1]) & (frames < bounds[:, 1:])).astype(np.float32))
    rows, positions = torch.from_numpy(heard[:, 0]), torch.from_numpy(heard[:, 1])
    chosen = weights.transpose(1, 2)[rows, positions].float()
    return -((chosen * inside[:, None]).sum(-1) + 1e-4).log().mean()
