"""Processor: AVX-512 is asked for where every processor has it, and a choice of the operator's stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aila_pipeline.adapters.speech_processor import has_wide_vectors

WIDE = "fpu sse2 avx2 avx512f avx512dq avx512cd avx512bw avx512vl avx512_vnni"
SHOW = """
import os, ctranslate2
from aila_pipeline.adapters.speech_processor import use_wide_vectors
print(use_wide_vectors(), os.environ.get("CT2_FORCE_CPU_ISA"))
"""


def described(folder: Path, *flags: str) -> Path:
    """A /proc/cpuinfo of processors with these flags."""
    path = folder / "cpuinfo"
    path.write_text("\n".join(f"processor\t: {number}\nflags\t\t: {line}\n" for number, line in enumerate(flags)))
    return path


def test_all_processors_must_have_it(tmp_path: Path) -> None:
    assert has_wide_vectors(described(tmp_path, WIDE, WIDE))
    assert not has_wide_vectors(described(tmp_path, WIDE, "fpu sse2 avx2"))


@pytest.mark.parametrize("missing", ["avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl", "avx512_vnni"])
def test_a_processor_that_lacks_a_part_of_it_is_left_alone(tmp_path: Path, missing: str) -> None:
    """Without VNNI it is one that slows down; without another, CTranslate2 would refuse to start."""
    rest = " ".join(flag for flag in WIDE.split() if flag != missing)
    assert not has_wide_vectors(described(tmp_path, rest))


def test_another_kind_of_machine_is_left_alone(tmp_path: Path) -> None:
    arm = tmp_path / "arm"
    arm.write_text("processor\t: 0\nFeatures\t: fp asimd\n")
    assert not has_wide_vectors(arm)
    assert not has_wide_vectors(tmp_path / "none")


def test_what_the_operator_chose_stays() -> None:
    """In a process of its own: CTranslate2 asks once."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        env=os.environ | {"CT2_FORCE_CPU_ISA": "GENERIC"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "GENERIC"]
