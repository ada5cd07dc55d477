"""The contract's own client programs, as its page prints them: only host and audio URL are filled in.

Lives here: filling in, running, what they printed. Does not: the programs (printed/), tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PRINTED = Path(__file__).parent / "printed"
_HOST, _AUDIO = "https://api.aila.com", "https://example.com/call1.mp3"
PATIENCE_SECONDS = 300


def run_python(folder: Path, *, api: str, audio_url: str, key: str) -> list[str]:
    """Run the page's Python program with `requests`; its lines."""
    program = _filled("batch_upload.py.txt", folder / "batch_upload.py", api, audio_url)
    return _run([sys.executable, str(program)], key, {})


def run_node(folder: Path, *, api: str, audio_url: str, key: str) -> list[str]:
    """Run the page's JavaScript program with Node and node-fetch; its lines."""
    program = _filled("batch_upload.js.txt", folder / "batch_upload.js", api, audio_url)
    modules = os.environ.get("AILA_TEST_NODE_PATH")
    assert modules, "AILA_TEST_NODE_PATH is not set: run this below `tools/services/run`"
    return _run(["node", str(program)], key, {"NODE_PATH": modules})


@contextmanager
def audio_host(files: Mapping[str, bytes]) -> Iterator[str]:
    """A web server that gives these files by their names; its `host:port`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = files.get(self.path.lstrip("/"))
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="audio-host")
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _filled(name: str, path: Path, api: str, audio_url: str) -> Path:
    text = (PRINTED / name).read_text("utf-8")
    assert _HOST in text
    assert _AUDIO in text
    path.write_text(text.replace(_HOST, api).replace(_AUDIO, audio_url), "utf-8")
    return path


def _run(command: list[str], key: str, more: Mapping[str, str]) -> list[str]:
    done = subprocess.run(
        command,
        env={**os.environ, **more, "AILA_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
