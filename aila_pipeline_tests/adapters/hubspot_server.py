"""HubSpot at a local address: the documented endpoints over HTTP, and faults on demand.

Lives here: paths, the token, JSON, and what goes wrong on the way. Does not: what HubSpot thinks of a request
(hubspot_account.py).
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aila_pipeline_tests.adapters.hubspot_account import Account, Answer, RefusalError

TOKEN = "pat-na1-11111111-2222-3333-4444-555555555555"


@dataclass
class Fault:
    """What happens to the next requests whose path holds `path`."""

    path: str = ""
    status: int | None = None
    """Answered in the place of the right answer; None: the connection is closed without one."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"status":"error","message":"a fault"}'
    after: bool = False
    """Whether the request is carried out first, so that only the answer is lost."""
    seconds: float = 0.0
    """How long the answer takes."""
    times: int = 1


@dataclass
class HubSpotServer:
    """A running server, the account behind it, and what it was asked."""

    url: str
    account: Account = field(default_factory=Account)
    asked: list[str] = field(default_factory=list)
    """Method and path of each request, in order."""
    faults: list[Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, **fault: Any) -> None:
        """Makes a later request fail; see `Fault`."""
        self.faults.append(Fault(**fault))

    def next_fault(self, path: str) -> Fault | None:
        """The fault for this request, counted down."""
        found = next((fault for fault in self.faults if fault.path in path and fault.times > 0), None)
        if found is not None:
            found.times -= 1
        return found


@contextmanager
def running_hubspot() -> Iterator[HubSpotServer]:
    """A server on a free port of this machine, until the block ends."""

    class Handler(_Handler):
        state: HubSpotServer

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    Handler.state = HubSpotServer(url=f"http://127.0.0.1:{listener.server_address[1]}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Handler.state
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


_ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("POST", r"/crm/v3/objects/(contacts|calls)/batch/read", Account.read),
    ("POST", r"/crm/v3/objects/(contacts|calls)/batch/upsert", Account.upsert),
    ("POST", r"/crm/v3/objects/(contacts|calls)/search", Account.search),
    ("PATCH", r"/crm/v3/objects/(contacts|calls)/(\d+)", Account.update),
    ("PUT", r"/crm/v4/objects/calls/(\d+)/associations/default/contacts/(\d+)", Account.associate),
    ("GET", r"/crm/v3/properties/(contacts|calls)", Account.properties),
    ("POST", r"/crm/v3/properties/(contacts|calls)", Account.make_property),
    ("POST", r"/crm/v3/properties/(contacts|calls)/groups", Account.make_group),
]


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    state: HubSpotServer

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a test reads `asked`."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.state.lock:
            self.state.asked.append(f"{self.command} {path}")
            fault = self.state.next_fault(path)
            status, body = (0, {}) if fault and not fault.after else self._answer(path, content)
        if fault is None:
            self._send(status, {}, json.dumps(body).encode())
            return
        time.sleep(fault.seconds)
        if fault.status is None:
            self.close_connection = True
            return
        self._send(fault.status, fault.headers, fault.body)

    def _answer(self, path: str, content: bytes) -> Answer:
        """What HubSpot answers."""
        try:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise RefusalError(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
            if path == "/crm/v3/owners/" and self.command == "GET":
                return self.state.account.owner(parse_qs(urlsplit(self.path).query)["email"][0])
            for method, pattern, carry_out in _ROUTES:
                found = re.fullmatch(pattern, path)
                if found and method == self.command:
                    return carry_out(self.state.account, *found.groups(), *self._body(content))
            raise RefusalError(404, "NOT_FOUND", "The requested resource could not be found")
        except RefusalError as refusal:
            return refusal.answer

    def _body(self, content: bytes) -> list[Any]:
        """The JSON of the request, if it is of a kind that has one."""
        if self.command in {"GET", "PUT"}:
            return []
        if "application/json" not in self.headers.get("Content-Type", ""):
            raise RefusalError(415, "VALIDATION_ERROR", "Unsupported media type")
        try:
            return [json.loads(content)]
        except ValueError:
            raise RefusalError(400, "VALIDATION_ERROR", "Invalid input JSON") from None

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json;charset=utf-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        with suppress(ConnectionError):  # Who has given up waiting hears nothing.
            self.end_headers()
            self.wfile.write(body)
