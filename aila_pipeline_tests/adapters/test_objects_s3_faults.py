"""S3 when the server misbehaves: a small HTTP server of our own breaks off, refuses and keeps silent as told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.credentials import CredentialResolver

from aila_pipeline.adapters.s3_client import CONFIG
from aila_pipeline.adapters.s3_store import S3Store
from aila_pipeline.errors import ObjectChanged, StoreUnavailable

CONTENT = bytes(range(256)) * 400
ETAG = "0123456789abcdef0123456789abcdef"


class FaultyServer(ThreadingHTTPServer):
    """Serves CONTENT under every key. `broken_answers`: so many GETs break off half-way; `status`: said instead.

    Ignores the conditions of copies, as radosgw does; while a part is copied, somebody overwrites the source.
    """

    daemon_threads = True
    broken_answers = 0
    status: int | None = None
    etag = ETAG
    absent_writes: list[str | None]
    upload_ends: list[str]


class Handler(BaseHTTPRequestHandler):
    """S3 as far as these tests need it."""

    server: FaultyServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        """The object as it is."""
        self.send_response(self.server.status or 200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.send_header("ETag", f'"{self.server.etag}"')
        self.send_header("Last-Modified", "Fri, 20 Nov 2026 10:00:00 GMT")
        if self.server.absent_writes:
            self.send_header("x-amz-meta-aila-writer", self.server.absent_writes[0] or "")
        self.end_headers()

    def do_GET(self) -> None:
        """A range of it, perhaps half of that."""
        if self.server.status:
            body = b"<Error><Code>AccessDenied</Code><Message>key AKIASECRET</Message></Error>"
            self._answer(self.server.status, body)
            return
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        body = CONTENT[int(first) : int(last) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.broken_answers:
            self.server.broken_answers -= 1
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def do_PUT(self) -> None:
        """Writes, then loses its first answer: the retry of the client finds the object there. Or copies a part."""
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["x-amz-copy-source"]:
            self.server.etag = "f" * 32
            self._answer(200, b"<CopyPartResult><ETag>part</ETag></CopyPartResult>")
            return
        self.server.absent_writes.append(self.headers["x-amz-meta-aila-writer"])
        if len(self.server.absent_writes) == 1:
            self._answer(500)
        else:
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")

    def do_POST(self) -> None:
        """Begins an upload in parts, or completes it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        if "uploadId=" in self.path:
            self.server.upload_ends.append("completed")
        self._answer(200, b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")

    def do_DELETE(self) -> None:
        """Abandons an upload in parts."""
        self.server.upload_ends.append("abandoned")
        self._answer(204)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """The server, on a free port."""
    with FaultyServer(("127.0.0.1", 0), Handler) as running:
        running.absent_writes, running.upload_ends = [], []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@contextmanager
def store_at(port: int, *, tries: int = 5, read_timeout: float = 60) -> Iterator[S3Store]:
    """A store that asks this port."""
    changes = Config(retries={"mode": "standard", "max_attempts": tries}, read_timeout=read_timeout)
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="AKIAOURS",
        aws_secret_access_key="hidden",
        config=CONFIG.merge(changes),
    )
    yield S3Store(client, "bucket")
    client.close()


def test_an_answer_that_breaks_off_is_asked_for_again(server: FaultyServer) -> None:
    server.broken_answers = 2
    with store_at(server.server_port) as store:
        assert b"".join(store.stream("a")) == CONTENT


def test_a_server_that_always_breaks_off_is_unavailable(server: FaultyServer) -> None:
    server.broken_answers = 100
    with store_at(server.server_port) as store, pytest.raises(StoreUnavailable):
        list(store.stream("a"))


def test_a_refusal_is_told_by_its_code_alone(server: FaultyServer) -> None:
    with store_at(server.server_port) as store:
        server.status = 403
        with pytest.raises(StoreUnavailable, match="AccessDenied") as refused:
            store.read("a")
        assert "AKIA" not in str(refused.value)


def test_a_failed_condition_means_the_object_changed(server: FaultyServer) -> None:
    with store_at(server.server_port) as store:
        pinned = store.stat("a")
        server.status = 412
        with pytest.raises(ObjectChanged):
            store.copy(pinned, "b")


def test_a_source_overwritten_while_it_is_copied_makes_no_object(server: FaultyServer) -> None:
    """Whatever the server copied, it never becomes visible, and no parts stay behind."""
    with store_at(server.server_port) as store, pytest.raises(ObjectChanged):
        store.copy(store.stat("a"), "b")
    assert server.upload_ends == ["abandoned"]


def test_a_conditional_write_knows_its_own_first_try_again(server: FaultyServer) -> None:
    """The answer to the first try was lost; the retry is told that the object exists: it is ours all the same."""
    with store_at(server.server_port) as store:
        assert store.write_if_absent("a", b"data")
    assert len(server.absent_writes) == 2


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        port = taken.getsockname()[1]
        with store_at(port, tries=2) as store:
            for attempt in (lambda: store.exists("a"), lambda: list(store.list("")), lambda: store.write("a", b"")):
                with pytest.raises(StoreUnavailable, match="EndpointConnectionError"):
                    attempt()


def test_a_server_that_keeps_silent_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with store_at(port, tries=1, read_timeout=0.3) as store, pytest.raises(StoreUnavailable, match="Timeout"):
            store.read("a")


def test_without_credentials_the_store_is_unavailable(server: FaultyServer) -> None:
    session = botocore.session.get_session()
    session.register_component("credential_provider", CredentialResolver(providers=[]))
    client = boto3.session.Session(botocore_session=session).client(
        "s3", endpoint_url=f"http://127.0.0.1:{server.server_port}", region_name="us-east-1", config=CONFIG
    )
    with pytest.raises(StoreUnavailable, match="NoCredentials"):
        S3Store(client, "bucket").read("a")
    client.close()
