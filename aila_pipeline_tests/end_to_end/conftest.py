"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline

RECORDINGS = Path(__file__).parent.parent / "adapters" / "recordings"


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    """A fresh home."""
    with a_pipeline(tmp_path / "home") as made:
        yield made


@pytest.fixture(scope="session")
def speech() -> bytes:
    """A short recording of two voices, in the vocabulary of the demo model."""
    return (RECORDINGS / "two_voices.flac").read_bytes()
