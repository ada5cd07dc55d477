"""What the object stores share: reading ahead, rules for keys, opening by URL."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aila_pipeline.adapters.directory_store import DirectoryStore
from aila_pipeline.adapters.objects import RangeReader, UploadSigner
from aila_pipeline.adapters.s3_client import client_from_environment
from aila_pipeline.adapters.s3_store import S3Store
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.errors import SettingInvalid


class CountedBytes:
    """Bytes that are fetched by ranges, and which of them were."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.fetched: list[tuple[int, int]] = []

    def fetch(self, start: int, length: int) -> bytes:
        assert length > 0
        assert start + length <= len(self.data)
        self.fetched.append((start, length))
        return self.data[start : start + length]

    def reader(self, ahead_bytes: int) -> RangeReader:
        return RangeReader(self.fetch, len(self.data), ahead_bytes=ahead_bytes)


@given(
    size=st.integers(0, 200),
    ahead_bytes=st.integers(1, 60),
    reads=st.lists(st.tuples(st.integers(0, 220), st.integers(0, 120)), max_size=12),
)
def test_reading_ahead_never_changes_what_is_read(size: int, ahead_bytes: int, reads: list[tuple[int, int]]) -> None:
    source = CountedBytes(secrets.token_bytes(size))
    reader = source.reader(ahead_bytes)
    assert reader.size_bytes == size
    for start, length in reads:
        assert reader.read_at(start, length) == source.data[start : start + length]


def test_small_reads_in_a_row_cost_few_fetches() -> None:
    source = CountedBytes(bytes(100_000))
    reader = source.reader(10_000)
    for start in range(0, 100_000, 100):
        assert len(reader.read_at(start, 100)) == 100
    assert len(source.fetched) == 10


def test_a_large_read_is_fetched_once_and_as_it_is() -> None:
    source = CountedBytes(bytes(100_000))
    assert len(source.reader(1_000).read_at(5_000, 50_000)) == 50_000
    assert source.fetched == [(5_000, 50_000)]


def test_the_url_tells_which_store(tmp_path: Path) -> None:
    directory = open_store(f"file://{tmp_path}/100% ours #1")
    assert isinstance(directory, DirectoryStore)
    assert (tmp_path / "100% ours #1").is_dir()
    client = client_from_environment()
    s3 = open_store("s3://bucket/a/prefix/", client)
    assert isinstance(s3, S3Store)
    assert s3.url == "s3://bucket/a/prefix"
    assert isinstance(s3, UploadSigner)
    assert not isinstance(directory, UploadSigner)
    client.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "objects",
        "file://objects",
        "file:/x",
        "http://host/bucket",
        "s3://",
        "s3:///prefix",
        "s3://key:hidden@bucket/x",
    ],
)
def test_any_other_url_is_refused_and_not_repeated(url: str) -> None:
    """Somebody may have written a secret into it."""
    with pytest.raises(SettingInvalid) as refused:
        open_store(url)
    assert "hidden" not in refused.value.message
