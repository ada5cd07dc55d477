"""The API as a process of its own, to be asked over a socket and killed.

Lives here: starting, waiting for it, killing. Does not: the app in this process (conftest.py), Dagster.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from aila_pipeline.adapters.ports import free_ports

PATIENCE_SECONDS = 60.0


class ApiProcess:
    """One process on one home and port; `start` again after `kill`."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.port = free_ports("127.0.0.1", {"api": 0})["api"]
        self._environment = {**os.environ, "AILA_HOME": str(home), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.log = home / "api-under-test.log"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "aila_pipeline.api", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, stderr=log, stdout=log)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                httpx.get(f"{self.url}/healthz", timeout=1.0).raise_for_status()
                return
            except httpx.HTTPError:
                ended = self._process.poll()
                assert ended is None, f"the API ended with {ended}: {self.log.read_text()[-2000:]}"
                assert time.monotonic() < deadline, "the API does not answer"
                time.sleep(0.05)

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """End it, by default without a chance to do anything, and wait until it is gone."""
        if self._process is not None:
            self._process.send_signal(signum)
            self._process.wait()
            self._process = None


@contextmanager
def an_api(home: Path, **environment: str) -> Iterator[ApiProcess]:
    """A running API on a home whose ledger is migrated; its log holds no more when the test is over."""
    process = ApiProcess(home, environment)
    process.start()
    try:
        yield process
    finally:
        process.kill(signal.SIGTERM)
