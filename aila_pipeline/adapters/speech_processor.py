"""Speech processor: which of the processor's instructions CTranslate2 may use.

Lives here: finding out whether AVX-512 pays, and telling CTranslate2 so. Does not: memory (speech_memory.py) or how
many threads there are (speech_loading.py).
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

_ISA = "CT2_FORCE_CPU_ISA"
_NEEDED = frozenset({"avx512f", "avx512cd", "avx512dq", "avx512bw", "avx512vl", "avx512_vnni"})
"""What CTranslate2's AVX-512 build is compiled for, and VNNI: processors without it slow their clock down for AVX-512,
those that have it (Intel's from 2019 on, AMD's from Zen 4) do so little or not at all."""


@functools.cache
def use_wide_vectors() -> bool:
    """Have CTranslate2 use AVX-512 where it pays; returns whether it does. A choice made in the environment stays.

    By itself CTranslate2 never goes beyond AVX2; only the matrix products do, which oneDNN makes for it. Softmax, layer
    norms, GELU and rescaling are its own (docs/benchmarks.md, "AVX-512"). Call it before a model is loaded.
    """
    if _ISA not in os.environ and has_wide_vectors(Path("/proc/cpuinfo")):
        os.environ[_ISA] = "AVX512"
    return os.environ.get(_ISA) == "AVX512"


def has_wide_vectors(cpuinfo: Path) -> bool:
    """Whether every processor of this description has what is needed; without one (not on Linux), none has."""
    if not cpuinfo.is_file():
        return False
    flags = re.findall(r"^flags\s*:(.*)$", cpuinfo.read_text("utf-8", "replace"), re.MULTILINE)
    return bool(flags) and all(set(line.split()) >= _NEEDED for line in flags)
