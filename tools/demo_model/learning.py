"""Learning: how gradients change the weights, and the running average of the weights that is exported.

Lives here: the optimisers, their rates, the average. Does not: the losses or the loop (train.py).
"""

# mypy: disable-error-code="import-not-found, no-untyped-call, no-any-return"

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed

from tools.demo_model.muon import Muon
from tools.demo_model.network import Whisper

AVERAGED_OVER = 1000
"""Steps, about, over which the weights are averaged: what the last ones jump to and fro is evened out."""


class Learning:
    """The weights of one network while they are learned.

    The matrices of the layers learn by Muon (each step turns all of a matrix's directions by as much), all else by
    AdamW. After 300 steps from the first model the loss was 13.3 so, and 13.6 with AdamW for all of them.
    """

    def __init__(self, model: Whisper) -> None:
        layers = {
            name: parameter
            for name, parameter in model.named_parameters()
            if parameter.dim() == 2 and name.startswith(("encoder.", "decoder."))
        }
        others = [parameter for name, parameter in model.named_parameters() if name not in layers]
        self._muon = Muon(layers.values())
        self._adam = torch.optim.AdamW(others, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)
        self._model = model
        self._average = {name: value.clone() for name, value in model.state_dict().items()}
        self._steps = 0

    def clear(self) -> None:
        """Forget the gradients, keeping their memory."""
        self._model.zero_grad(set_to_none=False)

    def average_gradients(self, world: int) -> None:
        """Over all processes, so that each changes its weights alike."""
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for parameter in self._model.parameters()
        ]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        parts = (flat / world).split([gradient.numel() for gradient in gradients])
        for parameter, gradient, part in zip(self._model.parameters(), gradients, parts, strict=True):
            parameter.grad = gradient.copy_(part.view_as(gradient))

    def step(self, rate: float) -> None:
        """Change the weights by their gradients."""
        self._muon.step(rate)
        self._adam.param_groups[0]["lr"] = rate
        self._adam.step()
        self._steps += 1
        share = max(1 / AVERAGED_OVER, 1 / (self._steps + 1))
        for name, value in self._model.state_dict().items():
            self._average[name].lerp_(value, share)

    def kept(self) -> dict[str, Any]:
        """What to go on from, and `averaged`, the weights to be exported."""
        state = {"muon": self._muon.state_dict(), "adam": self._adam.state_dict(), "steps": self._steps}
        return state | {"averaged": self._average}

    def go_on(self, kept: dict[str, Any]) -> None:
        """Go on from what `kept` was."""
        self._muon.load_state_dict(kept["muon"])
        self._adam.load_state_dict(kept["adam"])
        self._steps = kept["steps"]
        averaged: dict[str, Tensor] = kept["averaged"]
        self._average = {name: value.clone() for name, value in averaged.items()}
