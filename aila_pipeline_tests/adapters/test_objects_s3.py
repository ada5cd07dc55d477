"""What is true of S3 alone, on a real server: versions, uploads in parts, signed URLs, refusals."""

from __future__ import annotations

import http.client
import re
import secrets
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import boto3
import pytest

from aila_pipeline.adapters.s3_client import CONFIG
from aila_pipeline.adapters.s3_store import S3Store
from aila_pipeline.errors import KeyInvalid, ObjectMissing, StoreUnavailable
from aila_pipeline_tests import services
from aila_pipeline_tests.adapters.conftest import SMALLEST_PART

pytestmark = pytest.mark.services


@pytest.fixture
def versioned_store() -> Iterator[S3Store]:
    """A store in a bucket that keeps versions."""
    with services.fresh_bucket(versioned=True) as bucket:
        client = services.s3_client()
        yield S3Store(client, bucket, copy_part_bytes=SMALLEST_PART)
        client.close()


def put(url: str, body: bytes, content_type: str) -> int:
    """What any HTTP client would do with a signed URL; the status of the answer."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.request("PUT", f"{parts.path}?{parts.query}", body, {"Content-Type": content_type})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def test_a_signed_url_takes_the_upload_it_was_made_for(s3_store: S3Store) -> None:
    url = s3_store.presign_put("kz/acme/1/audio files №1.zip", content_type="application/zip", expires_seconds=3600)
    assert put(url, b"PK", "application/zip") == 200
    assert s3_store.read("kz/acme/1/audio files №1.zip") == b"PK"


def test_an_expired_signed_url_is_refused(s3_store: S3Store) -> None:
    url = s3_store.presign_put("a.zip", content_type="application/zip", expires_seconds=1)
    time.sleep(2.5)
    assert put(url, b"PK", "application/zip") == 403
    assert not s3_store.exists("a.zip")


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        (r"/a\.zip\?", "/b.zip?"),
        (r"X-Amz-Expires=60\b", "X-Amz-Expires=604800"),
        (r"X-Amz-Signature=[0-9a-f]{8}", "X-Amz-Signature=00000000"),
        (r"X-Amz-SignedHeaders=content-type%3Bhost", "X-Amz-SignedHeaders=host"),
        (r"X-Amz-Credential=[^%]+", "X-Amz-Credential=somebody"),
    ],
    ids=["key", "expiry", "signature", "signed headers", "credential"],
)
def test_a_signed_url_that_was_tampered_with_is_refused(s3_store: S3Store, pattern: str, instead: str) -> None:
    url = s3_store.presign_put("a.zip", content_type="application/zip", expires_seconds=60)
    tampered = re.sub(pattern, instead, url)
    assert tampered != url
    assert put(tampered, b"PK", "application/zip") == 403
    assert list(s3_store.list("")) == []


def test_a_signed_url_takes_no_other_content_type(s3_store: S3Store) -> None:
    url = s3_store.presign_put("a.zip", content_type="application/zip", expires_seconds=60)
    assert put(url, b"PK", "text/html") == 403
    assert list(s3_store.list("")) == []


def test_a_pinned_version_outlives_its_overwriting_and_deletion(versioned_store: S3Store) -> None:
    """Where the bucket keeps versions, what was validated is what is copied, whatever happened since."""
    data = secrets.token_bytes(SMALLEST_PART + 100)
    versioned_store.write("a.zip", data)
    pinned = versioned_store.stat("a.zip")
    assert pinned.version_id is not None
    versioned_store.write("a.zip", b"new")
    versioned_store.delete("a.zip")
    assert b"".join(versioned_store.stream("a.zip", pinned=pinned)) == data
    assert versioned_store.read(versioned_store.copy(pinned, "copy").key) == data


def test_deleting_a_pinned_version_brings_no_older_one_back(versioned_store: S3Store) -> None:
    """Else a pair that was dropped twice would come up again after it was taken in."""
    versioned_store.write("a", b"first")
    versioned_store.write("a", b"second")
    pinned = versioned_store.stat("a")
    assert versioned_store.delete("a", pinned=pinned)
    assert list(versioned_store.list("")) == []
    assert not versioned_store.exists("a")


def test_a_pinned_delete_leaves_the_newer_version(versioned_store: S3Store) -> None:
    versioned_store.write("a", b"same")
    pinned = versioned_store.stat("a")
    versioned_store.write("a", b"same")
    assert not versioned_store.delete("a", pinned=pinned)
    assert versioned_store.exists("a")


def test_a_write_that_breaks_off_leaves_no_parts_behind(s3_store: S3Store, s3_bucket: str) -> None:
    """They would be invisible, and paid for."""

    def blocks() -> Iterator[bytes]:
        yield bytes(2 * SMALLEST_PART)
        raise RuntimeError("the source broke off")

    with pytest.raises(RuntimeError):
        s3_store.write_stream("big", blocks())
    client = services.s3_client()
    assert client.list_multipart_uploads(Bucket=s3_bucket).get("Uploads", []) == []
    client.close()


def test_folder_markers_of_s3_consoles_are_no_objects(s3_store: S3Store, s3_bucket: str) -> None:
    client = services.s3_client()
    prefix = s3_store.url.removeprefix(f"s3://{s3_bucket}/")
    client.put_object(Bucket=s3_bucket, Key=f"{prefix}/inbox/kz/", Body=b"")
    client.close()
    s3_store.write("inbox/kz/a", b"")
    assert [found.key for found in s3_store.list("")] == ["inbox/kz/a"]
    assert s3_store.folders("inbox/") == ["inbox/kz/"]


def test_keys_of_foreign_programs_can_be_read_moved_and_deleted(s3_store: S3Store) -> None:
    """S3 holds names that no directory could; a file of the drop zone is never lost for its name."""
    for key in ("inbox/a//b", "inbox/./c", "inbox/../d", "inbox/" + "long" * 100, "/leading", "tab\there"):
        s3_store.write(key, key.encode())
        assert s3_store.read(s3_store.copy(s3_store.stat(key), "_aila/rejected/" + key).key) == key.encode()
        assert s3_store.delete(key)
    assert len(list(s3_store.list(""))) == 6


def test_a_name_that_looks_encoded_is_taken_as_it_is(s3_store: S3Store) -> None:
    """radosgw decodes the source of a copied part twice, and dies of a `%` that is no escape."""
    s3_store.write("a b", b"another")
    for key in ("a%20b", "100%.zip", "a?versionId=x", "a%2Fb"):
        s3_store.write(key, key.encode())
        assert s3_store.read(s3_store.copy(s3_store.stat(key), "copy").key) == key.encode()


def test_the_prefix_counts_for_the_length_of_a_key(s3_store: S3Store) -> None:
    prefix_bytes = len(s3_store.url.split("/", 3)[3]) + 1
    s3_store.write("x" * (1024 - prefix_bytes), b"")
    with pytest.raises(KeyInvalid):
        s3_store.write("x" * (1025 - prefix_bytes), b"")


def test_stores_with_different_prefixes_do_not_see_each_other(s3_store: S3Store, s3_bucket: str) -> None:
    s3_store.write("a", b"")
    beside = S3Store(s3_store._client, s3_bucket, s3_store.url.split("/", 3)[3] + "x")
    assert list(beside.list("")) == []


def test_a_bucket_that_does_not_exist_is_a_store_that_is_unavailable() -> None:
    """Not a store in which every object is missing."""
    client = services.s3_client()
    store = S3Store(client, "no-such-bucket-here")
    for attempt in (lambda: store.exists("a"), lambda: store.read("a"), lambda: list(store.list(""))):
        with pytest.raises(StoreUnavailable, match="NoSuchBucket"):
            attempt()
    client.close()


def test_wrong_credentials_are_told_by_code_and_never_repeated(s3_bucket: str) -> None:
    client = boto3.session.Session().client(
        "s3", aws_access_key_id="AKIAWRONG", aws_secret_access_key="hidden-secret", config=CONFIG
    )
    store = S3Store(client, s3_bucket)
    for attempt in (lambda: store.read("a"), lambda: store.write("a", b""), lambda: list(store.list(""))):
        with pytest.raises(StoreUnavailable, match="InvalidAccessKeyId") as refused:
            attempt()
        assert "AKIAWRONG" not in str(refused.value)
        assert "hidden" not in str(refused.value)
    client.close()


def test_a_missing_object_is_told_as_such_after_the_bucket_was_seen(s3_store: S3Store) -> None:
    with pytest.raises(ObjectMissing):
        s3_store.stat("a")
    assert not s3_store.exists("a")
