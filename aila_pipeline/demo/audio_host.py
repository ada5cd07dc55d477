"""Audio host: the web server of an imaginary firm, from which the demo's calls are downloaded.

Lives here: serving the sample recordings on this machine alone. Does not: anything that another program should use.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aila_pipeline.demo import SAMPLES

_HOST = "127.0.0.1"


@contextmanager
def audio_host() -> Iterator[str]:
    """Serves each sample at `/<file name>`, and nothing else; gives the `host:port` where it does."""
    with _Server((_HOST, 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="audio-host")
        thread.start()
        try:
            yield f"{_HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who only looks whether a file is there hangs up early; that is not worth a stack trace."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """One sample as a whole."""
        path = _files().get(self.path)
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = path.read_bytes()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the demo's own lines are what a person reads."""


def _files() -> dict[str, Path]:
    """By what they are asked for; whatever else a path says leads nowhere."""
    return {f"/{path.name}": path for path in SAMPLES.iterdir() if path.suffix != ".json"}
