"""Train: the demo model, from the first one's weights or from random ones, by steps.

    python -m tools.demo_model.train WORK --rank R --world 2 --phase 11000 5500 1.2e-3 6 3

Lives here: the rates, the loop, the checkpoint; one process for each rank, side by side (two single-threaded processes
are faster than one with two threads), their gradients averaged. Does not: data (batches.py, mixes.py), layers
(network.py), losses (losses.py), optimisers (learning.py).

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
from torch import distributed

from aila_pipeline.adapters.speech_memory import keep_large_blocks
from tools.demo_model.batches import Batch, Batches
from tools.demo_model.corpus import Corpus
from tools.demo_model.first_model import started_from
from tools.demo_model.learning import Learning
from tools.demo_model.losses import losses_of
from tools.demo_model.network import Sizes, Whisper
from tools.demo_model.synthesise import PHONES
from tools.demo_model.tokens import Ids, read_tokenizer
from tools.demo_model.windows import Line

CHECKPOINT = "training.pt"


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
        nargs=5,
        action="append",
        required=True,
        metavar=("STEPS", "DECAY", "RATE", "ENCODER", "DECODER"),
        help="so many steps, in the last of which (DECAY) the rate falls from RATE; ENCODER and DECODER have so many "
        "layers, and those that are missing are added; may be given again",
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
    decoder_layers: int

    @classmethod
    def read(cls, words: Sequence[str]) -> Phase:
        """As the command has it."""
        steps, decay, rate, encoder, decoder = words
        return cls(int(steps), int(decay), float(rate), int(encoder), int(decoder))

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
    keep_large_blocks()  # a softmax over 30 s takes 6 instead of 13 ms
    if options.world > 1:
        address = f"tcp://127.0.0.1:{options.port}"
        distributed.init_process_group("gloo", init_method=address, rank=options.rank, world_size=options.world)
    choice, noise = random.Random(), np.random.default_rng()
    _, ids = read_tokenizer(options.work / "tokenizer.json")
    corpus = Corpus(options.work, choice)
    line = Line(noise, options.work / "nonspeech.npy")
    batches = Batches(corpus, line, ids, prompt_share=options.prompts, choice=choice, noise=noise)
    phases = [Phase.read(words) for words in options.phase]
    run = Run.begin(options, ids, phases[0])
    report: dict[str, list[float]] = defaultdict(list)
    begun = time.monotonic()
    last = sum(phase.steps for phase in phases)
    while run.step < last:
        _reseed(choice, noise, options, run.step)
        phase, step = _phase_of(run.step, phases)
        run.deepen(phase)
        rate = phase.rate(step, options.warm_up_steps)
        losses = _step(run, batches.draw(run.step), ids, options.world, rate)
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
    learning: Learning
    step: int

    @classmethod
    def begin(cls, options: argparse.Namespace, ids: Ids, phase: Phase) -> Run:
        """From the checkpoint, else from the first model, else from random weights (the same on all ranks)."""
        torch.manual_seed(options.seed)
        if (options.work / CHECKPOINT).exists():
            kept = torch.load(options.work / CHECKPOINT)
            model = Whisper(Sizes(**kept["sizes"]))
            model.load_state_dict(kept["weights"])
            run = cls(model, Learning(model), kept["step"])
            run.learning.go_on(kept)
            return run
        sizes = Sizes(ids.count, ids.first_timestamp, phones=len(PHONES), words=ids.end_of_text)
        if options.first_model:
            model = started_from(sizes, options.first_model, options.work / "tokenizer.json")
        else:
            model = Whisper(replace(sizes, encoder_layers=phase.encoder_layers, decoder_layers=phase.decoder_layers))
        return cls(model, Learning(model), 0)

    def deepen(self, phase: Phase) -> None:
        """Add the layers that the phase has more; what is learned of gradients begins anew."""
        sizes = self.model.sizes
        if (phase.encoder_layers, phase.decoder_layers) != (sizes.encoder_layers, sizes.decoder_layers):
            torch.manual_seed(self.step)  # the same on all ranks
            self.model = self.model.deepened(phase.encoder_layers, phase.decoder_layers)
            self.learning = Learning(self.model)

    def keep(self, path: Path) -> None:
        """Write the checkpoint, whole or not at all."""
        partial = path.with_suffix(".part")
        kept = {"weights": self.model.state_dict(), "sizes": asdict(self.model.sizes), "step": self.step}
        torch.save(kept | self.learning.kept(), partial)
        os.replace(partial, path)


def _reseed(choice: random.Random, noise: np.random.Generator, options: argparse.Namespace, step: int) -> None:
    choice.seed(f"{options.seed} {options.rank} {step}")
    noise.bit_generator.state = np.random.default_rng([options.seed, options.rank, step]).bit_generator.state


def _phase_of(step: int, phases: Sequence[Phase]) -> tuple[Phase, int]:
    """The phase of a step, and how many steps of it were before."""
    for phase in phases:
        if step < phase.steps:
            return phase, step
        step -= phase.steps
    raise IndexError(step)


def _step(run: Run, batch: Batch, ids: Ids, world: int, rate: float) -> dict[str, float]:
    losses = losses_of(run.model, batch, ids)
    run.learning.clear()
    losses["total"].backward()
    if world > 1:
        run.learning.average_gradients(world)
    norm = torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    if torch.isfinite(norm):
        run.learning.step(rate)
    return {name: loss.item() for name, loss in losses.items()}


def _tell(step: int, seconds: float, report: dict[str, list[float]]) -> None:
    print(f"step {step}, {seconds:.0f} s: " + " ".join(f"{n} {np.mean(v):.3f}" for n, v in report.items()), flush=True)
    report.clear()


if __name__ == "__main__":
    main()
