"""A process's own clock: CPU and wall seconds, and memory.

Lives here: reading them. Does not: what is measured. Imports the standard library alone, for it runs beside other
recognisers too.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Clock:
    """CPU and wall seconds of this process since it was made, and of parts that were marked."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        self.parts: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """CPU seconds of the body, all threads together; nothing else runs meanwhile."""
        began = time.process_time()
        try:
            yield
        finally:
            self.parts[name] = self.parts.get(name, 0.0) + time.process_time() - began

    def figures(self, **more: Any) -> dict[str, Any]:
        """All so far, with the peak of resident memory."""
        return {
            "wall": time.perf_counter() - self._wall,
            "cpu": time.process_time() - self._cpu,
            "peak_mb": peak_mb(),
            "parts": self.parts,
            **more,
        }


def peak_mb() -> float:
    """Most memory that was resident at one time, so far.

    Linux counts into `ru_maxrss` what the parent had resident when it started this process (setmax_mm_hiwater_rss in
    exec); VmHWM is of this program alone.
    """
    status = Path("/proc/self/status")
    lines = status.read_text("ascii", "replace").splitlines() if status.is_file() else []
    own = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)
    return (own if own is not None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024
