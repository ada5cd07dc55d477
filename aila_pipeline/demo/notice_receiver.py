"""Notice receiver: the other end of the demo's webhook, as a firm's own program would be.

Lives here: taking messages on this machine alone, and keeping those whose signature is good. Does not: sending
(adapters/webhooks.py); docs/webhooks.md tells people how to receive.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

_HOST = "127.0.0.1"
_LONGEST = 1_000_000


class NoticeReceiver(ThreadingHTTPServer):
    """Keeps each message once, by its id: what comes again is answered as well and counts no more."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.secret: str | None = None
        """`whsec_…`; until it is known, nothing is believed."""
        self.refused = 0
        self._kept: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def place(self) -> str:
        """Its `host:port`."""
        return f"{_HOST}:{self.server_port}"

    @property
    def counts(self) -> Counter[str]:
        """How many messages of each type were kept."""
        with self._lock:
            return Counter(self._kept.values())

    def take(self, body: bytes, headers: dict[str, str]) -> bool:
        """Keep a message if its signature is good."""
        try:
            if self.secret is None:
                raise WebhookVerificationError("no secret yet")
            Webhook(self.secret).verify(body, headers)
            kind = str(json.loads(body)["type"])
        except (WebhookVerificationError, ValueError, KeyError):
            with self._lock:
                self.refused += 1
            return False
        with self._lock:
            self._kept[headers["webhook-id"]] = kind
        return True


@contextmanager
def notice_receiver() -> Iterator[NoticeReceiver]:
    """A receiver that listens while the body runs."""
    with NoticeReceiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="notice-receiver")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: NoticeReceiver

    def do_POST(self) -> None:
        """204 for a message that we believe, 400 for any other."""
        length = min(int(self.headers.get("Content-Length") or 0), _LONGEST)
        believed = self.server.take(
            self.rfile.read(length), {name.lower(): text for name, text in self.headers.items()}
        )
        self.send_response(HTTPStatus.NO_CONTENT if believed else HTTPStatus.BAD_REQUEST)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the demo's own lines are what a person reads."""
