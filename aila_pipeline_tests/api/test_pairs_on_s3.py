"""Contract A on a real S3 server: its own signed URLs, and files that change between step 3 and the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from aila_pipeline.adapters.ledger.records import Accepted
from aila_pipeline.errors import ObjectMissing
from aila_pipeline_tests import services
from aila_pipeline_tests.api.conftest import Site, a_site, settings_for
from aila_pipeline_tests.api.test_pairs import AUDIOS, GOOD, Uploaded, processed
from aila_pipeline_tests.api.test_pairs_taken_in import OTHER_AUDIOS, codes, look, objects, taken
from aila_pipeline_tests.api.test_uploads import issued

pytestmark = pytest.mark.services

CSV, ZIP = {"Content-Type": "text/csv"}, {"Content-Type": "application/zip"}


@contextmanager
def on_s3(home: Path, *, versioned: bool, **settings: Any) -> Iterator[Site]:
    """A site whose store lies below a prefix of a fresh bucket."""
    with (
        services.fresh_bucket(versioned=versioned) as bucket,
        a_site(settings_for(home, object_store=f"s3://{bucket}/some/prefix", **settings)) as made,
    ):
        yield made


@pytest.fixture
def plain(home: Path) -> Iterator[Site]:
    """Without versions."""
    with on_s3(home, versioned=False) as made:
        yield made


@pytest.fixture
def versioned(home: Path) -> Iterator[Site]:
    """With versions."""
    with on_s3(home, versioned=True) as made:
        yield made


def put(url: str, content: bytes, headers: dict[str, str]) -> int:
    return requests.put(url, data=content, headers=headers, timeout=30).status_code


def uploaded(site: Site, **names: str) -> Uploaded:
    """Steps 1 and 2, by a client that knows nothing of us."""
    data = issued(site, **names)
    assert put(data["metadata_upload_url"], GOOD, CSV) == 200
    assert put(data["audio_upload_url"], AUDIOS, ZIP) == 200
    return Uploaded(data["metadata_key"], data["audio_key"])


def submitted(site: Site) -> tuple[Uploaded, str]:
    upload = uploaded(site)
    return upload, processed(site, upload)["batch_id"]


def missing(site: Site, key: str) -> bool:
    try:
        site.store.stat(key)
    except ObjectMissing:
        return True
    return False


def test_signed_urls_take_the_files_they_were_made_for(plain: Site) -> None:
    upload = uploaded(plain)
    assert plain.store.read(upload.metadata_key) == GOOD
    assert plain.store.read(upload.audios_key) == AUDIOS


def test_another_content_type_is_forbidden(plain: Site) -> None:
    data = issued(plain)
    for headers in (ZIP, {"Content-Type": "text/plain"}):
        assert put(data["metadata_upload_url"], GOOD, headers) == 403
    assert missing(plain, data["metadata_key"])


def test_another_key_is_forbidden(plain: Site) -> None:
    data = issued(plain)
    assert put(data["metadata_upload_url"].replace("metadata.csv?", "other.csv?"), GOOD, CSV) == 403
    assert objects(plain) == []


def test_after_its_time_a_url_is_forbidden(home: Path) -> None:
    with on_s3(home, versioned=False, upload_seconds=1) as site:
        data = issued(site)
        time.sleep(2.5)
        assert put(data["metadata_upload_url"], GOOD, CSV) == 403
        assert missing(site, data["metadata_key"])


@pytest.mark.parametrize("bucket", ["plain", "versioned"])
def test_a_pair_is_taken_in_and_nothing_left(request: pytest.FixtureRequest, bucket: str) -> None:
    site = request.getfixturevalue(bucket)
    upload, batch_id = submitted(site)
    assert look(site) == []
    outcome = taken(site, batch_id)
    assert isinstance(outcome, Accepted)
    assert codes(site, batch_id) == [None, None]
    folder = f"_aila/batches/{batch_id}/source/"
    assert objects(site) == [f"{folder}audios.zip", f"{folder}metadata.csv"]
    assert processed(site, upload)["batch_id"] == batch_id


def test_names_that_servers_misread_are_taken_in(plain: Site) -> None:
    upload = uploaded(plain, metadata_filename="100% ours? #1.csv", audios_filename="a%20b+c я.zip")
    batch_id = processed(plain, upload)["batch_id"]
    taken(plain, batch_id)
    assert codes(plain, batch_id) == [None, None]
    assert objects(plain, "kz/") == []


def test_with_versions_the_pinned_one_is_processed(versioned: Site) -> None:
    """Gap 6: overwritten between step 3 and the run; what was put later is left alone."""
    upload, batch_id = submitted(versioned)
    versioned.store.write(upload.audios_key, OTHER_AUDIOS)
    taken(versioned, batch_id)
    assert codes(versioned, batch_id) == [None, None]
    assert versioned.store.read(f"_aila/batches/{batch_id}/source/audios.zip") == AUDIOS
    assert versioned.store.read(upload.audios_key) == OTHER_AUDIOS


def test_with_versions_a_removed_file_is_processed_too(versioned: Site) -> None:
    upload, batch_id = submitted(versioned)
    versioned.store.delete(upload.audios_key)
    taken(versioned, batch_id)
    assert codes(versioned, batch_id) == [None, None]


def test_without_versions_every_call_fails_as_source_changed(plain: Site) -> None:
    """Gap 6."""
    upload, batch_id = submitted(plain)
    plain.store.write(upload.audios_key, OTHER_AUDIOS)
    taken(plain, batch_id)
    assert codes(plain, batch_id) == ["SOURCE_CHANGED", "SOURCE_CHANGED"]


def test_leftovers_in_a_bucket_with_versions_are_known_again(versioned: Site) -> None:
    """A listing does not tell versions, a look at the object itself does."""
    upload, batch_id = submitted(versioned)
    archive = versioned.store.read(upload.audios_key)
    csv = next(versioned.store.list(upload.metadata_key))
    taken(versioned, batch_id, Undeletable(versioned, upload.metadata_key))
    assert objects(versioned, "kz/") == [csv.key]
    assert look(versioned) == [batch_id]
    assert objects(versioned, "kz/") == []
    assert archive == AUDIOS


class Undeletable:
    """In front of a store: one key cannot be removed, as if the run had died before it came to it."""

    def __init__(self, site: Site, key: str) -> None:
        self._store, self._key = site.store, key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def delete(self, key: str, **named: Any) -> bool:
        return False if key == self._key else self._store.delete(key, **named)
