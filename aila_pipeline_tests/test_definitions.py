"""The Dagster side as a whole: it loads, is complete, and reads nothing before it must."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from aila_pipeline.definitions import build_defs
from aila_pipeline.domain.status import Stage
from aila_pipeline.settings import Settings

ROOT = Path(__file__).parent.parent


def test_the_definitions_are_valid(tmp_path: Path) -> None:
    """Partition mappings, resources, jobs and sensors fit together."""
    dg.Definitions.validate_loadable(build_defs(Settings(home=tmp_path)))


def test_building_them_touches_neither_disk_nor_database(tmp_path: Path) -> None:
    build_defs(Settings(home=tmp_path / "home"))
    assert list(tmp_path.iterdir()) == []


def test_every_stage_is_an_asset_of_the_same_name(tmp_path: Path) -> None:
    names = {key.to_user_string() for key in build_defs(Settings(home=tmp_path)).resolve_all_asset_keys()}
    assert names >= set(Stage)


def test_every_asset_tells_a_person_what_it_is(tmp_path: Path) -> None:
    for spec in build_defs(Settings(home=tmp_path)).resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.group_name, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key


def test_slow_libraries_are_not_loaded_with_the_definitions() -> None:
    """Each costs every run and every tick's process its import."""
    asked = "import sys, aila_pipeline.definitions; print([m for m in sys.argv[1:] if m in sys.modules])"
    slow = ["pandas", "pandera", "av", "faster_whisper", "ctranslate2", "onnxruntime", "phonenumbers"]
    printed = subprocess.run([sys.executable, "-c", asked, *slow], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("command", [("dg", "check", "defs"), ("dagster", "definitions", "validate")])
def test_dagsters_own_tools_accept_the_project(command: tuple[str, ...]) -> None:
    tool = Path(sys.executable).parent / command[0]
    done = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
