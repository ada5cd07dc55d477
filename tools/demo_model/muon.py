"""Muon: the optimiser of the layers' matrices, its work divided among the processes.

Lives here: momentum, and turning it into a matrix whose directions all count alike (Keller Jordan,
https://kellerjordan.github.io/posts/muon/). Does not: other parameters, rates, or the average (learning.py).

torch has a Muon of its own, which takes a quarter of a step here: matrix by matrix, and the same in each process.
"""

# mypy: disable-error-code="import-not-found, no-untyped-call, no-any-return, untyped-decorator"

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, distributed

_MOMENTUM, _WEIGHT_DECAY = 0.95, 0.01
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration, with the steepest slope at zero that still ends near one (Jordan's)."""
_ITERATIONS = 5
_LIKE_ADAM = 0.2
"""Root mean square of AdamW's updates, which this scales to, so that one rate serves both (Moonshot AI's Moonlight)."""


class Muon:
    """Momentum is kept by each process for all matrices; each makes the updates of every `world`-th one."""

    def __init__(self, matrices: Iterable[Tensor]) -> None:
        self._shared = distributed.is_initialized()
        self._rank = distributed.get_rank() if self._shared else 0
        self._world = distributed.get_world_size() if self._shared else 1
        self._alike: dict[tuple[int, int], list[Tensor]] = {}
        for matrix in matrices:
            short, long = sorted(matrix.shape)
            self._alike.setdefault((short, long), []).append(matrix)
        self._momentum = {shape: torch.zeros(len(found), *shape) for shape, found in self._alike.items()}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Change the matrices by their gradients."""
        updates = {shape: self._update(shape) for shape in self._alike}
        if self._shared:
            flat = torch.cat([update.flatten() for update in updates.values()])
            distributed.all_reduce(flat)
            parts = flat.split([update.numel() for update in updates.values()])
            updates = {shape: part.view_as(updates[shape]) for shape, part in zip(updates, parts, strict=True)}
        for shape, update in updates.items():
            scaled = update.float() * (-rate * _LIKE_ADAM * math.sqrt(shape[1]))
            for matrix, change in zip(self._alike[shape], scaled, strict=True):
                matrix.mul_(1 - rate * _WEIGHT_DECAY).add_(_lying(change, matrix.shape))

    def _update(self, shape: tuple[int, int]) -> Tensor:
        """This process's share of the updates of these matrices; zero in the others' places."""
        gradients = torch.stack([_lying(matrix.grad, shape) for matrix in self._alike[shape]])
        momentum = self._momentum[shape].lerp_(gradients, 1 - _MOMENTUM)
        mine = slice(self._rank, None, self._world)
        update = torch.zeros(gradients.shape, dtype=torch.float16)
        update[mine] = _levelled(gradients[mine].lerp(momentum[mine], _MOMENTUM)).half()
        return update

    def state_dict(self) -> dict[str, Any]:
        """What to go on from."""
        return {"momentum": self._momentum}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from that."""
        self._momentum = state["momentum"]


def _lying(matrix: Tensor, shape: Iterable[int]) -> Tensor:
    """The matrix, turned if that gives it the shape."""
    return matrix if tuple(matrix.shape) == tuple(shape) else matrix.T


def _levelled(matrices: Tensor) -> Tensor:
    """Each with its singular values brought near one, by Newton-Schulz in 16 bits."""
    linear, cubic, quintic = _COEFFICIENTS
    x = (matrices / matrices.flatten(1).norm(dim=1).clamp(min=1e-7)[:, None, None]).bfloat16()
    for _ in range(_ITERATIONS):
        gram = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=cubic, alpha=quintic), x, beta=linear)
    return x
