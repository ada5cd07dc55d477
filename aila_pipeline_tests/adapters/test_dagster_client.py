"""The GraphQL client against a real webserver, and against servers that misbehave.

Lives here: what the client promises. Does not: what Dagster makes of a run (test_stack.py).
"""

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aila_pipeline.adapters.dagster_client import DagsterClient, Health
from aila_pipeline.errors import DagsterUnavailable, SettingInvalid
from aila_pipeline.settings import Settings
from aila_pipeline.stack import Stack

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@contextmanager
def a_server(answer: Answer) -> Iterator[str]:
    """The URL of an HTTP server that answers every POST this way."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self)

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def says(status: int, body: bytes) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterClient]:
    """The client of a Dagster that runs the sleeping definitions."""
    home = tmp_path_factory.mktemp("home")
    module = "aila_pipeline_tests.sleeping_definitions"
    with Stack(Settings(home=Path(home)), dagster_port=0, module=module) as stack:
        yield DagsterClient(stack.dagster_url)


@pytest.mark.slow
def test_a_partition_is_added_once_and_can_be_launched(client: DagsterClient) -> None:
    """Adding it again is no error; the run is of this partition and carries the tags."""
    assert client.add_partition("naps", "noon") is True
    assert client.add_partition("naps", "noon") is False
    run = client.launch("take_nap_of", "noon", {"aila/priority": "live"})
    deadline = time.monotonic() + 120
    while (status := client.run_status(run)) not in {"SUCCESS", "FAILURE"} and time.monotonic() < deadline:
        time.sleep(0.2)
    assert status == "SUCCESS"
    assert client.run_url(run) == f"{client.url}/runs/{run}"


@pytest.mark.slow
def test_a_run_nobody_knows_has_no_status(client: DagsterClient) -> None:
    assert client.run_status("00000000-0000-0000-0000-000000000000") is None


@pytest.mark.slow
def test_a_job_that_is_not_loaded_is_refused_by_name(client: DagsterClient) -> None:
    with pytest.raises(DagsterUnavailable, match=r"PipelineNotFoundError: .*no_such_job"):
        client.launch("no_such_job")


@pytest.mark.slow
def test_a_set_of_partitions_that_does_not_exist_is_refused(client: DagsterClient) -> None:
    with pytest.raises(DagsterUnavailable, match="does not contain a dynamic partitions definition"):
        client.add_partition("no_such_partitions", "noon")


@pytest.mark.slow
def test_a_running_dagster_is_healthy(client: DagsterClient) -> None:
    health = client.health()
    assert {"SENSOR", "SCHEDULER", "QUEUED_RUN_COORDINATOR", "BACKFILL", "MONITORING"} == set(health.daemons)
    assert health.silent_daemons(time.time() - 120) == ()
    assert (health.location_loaded, health.location_error) == (True, None)


def test_a_daemon_is_silent_when_its_last_heartbeat_is_older_or_was_never_heard() -> None:
    health = Health({"SENSOR": 100.0, "SCHEDULER": 50.0, "BACKFILL": None}, location_loaded=True, location_error=None)
    assert health.silent_daemons(since=75.0) == ("BACKFILL", "SCHEDULER")


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (502, b"<html>Bad gateway</html>", "JSONDecodeError"),
        (200, b"[]", "HTTP 200"),
        (500, b"{}", "HTTP 500"),
        (400, b'{"errors": [{"message": "Cannot query field"}]}', "Cannot query field"),
    ],
)
def test_an_answer_that_is_not_graphqls_is_told_as_unavailable(status: int, body: bytes, told: str) -> None:
    with a_server(says(status, body)) as url, pytest.raises(DagsterUnavailable, match=told):
        DagsterClient(url).run_status("x")


def test_a_server_that_does_not_answer_costs_the_timeout_at_most() -> None:
    with a_server(lambda _: time.sleep(2)) as url:
        begun = time.monotonic()
        with pytest.raises(DagsterUnavailable, match="TimeoutError"):
            DagsterClient(url, timeout_seconds=0.2).launch("take_nap")
        assert time.monotonic() - begun < 1.5


def test_nobody_there_is_told_as_unavailable() -> None:
    with pytest.raises(DagsterUnavailable, match="ConnectionRefusedError"):
        DagsterClient("http://127.0.0.1:1").health()


@pytest.mark.parametrize("url", ["localhost:3000", "file:///etc/passwd", "http://", ""])
def test_only_http_urls_are_taken(url: str) -> None:
    with pytest.raises(SettingInvalid, match="AILA_DAGSTER_URL"):
        DagsterClient(url)
