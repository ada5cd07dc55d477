"""Fixtures of the adapters' tests: each object store and each ledger, fresh and empty."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from aila_pipeline.adapters.directory_store import DirectoryStore
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.s3_store import S3Store
from aila_pipeline_tests import services
from aila_pipeline_tests.adapters.ledger.conftest import ledger, migrated_file, migrated_schema

__all__ = ["ledger", "migrated_file", "migrated_schema"]

SMALLEST_PART = 5 * 1024 * 1024
"""S3 takes no smaller part but the last; small here, so that a test of parts needs few bytes."""


@pytest.fixture(scope="session")
def s3_bucket() -> Iterator[str]:
    """One bucket for all tests of a session."""
    with services.fresh_bucket() as name:
        yield name


@pytest.fixture
def s3_store(s3_bucket: str) -> Iterator[S3Store]:
    """An empty store below a prefix of its own, on a real S3 server."""
    client = services.s3_client()
    yield S3Store(
        client, s3_bucket, f"t/{secrets.token_hex(8)}", part_bytes=SMALLEST_PART, copy_part_bytes=SMALLEST_PART
    )
    client.close()


@pytest.fixture
def directory_store(tmp_path: Path) -> DirectoryStore:
    """An empty store in a directory of its own."""
    return DirectoryStore(tmp_path / "objects")


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.services)])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """Each kind of store in turn: what is tested with this is true of both."""
    found = request.getfixturevalue(f"{request.param}_store")
    assert isinstance(found, ObjectStore)
    return found


def listed(store: ObjectStore, prefix: str = "", *, after: str = "", limit: int | None = None) -> list[str]:
    """The keys that a listing tells."""
    return [found.key for found in store.list(prefix, after=after, limit=limit)]
