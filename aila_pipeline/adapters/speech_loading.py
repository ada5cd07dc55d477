"""Speech loading: a model brought into memory, once per process.

Lives here: where it runs and as what. Does not: finding it (speech_model.py).
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aila_pipeline.adapters import speech_model
from aila_pipeline.adapters.speech_memory import keep_large_blocks
from aila_pipeline.adapters.speech_processor import use_wide_vectors
from aila_pipeline.errors import ModelUnavailable

if TYPE_CHECKING:
    from faster_whisper import WhisperModel


@dataclass(frozen=True)
class Place:
    """Where and how a model runs. `workers`: batches that it takes at one time, each with so many `threads`."""

    device: str
    compute_type: str
    threads: int
    workers: int

    @classmethod
    def chosen(cls, device: str, compute_type: str, threads: int, *, workers: int) -> Place:
        """From the settings: `auto` is a GPU if there is one, `default` is int8 on a CPU, 0 threads are all.

        At most so many `workers`. Two of them share a CPU's threads: with both threads on one batch, each waits for the
        other at every little operation of the decoder, and turns in circles meanwhile (docs/benchmarks.md, "Where the
        time goes"). On a GPU the second one has a batch ready while the host sorts out what the first one's has said.
        """
        device = _best_device() if device == "auto" else device
        on_cpu = device == "cpu"
        threads = threads or _cpu_count()
        workers = min(workers, threads) if on_cpu else workers
        return cls(
            device=device,
            compute_type="int8" if compute_type == "default" and on_cpu else compute_type,
            threads=max(1, threads // workers),
            workers=workers,
        )


def load(directory: Path, place: Place) -> WhisperModel:
    """The model, loaded on the first call; its fingerprint tells when another one lies in the same directory.

    Raises:
        ModelUnavailable: it cannot be loaded there in this way.
    """
    return _load(directory, speech_model.fingerprint(directory), place)


@functools.lru_cache(maxsize=1)
def _load(
    directory: Path,
    fingerprint: str,  # noqa: ARG001 - makes a model that was exchanged in its place another one for the cache
    place: Place,
) -> WhisperModel:
    keep_large_blocks()
    use_wide_vectors()
    import faster_whisper  # noqa: PLC0415 - slow to import, and CTranslate2 must come after the lines above

    try:
        return faster_whisper.WhisperModel(
            str(directory),
            device=place.device,
            compute_type=place.compute_type,
            cpu_threads=place.threads,
            num_workers=place.workers,
        )
    except Exception as error:  # CTranslate2, tokenizers and json each raise their own
        raise ModelUnavailable(
            f"{directory} on {place.device} as {place.compute_type} ({type(error).__name__}: {_in_one_line(error)}); "
            "AILA_WHISPER_MODEL says which one, AILA_WHISPER_DEVICE and AILA_WHISPER_COMPUTE_TYPE how it is loaded"
        ) from error


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _best_device() -> str:
    import ctranslate2  # noqa: PLC0415 - slow to import

    return "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"


def _cpu_count() -> int:
    """Processors this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
