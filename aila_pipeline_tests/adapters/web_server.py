"""A web server on this machine that behaves as well or as badly as a test asks for.

Lives here: the server, and kinds of pages. Does not: any test. Every connection is counted, whatever becomes of it.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TLS = Path(__file__).parent / "tls"
"""A certificate for audio.example with its key, made for these tests alone and trusted by nobody else."""

Page = Callable[["Handler"], None]


@dataclass
class WebServer:
    """Pages by path; what was asked for is kept."""

    port: int
    scheme: str = "http"
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def place(self) -> str:
        """As AILA_FETCH_ALLOW has it."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        """Of a page, by this machine's address."""
        return f"{self.scheme}://{self.place}{path}"

    def asked_for(self, path: str, header: str) -> list[str | None]:
        """One header of each request of the path, in order."""
        return [headers.get(header.lower()) for asked, headers in self.asked if asked == path]


class Handler(BaseHTTPRequestHandler):
    """One request; pages write to it."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        site = self.server.site
        with site.lock:
            site.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            site.at_once += 1
            site.most_at_once = max(site.most_at_once, site.at_once)
        try:
            site.pages.get(self.path.partition("?")[0], status(404))(self)
        except OSError:
            self.close_connection = True  # the client went away, which some tests are about
        finally:
            with site.lock:
                site.at_once -= 1

    def begin(self, code: int, **headers: str | int) -> None:
        """Status and headers; `content_length` is written `Content-Length`."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def hang_up(self) -> None:
        """Break the connection without a proper end."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_args: object) -> None:
        """Tests read `asked` instead."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    site: WebServer
    tls: ssl.SSLContext | None = None

    def process_request(self, request: object, client_address: object) -> None:
        with self.site.lock:
            self.site.connections += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]  # as the base class has them

    def finish_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        try:
            secured = self.tls.wrap_socket(request, server_side=True) if self.tls else request
        except OSError:
            return  # the client did not like the certificate
        with secured:
            Handler(secured, client_address, self)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


@contextmanager
def a_web_server(*, tls: bool = False) -> Iterator[WebServer]:
    """A running server on a free port of this machine."""
    server = _Server(("127.0.0.1", 0), Handler)
    server.site = WebServer(server.server_address[1], "https" if tls else "http")
    if tls:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def status(code: int, **headers: str | int) -> Page:
    """An answer without a body."""
    return lambda handler: handler.begin(code, content_length=0, **headers)


def redirect(location: str, code: int = 302) -> Page:
    """To another place."""
    return status(code, location=location)


def file(data: bytes, **headers: str | int) -> Page:
    """The file, whole or the part that was asked for."""

    def page(handler: Handler) -> None:
        start = _start_of(handler)
        if start is None:
            handler.begin(200, content_length=len(data), **headers)
            handler.wfile.write(data)
            return
        rest = data[start:]
        told = f"bytes {start}-{len(data) - 1}/{len(data)}"
        handler.begin(206, content_length=len(rest), content_range=told, **headers)
        handler.wfile.write(rest)

    return page


def breaking(data: bytes, *after: int, **headers: str | int) -> Page:
    """The file, but the first connections break after so many bytes each; then as `file`."""
    breaks = list(after)

    def page(handler: Handler) -> None:
        if not breaks:
            return file(data, **headers)(handler)
        length, start = breaks.pop(0), _start_of(handler) or 0
        code = 206 if start else 200
        part: dict[str, str | int] = {"content_range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        handler.begin(code, content_length=len(data) - start, **part, **headers)
        handler.wfile.write(data[start : start + length])
        return handler.hang_up()

    return page


def in_turn(*pages: Page) -> Page:
    """Each request gets the next page; the last one stays."""
    left = list(pages)

    def page(handler: Handler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return page


def dripping(data: bytes, *, pause_seconds: float, size: int = 1) -> Page:
    """A few bytes at a time."""

    def page(handler: Handler) -> None:
        handler.begin(200, content_length=len(data))
        for at in range(0, len(data), size):
            handler.wfile.write(data[at : at + size])
            handler.wfile.flush()
            time.sleep(pause_seconds)

    return page


def _start_of(handler: Handler) -> int | None:
    """Where the range begins that was asked for."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
    return int(match[1]) if match else None
