"""The API as a process: what only its server decides."""

from __future__ import annotations

import http.client
import time
from contextlib import closing
from pathlib import Path

import pytest

from aila_pipeline_tests.api.process import an_api


@pytest.mark.slow
def test_a_client_that_polls_every_few_seconds_keeps_its_connection(home: Path) -> None:
    """Contract B advises 5 to 10 s between two polls."""
    with an_api(home) as api, closing(http.client.HTTPConnection("127.0.0.1", api.port, timeout=30)) as connection:
        for pause_seconds in (0.0, 11.0):
            time.sleep(pause_seconds)
            # Raises RemoteDisconnected when the server has closed it.
            connection.request("GET", "/healthz")
            assert connection.getresponse().read() == b'{"status":"ok"}'
