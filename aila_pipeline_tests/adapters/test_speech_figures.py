"""Figures: the tables of `make bench`, and the files that other recognisers are measured with."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from tools.measurements.random_ggml import TOKENS, make_ggml
from tools.measurements.random_model import Dimensions
from tools.measurements.speech_installed import python_of_others
from tools.measurements.speech_tables import compared, growth, shares


def a_run(cpu: float, **more: object) -> dict[str, object]:
    """What an engine tells of itself."""
    return {"cpu": cpu, "wall": cpu / 2, "peak_mb": 100.0, "windows": 7, "parts": {}} | more


def printed(table: Table) -> list[list[str]]:
    """The cells of each row, as text."""
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(table)
    lines = [line for line in console.export_text().splitlines() if "│" in line]
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


def test_the_peak_of_memory_is_a_processs_own_and_not_what_its_parent_holds() -> None:
    held = b"x" * (300 * 10**6)  # written, and so resident
    command = [sys.executable, "-c", "from tools.measurements.speech_clock import peak_mb; print(peak_mb())"]
    told = subprocess.run(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, check=True).stdout
    assert 1 < float(told) < len(held) / 2**20 / 2


def test_ratios_are_of_the_medians_to_ours_and_to_the_encoder() -> None:
    steps = {"encoder": 2.0, "decoder": 3.0}
    rounds = {
        "channels": [a_run(12.0), a_run(10.0), a_run(50.0)],
        "ours": [a_run(4.0), a_run(6.0), a_run(5.0)],
        "phases": [a_run(5.0, parts=steps)] * 3,
    }
    names = {"channels": "script", "ours": "ours"}
    assert printed(compared("calls", rounds, names)) == [
        ["script", "7", "12.0", "2.40", "6.0", "2.40", "100", "6.00"],
        ["ours", "7", "5.0", "1.00", "2.5", "1.00", "100", "2.50"],
    ]
    assert printed(shares("steps", rounds))[-1] == ["all steps", "5.0", "100%", "2.50"]


def test_without_ours_there_is_nothing_to_compare_with() -> None:
    assert printed(compared("calls", {"cpp": [a_run(4.0)]}, {"cpp": "cpp"})) == [
        ["cpp", "7", "4.0", "", "2.0", "", "100", ""]
    ]


def test_growth_tells_what_a_call_costs_beside_the_first_count() -> None:
    rows = printed(growth([10, 100], [a_run(10.0), a_run(110.0)]))
    assert [row[2:4] for row in rows] == [["1000", "1.00"], ["1100", "1.10"]]


def test_a_model_for_whisper_cpp_has_the_head_and_the_sizes_that_it_reads(tmp_path: Path) -> None:
    path = make_ggml(tmp_path / "ggml.bin", Dimensions(width=64, heads=2, layers=1))
    with path.open("rb") as file:
        head = struct.unpack("<12i", file.read(48))
    assert head == (0x67676D6C, TOKENS, 1500, 64, 2, 1, 448, 64, 2, 1, 80, 2007)


@pytest.mark.slow
def test_what_does_not_install_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index of packages that has none."""
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    told = python_of_others()
    assert isinstance(told, str)
    assert "openai-whisper" in told
    assert "\n" not in told
