"""docs/crm.md: the adapter printed there works as it is, against a CRM over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from aila_pipeline.adapters.crm import CALL, CONTACT, Crm
from aila_pipeline.errors import DeliveryFailed, DeliveryRefused
from aila_pipeline_tests.adapters.test_crm_hubspot import Kept, a_call

DOCS = Path(__file__).parents[2] / "docs" / "crm.md"


class SimpleCrm(BaseHTTPRequestHandler):
    """Takes records under the sender's ids, or answers `status`."""

    records: dict[str, Any]
    status: int

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == "Bearer secret"
        if self.status == 200:
            self.records[self.path] = body
        self.send_response(self.status)
        answer = json.dumps({"id": self.path.rsplit("/", 1)[1]}).encode()
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@contextmanager
def printed_adapter() -> Iterator[tuple[Crm, type[SimpleCrm]]]:
    """The adapter as docs/crm.md prints it, and the server that it speaks to."""

    class Handler(SimpleCrm):
        records: dict[str, Any] = {}  # noqa: RUF012 - one server
        status = 200

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    printed = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert len(printed) == 1
    names: dict[str, Any] = {}
    exec(printed[0], names)
    adapter = names["Simple"]("secret", f"http://127.0.0.1:{listener.server_address[1]}")
    try:
        yield adapter, Handler
    finally:
        adapter._http.close()
        listener.shutdown()
        listener.server_close()


def test_the_printed_adapter_holds_what_the_page_asks_of_one() -> None:
    with printed_adapter() as (crm, server):
        kept = Kept()
        assert crm.sync(a_call(), {}, kept.remember) == kept == {CONTACT: "con_1", CALL: "aila_1"}
        before = dict(server.records)
        crm.sync(a_call(), kept, kept.remember)
        assert server.records == before
        assert server.records["/calls/aila_1"]["person"] == "con_1"


@pytest.mark.parametrize(("status", "error"), [(404, DeliveryRefused), (503, DeliveryFailed), (429, DeliveryFailed)])
def test_the_printed_adapter_tells_what_passes_from_what_does_not(status: int, error: type[Exception]) -> None:
    with printed_adapter() as (crm, server):
        server.status = status
        with pytest.raises(error):
            crm.sync(a_call(), {}, Kept().remember)
