"""Contract A, step 2 on a directory: what a signed URL takes, and what it leaves behind when it takes nothing.

A server of the real kind is used where bytes on a connection matter; the app is driven by hand where memory does.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import uvicorn
from fastapi import FastAPI

from aila_pipeline.adapters.objects import ObjectInfo
from aila_pipeline.adapters.upload_signing import UploadGrant
from aila_pipeline.api import signed_puts
from aila_pipeline.api.signed_puts import BLOCK_BYTES
from aila_pipeline_tests.api.conftest import Site, a_site, settings_for
from aila_pipeline_tests.api.test_uploads import issued

MIB = 1024 * 1024
CSV = {"Content-Type": "text/csv"}
ZIP = {"Content-Type": "application/zip"}


def objects_in(site: Site) -> list[str]:
    """Every file of the store, those being written too."""
    root = site.store.url.removeprefix("file://")
    # Unlike Path.rglob, os.walk takes it well that folders go while it looks.
    return sorted(os.path.relpath(f"{folder}/{name}", root) for folder, _, names in os.walk(root) for name in names)


def refusal(answer: Any) -> tuple[int, str]:
    """Status and code."""
    return answer.status_code, answer.json()["error"]["code"]


def test_what_is_put_lies_under_its_key(site: Site) -> None:
    data = issued(site)
    put = site.stranger.put(data["metadata_upload_url"], content=b"a,b\r\n", headers=CSV)
    assert (put.status_code, put.content) == (200, b"")
    assert put.headers["ETag"] == f'"{site.store.stat(data["metadata_key"]).etag}"'
    assert site.store.read(data["metadata_key"]) == b"a,b\r\n"
    assert objects_in(site) == [data["metadata_key"]]


def test_both_prefixes_take_the_same_token(site: Site) -> None:
    data = issued(site)
    url = data["audio_upload_url"].replace("/api/v1/", "/v1/")
    assert site.stranger.put(url, content=b"zip", headers=ZIP).status_code == 200
    assert site.store.read(data["audio_key"]) == b"zip"


def test_an_empty_file_is_a_file(site: Site) -> None:
    data = issued(site)
    assert site.stranger.put(data["metadata_upload_url"], content=b"", headers=CSV).status_code == 200
    assert site.store.read(data["metadata_key"]) == b""


def test_an_authorization_header_is_not_looked_at(site: Site) -> None:
    url = issued(site)["metadata_upload_url"]
    assert site.stranger.put(url, content=b"1", headers=CSV | {"Authorization": "Bearer nobody"}).status_code == 200
    assert site.other.put(url, content=b"2", headers=CSV).status_code == 200


def test_another_put_replaces_the_file(site: Site) -> None:
    data = issued(site)
    etags = [
        site.stranger.put(data["metadata_upload_url"], content=content, headers=CSV).headers["ETag"]
        for content in (b"first", b"second")
    ]
    assert site.store.read(data["metadata_key"]) == b"second"
    assert etags[0] != etags[1]


@pytest.mark.parametrize("sent", ["text/csv", "TEXT/CSV", "text/csv; charset=utf-8", " text/csv ;header=present"])
def test_the_content_type_is_compared_without_case_and_parameters(site: Site, sent: str) -> None:
    url = issued(site)["metadata_upload_url"]
    assert site.stranger.put(url, content=b"1", headers={"Content-Type": sent}).status_code == 200


@pytest.mark.parametrize("sent", [{}, ZIP, {"Content-Type": ""}, {"Content-Type": "text/csvx"}])
def test_another_content_type_is_forbidden(site: Site, sent: dict[str, str]) -> None:
    answer = site.stranger.put(issued(site)["metadata_upload_url"], content=b"1", headers=sent)
    assert refusal(answer) == (403, "UPLOAD_FORBIDDEN")
    assert objects_in(site) == []


def test_a_url_whose_time_is_over_is_forbidden(site: Site) -> None:
    grant = UploadGrant("kz/acme/1/a.csv", "text/csv", datetime.now(UTC) - timedelta(seconds=1))
    answer = site.stranger.put(f"/api/v1/uploads/{site.services.signing.token(grant)}", content=b"1", headers=CSV)
    assert refusal(answer) == (403, "UPLOAD_FORBIDDEN")
    assert objects_in(site) == []


@pytest.mark.parametrize("place", [0, 5, -1, -20])
def test_a_changed_url_is_forbidden_in_the_envelope_of_its_path(site: Site, place: int) -> None:
    token = issued(site)["metadata_upload_url"].rpartition("/")[2]
    place %= len(token)
    changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
    for prefix, wrapper in (("/api/v1", {"status": "error"}), ("/v1", {"success": False})):
        answer = site.stranger.put(f"{prefix}/uploads/{changed}", content=b"1", headers=CSV)
        assert refusal(answer) == (403, "UPLOAD_FORBIDDEN")
        assert wrapper.items() <= answer.json().items()
    assert objects_in(site) == []


def test_a_signed_url_cannot_be_read_from(site: Site) -> None:
    assert refusal(site.acme.get(issued(site)["metadata_upload_url"])) == (405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("declared", [True, False], ids=["told at once", "noticed on the way"])
def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(home: Path, declared: bool) -> None:
    with a_site(settings_for(home, max_upload_bytes=3 * MIB)) as site:
        url = issued(site)["audio_upload_url"]
        content = b"1" * (3 * MIB + 1)
        sent: Any = content if declared else iter([content[:MIB], content[MIB:]])
        assert refusal(site.stranger.put(url, content=sent, headers=ZIP)) == (413, "PAYLOAD_TOO_LARGE")
        assert objects_in(site) == []
        assert site.stranger.put(url, content=content[:-1], headers=ZIP).status_code == 200


def test_a_csv_has_a_limit_of_its_own(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_puts, "MAX_CSV_BYTES", 10)
    data = issued(site)
    answer = site.stranger.put(data["metadata_upload_url"], content=b"1" * 11, headers=CSV)
    assert refusal(answer) == (413, "PAYLOAD_TOO_LARGE")
    assert site.stranger.put(data["audio_upload_url"], content=b"1" * 11, headers=ZIP).status_code == 200


class Measuring:
    """In front of a store: remembers how far the sender was ahead of what has been written."""

    def __init__(self, site: Site) -> None:
        self._store, self.sent_bytes, self.most_ahead_bytes = site.store, 0, 0

    def write_stream(self, key: str, blocks: Iterable[bytes]) -> ObjectInfo:
        def measured() -> Iterator[bytes]:
            written = 0
            for block in blocks:
                self.most_ahead_bytes = max(self.most_ahead_bytes, self.sent_bytes - written)
                written += len(block)
                yield block

        return self._store.write_stream(key, measured())


def test_a_large_file_is_never_held_in_memory(site: Site) -> None:
    """300 MB, from a sender that is faster than the disk: at no time is more than a block or two under way."""
    piece, pieces = b"0" * 65_536, 4_800
    measuring: Any = Measuring(site)
    data = issued(site)
    left = iter(range(pieces))

    async def receive() -> dict[str, Any]:
        number = next(left)
        measuring.sent_bytes += len(piece)
        return {"type": "http.request", "body": piece, "more_body": number < pieces - 1}

    app_services = site.app.state.services
    site.app.state.services = replace(app_services, store=measuring)
    try:
        assert put_by_hand(site.app, data["audio_upload_url"], receive) == 200
    finally:
        site.app.state.services = app_services
    assert site.store.stat(data["audio_key"]).size_bytes == pieces * len(piece)
    assert measuring.most_ahead_bytes <= 2 * BLOCK_BYTES


def test_a_sender_that_falls_silent_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_puts, "IDLE_SECONDS", 0.2)
    first = iter([{"type": "http.request", "body": b"some", "more_body": True}])

    async def receive() -> dict[str, Any]:
        for message in first:
            return message
        await asyncio.sleep(3600)
        raise AssertionError("nobody waits so long")

    assert put_by_hand(site.app, issued(site)["audio_upload_url"], receive) == 400
    assert objects_in(site) == []


def put_by_hand(app: FastAPI, url: str, receive: Any) -> int:
    """The status of a PUT whose body comes from `receive`."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    path = urlsplit(url).path
    scope = {"type": "http", "method": "PUT", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": [(b"content-type", b"application/zip")], "scheme": "http", "server": ("testserver", 80)}
    asyncio.run(app(scope | {"root_path": "", "http_version": "1.1", "asgi": {"version": "3.0"}}, receive, send))
    return int(sent[0]["status"])


@contextmanager
def served(app: FastAPI) -> Iterator[int]:
    """The app behind a real server; yields its port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def at(port: int, url: str) -> str:
    return f"http://127.0.0.1:{port}{urlsplit(url).path}"


def test_requests_streams_a_file_as_the_contract_shows(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "audios.zip"
    path.write_bytes(bytes(range(256)) * 20_000)
    data = issued(site)
    with served(site.app) as port, path.open("rb") as file:
        answer = requests.put(at(port, data["audio_upload_url"]), data=file, headers=ZIP, timeout=60)
    assert (answer.status_code, answer.content) == (200, b"")
    assert site.store.read(data["audio_key"]) == path.read_bytes()


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
def test_a_connection_that_breaks_leaves_nothing(site: Site, chunked: bool) -> None:
    """Nor does it replace what was there."""
    data = issued(site)
    site.store.write(data["audio_key"], b"as it was")
    with served(site.app) as port:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 50000000"
            head = f"PUT {urlsplit(data['audio_upload_url']).path} HTTP/1.1\r\nHost: a\r\n{length}\r\n"
            connection.sendall(f"{head}Content-Type: application/zip\r\n\r\n".encode())
            piece = b"1" * MIB
            for _ in range(20):
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            wait_until(lambda: len(objects_in(site)) == 2)
        wait_until(lambda: objects_in(site) == [data["audio_key"]])
    assert site.store.read(data["audio_key"]) == b"as it was"


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_of_two_puts_at_once_one_stays_whole(site: Site) -> None:
    data = issued(site)
    with served(site.app) as port, ThreadPoolExecutor(8) as threads:

        def put(mark: int) -> int:
            pieces = (bytes([mark]) * MIB for _ in range(8))
            return requests.put(at(port, data["audio_upload_url"]), data=pieces, headers=ZIP, timeout=60).status_code

        assert set(threads.map(put, range(8))) == {200}
    kept = site.store.read(data["audio_key"])
    assert len(kept) == 8 * MIB
    assert len(set(kept)) == 1
    assert objects_in(site) == [data["audio_key"]]


def test_slow_uploads_do_not_keep_other_requests_waiting(site: Site) -> None:
    """More of them than the server has threads for requests."""
    urls = [issued(site)["audio_upload_url"] for _ in range(50)]
    with served(site.app) as port:
        connections = []
        try:
            for url in urls:
                connection = socket.create_connection(("127.0.0.1", port))
                connections.append(connection)
                head = f"PUT {urlsplit(url).path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n"
                connection.sendall(f"{head}Content-Type: application/zip\r\n\r\n1".encode())
            wait_until(lambda: len(objects_in(site)) == len(urls))
            body = {"metadata_filename": "a.csv", "audios_filename": "a.zip"}
            key = {"Authorization": f"Bearer {site.acme.key}"}
            answer = requests.post(f"http://127.0.0.1:{port}/v1/calls/upload", json=body, headers=key, timeout=10)
            assert answer.status_code == 200
        finally:
            for connection in connections:
                with suppress(OSError):
                    connection.close()
        wait_until(lambda: objects_in(site) == [])
