"""Train: the demo model, from the first one's weights or from random ones, by steps.

    python -m tools.demo_model.train WORK --rank R --world 2 --phase 11000 5500 1.2e-3 4 --phase 10000 10000 7e-4 4

Lives here: the losses, the rates, the loop; one process for each rank, side by side (two single-threaded processes
are faster than one with two threads), their gradients averaged. Does not: data (batches.py, mixes.py), layers
(network.py).

What a step sees depends on the seed, the rank and the step's number alone, and WORK/training.pt holds all else that a
step starts from: a run that was stopped goes on as if it had not been. In each phase the rate is constant until its
decay begins; what lies before the checkpoint has been, so phases after it may be changed or added.
"""

# mypy: disable-error-code="import-not-found, no-untyped-call, no-any-return"

from __future__ import annotations

import argparse
import math
import os
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed
from torch.nn import functional

from tools.demo_model.batches import Batch, Batches
from tools.demo_model.corpus import IGNORED, Corpus
from tools.demo_model.first_model import start_from
from tools.demo_model.network import HEAD_STRIDE, Sizes, Whisper
from tools.demo_model.synthesise import PHONES
from tools.demo_model.tokens import Ids, read_tokenizer
from tools.demo_model.windows import Line

CHECKPOINT = "training.pt"

_HEAD_WEIGHTS = {"phone": 0.5, "early": 0.5, "word": 1.0, "previous": 0.4, "before": 0.2}
_NEAR = torch.exp(-0.5 * (torch.arange(-3, 4) / 1.3) ** 2)
_SOFT_STAMP = _NEAR / _NEAR.sum()
"""A timestamp's label is spread over its neighbours: 20 ms beside the truth is nearly right."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="what synthesise and nonspeech (as nonspeech.npy) wrote")
    parser.add_argument("--first-model", type=Path, help="an exported model to start from; random weights without")
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world", type=int, default=1)
    parser.add_argument("--port", type=int, default=29_831)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--phase",
        nargs=4,
        action="append",
        required=True,
        metavar=("STEPS", "DECAY", "RATE", "LAYERS"),
        help="so many steps, in the last of which (DECAY) the rate falls from RATE; the encoder has LAYERS, and those "
        "that are missing are added; may be given again",
    )
    parser.add_argument("--warm-up-steps", type=int, default=200, help="of each phase")
    parser.add_argument("--prompts", type=float, default=0.6, help="share of long windows with previous text")
    parser.add_argument("--keep-every", type=int, default=100, help="steps between checkpoints")
    return parser.parse_args()


class Phase(NamedTuple):
    """A stretch of the training. `decay_steps` are its last ones, in which the rate falls from `peak_rate`."""

    steps: int
    decay_steps: int
    peak_rate: float
    encoder_layers: int

    def rate(self, step: int, warm_up_steps: int) -> float:
        """The rate of a step, counted from the phase's first."""
        left = self.steps - step
        warm = self.peak_rate * min(1.0, (step + 1) / warm_up_steps)
        if left > self.decay_steps:
            return warm
        return warm * max(0.02, 0.5 * (1 - math.cos(math.pi * left / self.decay_steps)))


def main() -> None:
    """Train to the last step, from the checkpoint if there is one; rank 0 reports and keeps the checkpoint."""
    options = _arguments()
    torch.set_num_threads(1)
    if options.world > 1:
        address = f"tcp://127.0.0.1:{options.port}"
        distributed.init_process_group("gloo", init_method=address, rank=options.rank, world_size=options.world)
    choice, noise = random.Random(), np.random.default_rng()
    _, ids = read_tokenizer(options.work / "tokenizer.json")
    corpus = Corpus(options.work, choice)
    line = Line(noise, options.work / "nonspeech.npy")
    batches = Batches(corpus, line, ids, prompt_share=options.prompts, choice=choice, noise=noise)
    phases = [Phase(int(steps), int(decay), float(rate), int(deep)) for steps, decay, rate, deep in options.phase]
    run = Run.begin(options, ids, phases[0].encoder_layers)
    report: dict[str, list[float]] = defaultdict(list)
    begun = time.monotonic()
    last = sum(phase.steps for phase in phases)
    while run.step < last:
        _reseed(choice, noise, options, run.step)
        phase, step = _phase_of(run.step, phases)
        if phase.encoder_layers > run.model.sizes.encoder_layers:
            run.deepen(phase.encoder_layers)
        for group in run.optimiser.param_groups:
            group["lr"] = phase.rate(step, options.warm_up_steps)
        losses = _step(run.model, run.optimiser, batches.draw(run.step), ids, options.world)
        run.step += 1
        for name, value in losses.items():
            report[name].append(value)
        if options.rank == 0 and (run.step % options.keep_every == 0 or run.step == last):
            _tell(run.step, time.monotonic() - begun, report)
            run.keep(options.work / CHECKPOINT)


@dataclass
class Run:
    """All that a step starts from."""

    model: Whisper
    optimiser: torch.optim.Optimizer
    step: int

    @classmethod
    def begin(cls, options: argparse.Namespace, ids: Ids, encoder_layers: int) -> Run:
        """From the checkpoint, else from the first model, else from random weights (the same on all ranks)."""
        torch.manual_seed(options.seed)
        if (options.work / CHECKPOINT).exists():
            kept = torch.load(options.work / CHECKPOINT)
            model = Whisper(Sizes(**kept["sizes"]))
            model.load_state_dict(kept["weights"])
            run = cls(model, _optimiser(model), kept["step"])
            run.optimiser.load_state_dict(kept["optimiser"])
            return run
        sizes = Sizes(ids.count, ids.first_timestamp, phones=len(PHONES), words=ids.end_of_text)
        model = Whisper(replace(sizes, encoder_layers=encoder_layers))
        if options.first_model:
            start_from(model, options.first_model, options.work / "tokenizer.json")
        return cls(model, _optimiser(model), 0)

    def deepen(self, encoder_layers: int) -> None:
        """Add layers to the encoder; the optimiser begins anew."""
        torch.manual_seed(self.step)  # the same on all ranks
        self.model = self.model.deepened(encoder_layers)
        self.optimiser = _optimiser(self.model)

    def keep(self, path: Path) -> None:
        """Write the checkpoint, whole or not at all."""
        partial = path.with_suffix(".part")
        kept = {"weights": self.model.state_dict(), "sizes": asdict(self.model.sizes)}
        torch.save(kept | {"optimiser": self.optimiser.state_dict(), "step": self.step}, partial)
        os.replace(partial, path)


def _reseed(choice: random.Random, noise: np.random.Generator, options: argparse.Namespace, step: int) -> None:
    choice.seed(f"{options.seed} {options.rank} {step}")
    noise.bit_generator.state = np.random.default_rng([options.seed, options.rank, step]).bit_generator.state


def _optimiser(model: Whisper) -> torch.optim.Optimizer:
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))


def _phase_of(step: int, phases: Sequence[Phase]) -> tuple[Phase, int]:
    """The phase of a step, and how many steps of it were before."""
    for phase in phases:
        if step < phase.steps:
            return phase, step
        step -= phase.steps
    raise IndexError(step)


def _step(model: Whisper, optimiser: torch.optim.Optimizer, batch: Batch, ids: Ids, world: int) -> dict[str, float]:
    losses = _losses(model, batch, ids)
    optimiser.zero_grad(set_to_none=False)
    losses["total"].backward()
    if world > 1:
        _average_gradients(model, world)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    if torch.isfinite(norm):
        optimiser.step()
    return {name: loss.item() for name, loss in losses.items()}


def _losses(model: Whisper, batch: Batch, ids: Ids) -> dict[str, Tensor]:
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
    losses["look_last"] = _outside(seen[1][:, :], batch.label_spans)
    losses["look_first"] = _outside(seen[0][:, :2], batch.input_spans)
    losses["total"] = (
        losses["text"]
        + 0.25 * losses["stamp"]
        + sum(weight * losses[name] for name, weight in _HEAD_WEIGHTS.items())
        + 0.5 * losses["look_last"]
        + 0.15 * losses["look_first"]
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


def _average_gradients(model: Whisper, world: int) -> None:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    flat = torch.cat([parameter.grad.view(-1) for parameter in parameters])
    distributed.all_reduce(flat)
    start = 0
    for parameter in parameters:
        parameter.grad.copy_(flat[start : start + parameter.numel()].view_as(parameter) / world)
        start += parameter.numel()


def _tell(step: int, seconds: float, report: dict[str, list[float]]) -> None:
    print(f"step {step}, {seconds:.0f} s: " + " ".join(f"{n} {np.mean(v):.3f}" for n, v in report.items()), flush=True)
    report.clear()


if __name__ == "__main__":
    main()
