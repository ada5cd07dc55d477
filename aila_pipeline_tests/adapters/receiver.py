"""A receiver of webhooks on this machine: it checks signatures with the library, and fails as a test asks for.

Lives here: the server and its ways to fail. Does not: any test. What it does for a message it does once per id, as
docs/webhooks.md advises.
"""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

SLOW_SECONDS = 1.5
"""Longer than the patience of the tests that meet it."""

Answering = Callable[["Handler"], None]


@dataclass
class Receiver:
    """What has arrived. `effects` are the messages that were acted on, each once, in that order."""

    port: int
    secrets: dict[str, str] = field(default_factory=dict)
    """By path."""
    faults: float = 0.0
    """The share of requests that go wrong, each in one of several ways."""
    answering: dict[str, Answering] = field(default_factory=dict)
    """What is answered in the place of 204, by path; a message is acted on only by `accept`."""
    effects: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Path, id and body."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Path and id of each, whatever became of it."""
    forged: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(5))
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def place(self) -> str:
        """As AILA_FETCH_ALLOW has it."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/hook") -> str:
        """Where it takes messages."""
        return f"http://{self.place}{path}"

    def act(self, path: str, message: str, body: dict[str, Any]) -> None:
        """The effect of a message, at its first sight."""
        with self.lock:
            if message not in {known for _path, known, _body in self.effects}:
                self.effects.append((path, message, body))

    def fault(self) -> str | None:
        """What goes wrong with this request."""
        with self.lock:
            if self.chance.random() >= self.faults:
                return None
            return self.chance.choice(["500", "429", "silent", "dropped", "dropped after", "500 after"])


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: _Server
    accept: Callable[[], None]
    """Acts on the message."""

    def do_POST(self) -> None:
        receiver = self.server.receiver
        data = self.rfile.read(int(self.headers["Content-Length"]))
        message = self.headers.get("webhook-id", "")
        with receiver.lock:
            receiver.requests.append((self.path, message))
        try:
            body = Webhook(receiver.secrets[self.path]).verify(data, dict(self.headers.items()))
        except (KeyError, WebhookVerificationError):
            receiver.forged += 1
            self.answer(400)
            return
        self.accept = lambda: receiver.act(self.path, message, body)
        try:
            self.take(receiver)
        except OSError:
            self.close_connection = True  # the sender was killed, or lost patience

    def take(self, receiver: Receiver) -> None:
        if self.path in receiver.answering:
            receiver.answering[self.path](self)
            return
        match receiver.fault():
            case None:
                self.accept()
                self.answer(204)
            case "500":
                self.answer(500)
            case "429":
                self.answer(429, Retry_After="0")
            case "silent":
                time.sleep(SLOW_SECONDS)
                self.hang_up()
            case "dropped":
                self.hang_up()
            case "dropped after":
                self.accept()
                self.hang_up()
            case _:
                self.accept()
                self.answer(500)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Status, headers and body; `Retry_After` is written `Retry-After`."""
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        """Break the connection without an answer."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_args: object) -> None:
        """Tests read `requests` instead."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that was killed is no news."""


@contextmanager
def a_receiver(*, port: int = 0) -> Iterator[Receiver]:
    """A running receiver on this machine, on a free port unless one is named."""
    server = _Server(("127.0.0.1", port), Handler)
    server.receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def status(code: int, **headers: str) -> Answering:
    """Always this answer."""
    return lambda handler: handler.answer(code, b"", **headers)


def after(seconds: float) -> Answering:
    """Taken, but slowly."""

    def answer(handler: Handler) -> None:
        time.sleep(seconds)
        handler.accept()
        handler.answer(200, json.dumps({"well": True}).encode())

    return answer
