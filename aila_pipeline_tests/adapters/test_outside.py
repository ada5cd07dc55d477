"""Audio URLs: each tenant reads from its own places, and from nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from aila_pipeline.adapters.directory_store import DirectoryStore
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.outside import Outside
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.errors import AudioTooLarge, SourceNotAllowed, SourceNotFound

LARGE = 1_000_000


def a_tenant(*allowed: str) -> Tenant:
    return Tenant("t1", "kz", "acme", TenantSettings(allowed_sources=allowed))


def no_client() -> object:
    raise AssertionError("no other bucket must be asked")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    (tmp_path / "objects").mkdir()
    made = DirectoryStore(tmp_path / "objects")
    for key in ("recordings/kz/acme/a.wav", "recordings/kz/other/a.wav", "_aila/audio/t2/abc", "archive/a.wav"):
        made.write(key, key.encode())
    return made


def read(store: ObjectStore, url: str, tenant: Tenant, *, max_bytes: int = LARGE) -> bytes:
    return b"".join(Outside(store, no_client).blocks(url, tenant, max_bytes=max_bytes))  # type: ignore[arg-type]  # never called


def test_a_tenant_reads_its_own_recordings_in_our_bucket(store: ObjectStore) -> None:
    assert read(store, "s3://aila/recordings/kz/acme/a.wav", a_tenant()) == b"recordings/kz/acme/a.wav"


def test_a_place_on_its_list_may_be_read_too(store: ObjectStore) -> None:
    assert read(store, "s3://aila/archive/a.wav", a_tenant("s3://aila/archive/")) == b"archive/a.wav"


@pytest.mark.parametrize(
    "url",
    [
        "s3://aila/recordings/kz/other/a.wav",
        "s3://aila/recordings/kz/acme/../other/a.wav",
        "s3://aila/archive/a.wav",
        "s3://another-bucket/a.wav",
        "https://example.org/a.wav",
        "file:///etc/passwd",
        "",
    ],
)
def test_everything_else_is_refused(store: ObjectStore, url: str) -> None:
    with pytest.raises(SourceNotAllowed):
        read(store, url, a_tenant())


def test_what_is_kept_for_all_tenants_is_refused_whatever_the_list_says(store: ObjectStore) -> None:
    """A list that names the whole bucket opens it, but not what was kept of other tenants' calls."""
    with pytest.raises(SourceNotAllowed):
        read(store, "s3://aila/_aila/audio/t2/abc", a_tenant("s3://aila/"))


def test_a_missing_object_is_told(store: ObjectStore) -> None:
    with pytest.raises(SourceNotFound):
        read(store, "s3://aila/recordings/kz/acme/b.wav", a_tenant())


def test_a_file_over_the_limit_is_not_read(store: ObjectStore) -> None:
    with pytest.raises(AudioTooLarge):
        read(store, "s3://aila/recordings/kz/acme/a.wav", a_tenant(), max_bytes=3)
