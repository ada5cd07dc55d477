"""The stack, with real processes: ready, restarted, stopped, and nothing left of it however it ends.

Lives here: what `aila up` promises about processes. Does not: Dagster's configuration (test_dagster_home.py).
"""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import pytest

from aila_pipeline.adapters.dagster_client import DagsterClient
from aila_pipeline.adapters.directory_files import TEMPORARY
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.process_output import healthy
from aila_pipeline.errors import DagsterUnavailable, HomeInUse, PortTaken
from aila_pipeline.settings import Settings
from aila_pipeline.stack import Stack
from aila_pipeline_tests.sleeping_definitions import SECONDS_TAG
from aila_pipeline_tests.stack_runner import SLEEPING

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
LONG_NAP = {SECONDS_TAG: "600"}


T = TypeVar("T")


def wait_for(what: Callable[[], T], seconds: float = 120.0) -> T:
    """What `what` gives once that is true; a Dagster that does not answer counts as not yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := what():
                return found
        except DagsterUnavailable:
            pass
        time.sleep(0.1)
    pytest.fail(f"not within {seconds} s")


def processes_of(home: Path) -> list[str]:
    """The command lines of all live processes whose environment names the home."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.fsencode(home) in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found


def worker_of(stack: Stack) -> int:
    """The one run's process, once that of an earlier run, which has told its end already, has gone too."""
    wait_for(lambda: len(stack.run_pids()) == 1)
    return stack.run_pids()[0]


def upload_url(ledger: Ledger, api_url: str) -> str:
    """Where a CSV may be PUT."""
    tenant = ledger.tenants.ensure("kz", "acme")
    user_id = ledger.tenants.ensure_user(tenant, "ops@acme.example")
    key = ledger.keys.create(tenant, user_id, now=datetime.now(UTC))
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client:
        names = {"metadata_filename": "a.csv", "audios_filename": "a.zip"}
        return str(client.post(f"{api_url}/v1/calls/upload", json=names).json()["metadata_upload_url"])


def start_runner(home: Path, *arguments: str, shell: str | None = None) -> subprocess.Popen[str]:
    """A supervisor in a process of its own; `shell`: a script that starts it as `"$@"`."""
    command = [sys.executable, "-m", "aila_pipeline_tests.stack_runner", str(home), *(arguments or ("0",))]
    if shell is not None:
        command = ["sh", "-c", shell, "sh", *command]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def url_of(runner: subprocess.Popen[str]) -> str:
    """Waits for the runner's ready line and gives the URL in it."""
    assert runner.stdout is not None
    line = runner.stdout.readline()
    match = re.fullmatch(r"ready dagster=(http://127\.0\.0\.1:\d+)\n", line)
    assert match, f"{line!r} {runner.stderr.read() if runner.stderr else ''}"
    return match[1]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that the tests of this module share; each leaves it running well."""
    home = tmp_path_factory.mktemp("home")
    ledger = Ledger(Settings(home=home).ledger_url)
    with Stack(Settings(home=home), api_port=0, dagster_port=0, module=SLEEPING, prepare=ledger.migrate) as running:
        ledger.close()
        yield running
    assert processes_of(home) == []


@pytest.fixture
def client(stack: Stack) -> DagsterClient:
    return DagsterClient(stack.dagster_url)


@pytest.mark.slow
def test_a_ready_stack_runs_a_job(stack: Stack, client: DagsterClient) -> None:
    """Ready means: four processes, an API that answers, and a run that is launched now goes through."""
    assert set(stack.pids()) == {"code-server", "webserver", "daemon", "api"}
    assert stack.api_url is not None
    assert healthy(stack.api_url)
    run = client.launch("take_nap")
    wait_for(lambda: client.run_status(run) == "SUCCESS")


@pytest.mark.slow
def test_a_second_stack_on_the_home_is_refused(stack: Stack, tmp_path: Path) -> None:
    """The refusal names the process that holds the home."""
    home = Path(stack._settings.home)
    with pytest.raises(HomeInUse, match=f"process {os.getpid()} holds .*up.lock"):
        Stack(Settings(home=home), dagster_port=0, module=SLEEPING).start()


@pytest.mark.slow
@linux
def test_a_killed_run_worker_fails_its_run_within_seconds(stack: Stack, client: DagsterClient) -> None:
    run = client.launch("take_nap", tags=LONG_NAP)
    wait_for(lambda: client.run_status(run) == "STARTED")
    worker = worker_of(stack)
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: client.run_status(run) == "FAILURE", 30)


@pytest.mark.slow
@linux
def test_a_killed_code_server_takes_its_runs_along_and_comes_back(stack: Stack, client: DagsterClient) -> None:
    """The run in flight ends as failed instead of being under way for ever, and the next one works."""
    run = client.launch("take_nap", tags=LONG_NAP)
    wait_for(lambda: client.run_status(run) == "STARTED")
    worker = worker_of(stack)
    server = stack.pids()["code-server"]
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: client.run_status(run) == "FAILURE")
    assert not Path(f"/proc/{worker}").exists()
    wait_for(lambda: client.health().location_loaded and stack.pids().get("code-server", server) != server)
    # The web server may take its old connection to the code server for a good one a moment longer.
    again = wait_for(lambda: client.launch("take_nap"))
    wait_for(lambda: client.run_status(again) == "SUCCESS")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["webserver", "daemon"])
def test_a_killed_child_comes_back(stack: Stack, client: DagsterClient, name: str) -> None:
    """On the same port, and with heartbeats of its own."""
    before, since = stack.pids()[name], time.time()
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: stack.pids().get(name, before) != before)
    wait_for(lambda: not client.health().silent_daemons(since if name == "daemon" else 0))


@pytest.mark.slow
def test_a_killed_api_comes_back_where_it_was(stack: Stack) -> None:
    assert stack.api_url is not None
    before = stack.pids()["api"]
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: stack.pids().get("api", before) != before)
    wait_for(lambda: healthy(str(stack.api_url)))


@pytest.mark.slow
def test_a_request_in_flight_is_answered_before_dagster_goes(tmp_path: Path) -> None:
    """Half of a file has been sent when the stack is told to stop; it takes the other half, and says so."""
    settings = Settings(home=tmp_path)
    ledger = Ledger(settings.ledger_url)
    with Stack(settings, api_port=0, dagster_port=0, module=SLEEPING, prepare=ledger.migrate) as stack:
        url = urlsplit(upload_url(ledger, str(stack.api_url)))
        ledger.close()
        connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=30)
        connection.putrequest("PUT", url.path)
        connection.putheader("Content-Type", "text/csv")
        connection.putheader("Content-Length", "20")
        connection.endheaders(b"0123456789")
        wait_for(lambda: any(path.name.startswith(TEMPORARY) for path in tmp_path.rglob("*")))
        stopping = threading.Thread(target=stack.stop)
        stopping.start()
        time.sleep(1.0)
        assert set(stack.pids()) == {"code-server", "webserver", "daemon", "api"}
        connection.send(b"0123456789")
        assert connection.getresponse().status == 200
        connection.close()
        stopping.join()
        assert stack.pids() == {}


@pytest.mark.slow
@linux
def test_ctrl_c_of_a_background_job_stops_everything(tmp_path: Path) -> None:
    """A shell's `&` ignores SIGINT for its jobs. The run in flight is told of, and ended too."""
    runner = start_runner(tmp_path, shell='"$@" & echo $! >&2; wait $!')
    assert runner.stderr is not None
    supervisor = int(runner.stderr.readline())
    client = DagsterClient(url_of(runner))
    run = client.launch("take_nap", tags=LONG_NAP)
    wait_for(lambda: client.run_status(run) == "STARTED")
    os.kill(supervisor, signal.SIGINT)
    _, told = runner.communicate(timeout=60)
    assert runner.returncode == 0
    assert told == "1 run in flight: stopped, the work goes on after the next `aila up`\n"
    assert processes_of(tmp_path) == []


@pytest.mark.slow
@linux
def test_nothing_outlives_a_killed_supervisor_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    """kill -9 leaves no process; the run that it cut off is failed at the next start."""
    runner = start_runner(tmp_path)
    client = DagsterClient(url_of(runner))
    run = client.launch("take_nap", tags=LONG_NAP)
    wait_for(lambda: client.run_status(run) == "STARTED")
    runner.kill()
    runner.communicate(timeout=10)
    wait_for(lambda: processes_of(tmp_path) == [], 10)

    following = start_runner(tmp_path)
    assert DagsterClient(url_of(following)).run_status(run) == "FAILURE"
    following.terminate()
    assert following.wait(60) == 0
    following.communicate()


@pytest.mark.slow
@linux
def test_a_stop_during_the_start_is_obeyed(tmp_path: Path) -> None:
    runner = start_runner(tmp_path)
    wait_for(lambda: any("dagster api" in command for command in processes_of(tmp_path)))
    runner.terminate()
    told, errors = runner.communicate(timeout=60)
    assert (runner.returncode, told, errors) == (0, "", "")
    assert processes_of(tmp_path) == []


@pytest.mark.slow
@linux
def test_definitions_that_cannot_be_loaded_are_told_in_one_line(tmp_path: Path) -> None:
    runner = start_runner(tmp_path, "0", "aila_pipeline_tests.no_such_definitions")
    told, errors = runner.communicate(timeout=60)
    assert (runner.returncode, told) == (1, "")
    assert errors.startswith("error: Dagster cannot load the definitions: aila_pipeline_tests.no_such_definitions: ")
    assert "ModuleNotFoundError: No module named 'aila_pipeline_tests.no_such_definitions'" in errors
    assert errors.count("\n") == 1
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize(("option", "taken"), [("--port", "api_port"), ("--dagster-port", "dagster_port")])
def test_a_taken_port_is_named_with_its_option(tmp_path: Path, option: str, taken: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ports = {"api_port": 0, "dagster_port": 0, taken: port}
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{port} \({option}\)"):
            Stack(Settings(home=tmp_path), module=SLEEPING, **ports).start()


def test_a_failed_preparation_frees_the_home(tmp_path: Path) -> None:
    """After a migration that failed, nothing runs and the home can be used again."""

    def fail() -> None:
        raise ValueError("no such table")

    for _ in range(2):
        with pytest.raises(ValueError, match="no such table"):
            Stack(Settings(home=tmp_path), dagster_port=0, module=SLEEPING, prepare=fail).start()
