"""Running `aila` as a person would: arguments in; exit code, standard output and standard error out.

Lives here: the runner and homes to run it on. Does not: any check.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.cli import main
from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline

RECORDINGS = Path(__file__).parent.parent / "adapters" / "recordings"


@dataclass(frozen=True)
class Said:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line on standard error, which must be all that was said."""
        assert self.out == ""
        (line,) = self.err.splitlines()
        return line


Aila = Callable[..., Said]


@pytest.fixture
def aila(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Aila:
    """Runs a command in this process, in an empty directory; of our settings only the demo model is set."""
    for name in [name for name in os.environ if name.startswith("AILA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AILA_WHISPER_MODEL", "demo")
    monkeypatch.setenv("COLUMNS", "160")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a ledger in which nothing has happened."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}")
    ledger.migrate()
    ledger.close()
    return tmp_path / "home"


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    """The ledger of `home`."""
    opened = Ledger(f"sqlite:///{home / 'ledger.db'}")
    yield opened
    opened.close()


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    """A whole pipeline on a home of its own, `pipeline.settings.home`."""
    with a_pipeline(tmp_path / "worked") as made:
        yield made


@pytest.fixture(scope="session")
def speech() -> bytes:
    """A short recording of two voices, in the vocabulary of the demo model."""
    return (RECORDINGS / "two_voices.flac").read_bytes()
