"""Make: the demo model from text to the exported directory and its error rates, by one command.

    python -m tools.demo_model.make WORK [--until export]

The training starts from the shipped model, or from the one that somebody laid into WORK/first-model before.

Lives here: the steps in their order, with the amounts that the model was made with. Does not: any of the steps. A step
that has ended leaves WORK/done/NAME and is skipped next time; one that was broken off goes on where it was (a shard of
speech, a checkpoint of the training). All end by amounts, never by the clock.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from aila_pipeline.demo import MODEL
from tools.demo_model.tokens import make_tokenizer
from tools.demo_model.training_text import SHARDS

NON_SPEECH_SECONDS = 1200
PHASES = (
    (11_500, 6500, 1.2e-3, 6, 3),
    (1700, 1700, 5e-4, 6, 3),
    (7000, 6000, 1e-3, 6, 3),
    (2400, 2400, 6e-4, 6, 3),
)
"""Of the training: steps, the last of them in which the rate falls, the rate it falls from, layers of encoder and
decoder."""
PROCESSES = 2
"""Part of the recipe: each process trains on windows of its own, and their gradients are averaged."""


def _tokens(work: Path) -> None:
    make_tokenizer().save(str(work / "tokenizer.json"))


def _speech(work: Path) -> None:
    _side_by_side("synthesise", [str(work), "--shards", str(SHARDS)])


def _non_speech(work: Path) -> None:
    _run("nonspeech", [str(work / "nonspeech.npy"), "--seconds", str(NON_SPEECH_SECONDS)])


def _first_model(work: Path) -> None:
    if not (work / "first-model").exists():
        shutil.copytree(MODEL, work / "first-model")


def _training(work: Path) -> None:
    phases = [word for phase in PHASES for word in ("--phase", *map(str, phase))]
    _side_by_side("train", [str(work), "--first-model", str(work / "first-model"), *phases])


def _export(work: Path) -> None:
    _run("export", [str(work), str(work / "training.pt"), str(work / "model"), "--chunk-length", "30"])


def _evaluation(work: Path) -> None:
    _run("evaluate", ["--model", str(work / "model"), "--out", str(work / "rows.json")])


MAKERS: dict[str, Callable[[Path], None]] = {
    "tokens": _tokens,
    "speech": _speech,
    "nonspeech": _non_speech,
    "first-model": _first_model,
    "training": _training,
    "export": _export,
    "evaluation": _evaluation,
}
"""The steps by name, in order."""


def _command(module: str, arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", f"tools.demo_model.{module}", *arguments]


def _environment() -> dict[str, str]:
    # One thread a process: two single-threaded ones are faster than one with two threads.
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _run(module: str, arguments: Sequence[str]) -> None:
    subprocess.run(_command(module, arguments), check=True, env=_environment())


def _side_by_side(module: str, arguments: Sequence[str]) -> None:
    ranks = [[*arguments, "--rank", str(rank), "--world", str(PROCESSES)] for rank in range(PROCESSES)]
    running = [subprocess.Popen(_command(module, one), env=_environment()) for one in ranks]
    try:
        failed = [process.args for process in running if process.wait() != 0]
    finally:
        for process in running:
            process.terminate()
    if failed:
        raise subprocess.CalledProcessError(1, failed[0])


def make(work: Path, steps: dict[str, Callable[[Path], None]], until: str | None = None) -> list[str]:
    """Take the steps that have not been taken in `work`, up to and with `until`; returns their names.

    Raises:
        subprocess.CalledProcessError: a step failed; those before it stay taken.
    """
    done = work / "done"
    done.mkdir(parents=True, exist_ok=True)
    taken = []
    for name, step in steps.items():
        if not (done / name).exists():
            step(work)
            (done / name).touch()
            taken.append(name)
        if name == until:
            break
    return taken


def main() -> None:
    """Make all of it, or up to a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--until", choices=list(MAKERS), help="the last step to take")
    arguments = parser.parse_args()
    for name in make(arguments.work, MAKERS, arguments.until) or ["nothing; all was there"]:
        print(f"made: {name}")


if __name__ == "__main__":
    main()
