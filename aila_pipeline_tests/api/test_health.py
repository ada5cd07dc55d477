"""`/healthz` and `/readyz`: what answers is told by name, what does not with a reason that gives nothing away."""

from __future__ import annotations

import asyncio
import http.server
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aila_pipeline.adapters.dagster_client import DagsterClient
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.api.readiness import Readiness, State
from aila_pipeline.errors import LedgerUnavailable
from aila_pipeline_tests.api.conftest import NOBODYS_PORT, Site, a_site, settings_for


@contextmanager
def a_dagster(*, loaded: bool = True, heartbeat_age: float = 1.0, pause: float = 0.0) -> Iterator[str]:
    """The URL of a webserver that answers the question for health as Dagster does."""
    content = {"__typename": "RepositoryLocation" if loaded else "PythonError"}
    entry = {"name": "aila_pipeline", "loadStatus": "LOADED", "locationOrLoadError": content}
    daemon = {"daemonType": "SENSOR", "required": True, "lastHeartbeatTime": time.time() - heartbeat_age}
    answer = {
        "instance": {"daemonHealth": {"allDaemonStatuses": [daemon]}},
        "outcome": {"__typename": "Workspace", "locationEntries": [entry]},
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            time.sleep(pause)
            body = json.dumps({"data": answer}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ready(site: Site) -> tuple[int, dict[str, Any]]:
    answer = site.stranger.get("/readyz")
    told: dict[str, Any] = answer.json()
    return answer.status_code, told


def test_a_process_that_lives_answers_without_a_key(site: Site) -> None:
    assert site.stranger.get("/healthz").json() == {"status": "ok"}


def test_all_well_is_ok(home: Path) -> None:
    with a_dagster() as url, a_site(settings_for(home, dagster_url=url)) as site:
        well = {"status": "ok", "ledger": "ok", "store": "ok", "dagster": "ok", "reasons": {}}
        assert ready(site) == (200, well)


def test_without_dagster_it_is_degraded_and_ready_all_the_same(site: Site) -> None:
    """What is submitted meanwhile is launched later."""
    status, told = ready(site)
    assert status == 200
    assert (told["status"], told["dagster"]) == ("degraded", "unreachable")
    assert told["reasons"] == {"dagster": "Dagster does not answer"}


@pytest.mark.parametrize(
    ("dagster", "reason"),
    [
        ({"loaded": False}, "the code location is not loaded"),
        ({"heartbeat_age": 1000.0}, "not heard of: SENSOR"),
    ],
    ids=["location", "daemon"],
)
def test_a_dagster_that_answers_and_does_not_work_is_told(home: Path, dagster: Any, reason: str) -> None:
    with a_dagster(**dagster) as url, a_site(settings_for(home, dagster_url=url)) as site:
        status, told = ready(site)
    assert (status, told["status"], told["dagster"], told["reasons"]) == (
        200,
        "degraded",
        "failed",
        {"dagster": reason},
    )


def test_a_store_that_is_gone_is_not_ready(site: Site, home: Path) -> None:
    site.store.write("one", b"1")
    shutil.rmtree(home / "objects")
    status, told = ready(site)
    assert (status, told["status"], told["store"], told["ledger"]) == (503, "failed", "failed", "ok")
    assert str(home) not in json.dumps(told)


def test_a_ledger_that_is_gone_is_not_ready(site: Site, home: Path) -> None:
    site.ledger.close()
    (home / "ledger.db").unlink()
    (home / "ledger.db").mkdir()
    status, told = ready(site)
    assert (status, told["ledger"]) == (503, "failed")
    assert told["reasons"]["ledger"] == LedgerUnavailable.what
    assert site.stranger.get("/healthz").status_code == 200


def test_no_password_is_told(home: Path) -> None:
    with a_site(settings_for(home, dagster_url="http://ops:hunter2@127.0.0.1:9/secret-path")) as site:
        told = site.stranger.get("/readyz").text
    assert "hunter2" not in told
    assert "secret-path" not in told


def looks(home: Path, store: Any, dagster_url: str = NOBODYS_PORT, *, times: int = 1) -> list[dict[str, State]]:
    """What is told of a home's ledger, this store and this Dagster, asked several times for a tenth of a second."""
    ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
    parts = Readiness(ledger, store, DagsterClient(dagster_url, timeout_seconds=5.0), patience_seconds=0.2)

    async def look() -> list[dict[str, State]]:
        return [await parts.look() for _ in range(times)]

    try:
        return asyncio.run(look())
    finally:
        parts.close()
        ledger.close()


class HangingStore:
    """A store that answers when it is let go, and counts who asks."""

    def __init__(self) -> None:
        self.asked = 0
        self.let_go = threading.Event()

    def exists(self, _key: str) -> bool:
        self.asked += 1
        self.let_go.wait(30)
        return False


def test_parts_are_asked_at_the_same_time_and_not_for_long(home: Path) -> None:
    store = HangingStore()
    begun = time.monotonic()
    with a_dagster(pause=1.0) as url:
        (told,) = looks(home, store, url)
        took = time.monotonic() - begun
        store.let_go.set()
    assert [told[name].state for name in ("ledger", "store", "dagster")] == ["ok", "unreachable", "unreachable"]
    assert told["store"].reason == "no answer within 0.2 s"
    assert took < 0.6


def test_a_part_that_hangs_holds_one_thread(home: Path) -> None:
    """However often it is asked about: probes come every few seconds, for as long as it hangs."""
    store = HangingStore()
    found = looks(home, store, times=5)
    store.let_go.set()
    assert [(each["store"].state, each["ledger"].state) for each in found] == [("unreachable", "ok")] * 5
    assert store.asked == 1


def test_what_nobody_thought_of_is_told_by_its_type(home: Path) -> None:
    class Strange:
        def exists(self, _key: str) -> bool:
            raise RuntimeError("s3://key:secret@bucket")

    (told,) = looks(home, Strange())
    assert told["store"] == State("failed", "RuntimeError")


def test_an_empty_store_is_ready(tmp_path: Path) -> None:
    """A fresh home has no objects yet, not even a directory for them."""
    store: ObjectStore = open_store(f"file://{tmp_path / 'objects'}")
    assert store.exists("_aila/readiness") is False
