"""Train: the demo model from random weights, or further from a checkpoint.

    python -m tools.demo_model.train WORK OUT.pt --rank R --world 2 --seconds 1480 --schedule-seconds 1740

Lives here: the losses, the schedule, the loop; one process for each rank, side by side (two single-threaded processes
are faster than one with two threads), their gradients averaged. Does not: data (batches.py), layers (network.py).
"""

# mypy: disable-error-code="import-not-found, no-untyped-call, no-any-return"

from __future__ import annotations

import argparse
import math
import os
import random
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed
from torch.nn import functional

from tools.demo_model.batches import LONG, MEDIUM, SHORT, Batch, Batches
from tools.demo_model.corpus import Corpus
from tools.demo_model.network import Sizes, Whisper, load, save
from tools.demo_model.synthesise import PHONES
from tools.demo_model.tokens import Ids, read_tokenizer
from tools.demo_model.windows import Line

_HEAD_WEIGHTS = {"phone": 0.5, "early": 0.5, "word": 1.0, "previous": 0.4, "before": 0.2}
_NEAR = torch.exp(-0.5 * (torch.arange(-3, 4) / 1.3) ** 2)
_SOFT_STAMP = _NEAR / _NEAR.sum()
"""A timestamp's label is spread over its neighbours: 20 ms beside the truth is nearly right."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="what synthesise and nonspeech (as nonspeech.npy) wrote")
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", type=Path, help="a checkpoint to go on from")
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world", type=int, default=1)
    parser.add_argument("--port", type=int, default=29_831)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1480.0)
    parser.add_argument("--schedule-seconds", type=float, help="length of the schedule, where it is cut short")
    parser.add_argument("--peak-rate", type=float, default=1.5e-3)
    parser.add_argument("--warm-up-steps", type=int, default=150)
    parser.add_argument("--hold", type=float, default=0.3, help="share of the schedule before the rate falls")
    parser.add_argument("--short-until", type=float, default=0.3, help="share of the schedule with short clips alone")
    parser.add_argument("--mixed-until", type=float, default=0.55, help="… and with few long windows")
    parser.add_argument(
        "--mix", type=float, nargs=2, default=(0.3, 0.6), help="then: share of short, of short + medium"
    )
    parser.add_argument("--prompts", type=float, default=0.35, help="share of long windows with previous text")
    parser.add_argument("--report-every", type=float, default=30.0, help="seconds")
    return parser.parse_args()


def main() -> None:
    """Train until the time is up; rank 0 reports and keeps the checkpoint."""
    options = _arguments()
    torch.set_num_threads(1)
    if options.world > 1:
        address = f"tcp://127.0.0.1:{options.port}"
        distributed.init_process_group("gloo", init_method=address, rank=options.rank, world_size=options.world)
    seed = options.seed * 77 + 1000 + options.rank
    choice, noise = random.Random(seed), np.random.default_rng(seed)
    torch.manual_seed(options.rank)
    _, ids = read_tokenizer(options.work / "tokenizer.json")
    corpus = Corpus(options.work, choice)
    line = Line(noise, options.work / "nonspeech.npy")
    batches = Batches(corpus, line, ids, prompt_share=options.prompts, choice=choice, noise=noise)
    model = _model(options, ids)
    optimiser = _optimiser(model)
    begun = reported = time.monotonic()
    report: dict[str, list[float]] = defaultdict(list)
    step = 0
    while (spent := _agreed(time.monotonic() - begun, options.world)) < options.seconds:
        done = spent / (options.schedule_seconds or options.seconds)
        for group in optimiser.param_groups:
            group["lr"] = _rate(step, done, options)
        losses = _step(model, optimiser, batches.draw(_kind(step, done, options)), ids, options.world)
        step += 1
        for name, value in losses.items():
            report[name].append(value)
        if options.rank == 0 and time.monotonic() - reported > options.report_every:
            _tell(step, spent, report)
            _keep(model, options.out)
            reported = time.monotonic()
    if options.rank == 0:
        _tell(step, time.monotonic() - begun, report)
        _keep(model, options.out)


def _model(options: argparse.Namespace, ids: Ids) -> Whisper:
    sizes = Sizes(ids.count, ids.first_timestamp, phones=len(PHONES), words=ids.end_of_text)
    model = load(str(options.start)) if options.start else Whisper(sizes)
    if options.world > 1:
        for parameter in model.parameters():
            distributed.broadcast(parameter.data, 0)
    return model


def _optimiser(model: Whisper) -> torch.optim.Optimizer:
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))


def _agreed(seconds: float, world: int) -> float:
    """Rank 0's clock, so that all ranks draw the same kind of batch and stop together."""
    clock = torch.tensor([seconds])
    if world > 1:
        distributed.broadcast(clock, 0)
    return clock.item()


def _rate(step: int, done: float, options: argparse.Namespace) -> float:
    warm = options.peak_rate * min(1.0, (step + 1) / options.warm_up_steps)
    if done < options.hold:
        return warm
    return warm * max(0.02, 0.5 * (1 + math.cos(math.pi * (done - options.hold) / (1 - options.hold))))


def _kind(step: int, done: float, options: argparse.Namespace) -> int:
    """Short clips first, then more and more long windows; the same on all ranks."""
    if done < options.short_until:
        return SHORT
    short, medium = (0.6, 0.85) if done < options.mixed_until else options.mix
    share = step * 7919 % 1000 / 1000
    return SHORT if share < short else MEDIUM if share < medium else LONG


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
        losses[name] = functional.cross_entropy(head.float().flatten(0, 1), batch.frame_labels[name].flatten())
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


def _keep(model: Whisper, path: Path) -> None:
    partial = path.with_suffix(".part")
    save(model, str(partial))
    os.replace(partial, path)


if __name__ == "__main__":
    main()
