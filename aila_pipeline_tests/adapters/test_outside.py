"""Audio URLs: each tenant reads from its own buckets and from the public internet, and from nowhere else."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from aila_pipeline.adapters.directory_store import DirectoryStore
from aila_pipeline.adapters.fetch import Fetcher
from aila_pipeline.adapters.fetch_addresses import Addresses
from aila_pipeline.adapters.ledger.records import Tenant
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.outside import Outside
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline.errors import AudioTooLarge, SourceForbidden, SourceNotAllowed, SourceNotFound, SourceUnavailable
from aila_pipeline_tests.adapters.web_server import Handler, a_web_server, file, status

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
    return b"".join(an_outside(store).blocks(url, tenant, max_bytes=max_bytes))


def an_outside(store: ObjectStore, *allow: str) -> Outside:
    fetcher = Fetcher(Addresses(allow), connect_seconds=2.0, pause_seconds=0.01)
    return Outside(store, no_client, fetcher)  # type: ignore[arg-type]  # never called


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
        "https://10.0.0.1/a.wav",
        "http://localhost/a.wav",
        "http://example.org:22/a.wav",
        "https://me@example.org/a.wav",
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


def test_a_key_that_no_object_can_have_is_not_found(store: ObjectStore) -> None:
    with pytest.raises(SourceNotFound):
        read(store, "s3://aila/recordings/kz/acme/" + "я" * 490, a_tenant())


def test_a_web_server_is_read_through_the_fetcher(store: ObjectStore) -> None:
    with a_web_server() as site:
        site.pages["/a.wav"] = file(b"audio")
        outside = an_outside(store, site.place)
        assert b"".join(outside.blocks(site.url("/a.wav"), a_tenant(), max_bytes=5)) == b"audio"
        with pytest.raises(AudioTooLarge):
            list(outside.blocks(site.url("/a.wav"), a_tenant(), max_bytes=4))


def test_who_stops_reading_of_the_store_is_obeyed(store: ObjectStore) -> None:
    stopped = threading.Event()
    stopped.set()
    url = "s3://aila/recordings/kz/acme/a.wav"
    with pytest.raises(SourceUnavailable):
        list(an_outside(store).blocks(url, a_tenant(), max_bytes=LARGE, stopped=stopped))


def test_a_probe_names_what_is_certain_to_fail_and_nothing_else(store: ObjectStore) -> None:
    with a_web_server() as site:
        site.pages |= {"/good": file(b"audio"), "/closed": status(403), "/busy": status(503), "/odd": status(405)}
        urls = [
            *(site.url(f"/{name}") for name in ("good", "closed", "busy", "odd", "none")),
            *("http://10.0.0.1/a", "http://localhost/a", "nonsense"),
            *(f"s3://aila/recordings/kz/{place}" for place in ("acme/a.wav", "acme/none.wav", "other/a.wav")),
        ]
        found = an_outside(store, site.place).probe(dict(enumerate(urls)), a_tenant(), seconds=10)
    assert {number: type(error) for number, error in found.items()} == {
        1: SourceForbidden,
        4: SourceNotFound,
        5: SourceNotAllowed,
        6: SourceNotAllowed,
        7: SourceNotAllowed,
        9: SourceNotFound,
        10: SourceNotAllowed,
    }


def test_a_probe_without_time_asks_nobody_and_tells_what_the_text_alone_rules_out(store: ObjectStore) -> None:
    with a_web_server() as site:
        urls = {3: site.url("/none"), 5: "http://10.0.0.1/a", 7: "s3://aila/archive/a.wav"}
        found = an_outside(store, site.place).probe(urls, a_tenant(), seconds=0)
        assert {number: type(error) for number, error in found.items()} == dict.fromkeys((5, 7), SourceNotAllowed)
        assert site.connections == 0


def test_a_probe_of_a_hundred_urls_is_quick_and_hosts_that_say_nothing_are_not_waited_for(store: ObjectStore) -> None:
    def silent(handler: Handler) -> None:
        time.sleep(2)

    with a_web_server() as site:
        outside = an_outside(store, site.place)
        began = time.monotonic()
        found = outside.probe({i: site.url("/none") for i in range(100)}, a_tenant(), seconds=10)
        assert len(found) == 100
        assert time.monotonic() - began < 5
        site.pages["/silent"] = silent
        began = time.monotonic()
        assert outside.probe({i: site.url("/silent") for i in range(100)}, a_tenant(), seconds=0.5) == {}
        assert time.monotonic() - began < 1.5
