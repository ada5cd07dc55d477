"""A server that answers what a test told it to, in order, and remembers what it was asked.

Lives here: the server. Does not: the API's behaviour; tests against the real one say so.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """`cut`: the connection ends instead, after the request has arrived."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


class Scripted:
    """What it was asked, and what it will answer; with nothing left to answer it says 599."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: deque[Answer] = deque()
        self.url = ""

    def will(self, *answers: Answer) -> None:
        """The next answers, in order."""
        self._answers.extend(answers)

    def next_answer(self) -> Answer:
        """Takes one."""
        return self._answers.popleft() if self._answers else Answer(599)


def data(**fields: Any) -> Answer:
    """Contract A's envelope around these."""
    return Answer(200, json.dumps({"status": "success", "data": fields}).encode())


def refused(status: int, code: str, message: str = "no", details: Any = None, **headers: str) -> Answer:
    """Contract A's envelope of an error; `Retry_After="1"` becomes the header `Retry-After`."""
    error = {"code": code, "message": message, "details": details or {}}
    body = json.dumps({"status": "error", "error": error}).encode()
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


@contextmanager
def scripted() -> Iterator[Scripted]:
    """Serve it on a free port of 127.0.0.1."""
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            script.asked.append(Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body))
            answer = script.next_answer()
            if answer.cut:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
