"""How fast the API answers with a million calls in the ledger, against a bare FastAPI echo in the same run.

    .venv/bin/python -m tools.measurements.api_speed                              SQLite
    tools/services/run .venv/bin/python -m tools.measurements.api_speed --postgres

Polls and echoes take turns, so that what else the machine does slows both. Looking whether audio URLs answer is off.

Lives here: the servers, the clock, the table. Does not: the ledger's content (ledger_of_calls.py).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ports import free_ports
from aila_pipeline.domain.models import TenantSettings
from aila_pipeline_tests.services import fresh_database
from tools.measurements.ledger_of_calls import Filled, fill

START_SECONDS = 60.0
WARM_UP = 50
SETTLED_SECONDS = 8.0
"""By then the API has loaded what it loads behind the first requests; what is measured is a server that has been up."""
PAGE = 100


class Connection:
    """One kept-alive connection to one server."""

    def __init__(self, port: int, key: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[float, bytes]:
        """Milliseconds until the whole answer is here, and the answer; anything but a 200 ends the measurement."""
        began = time.perf_counter()
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        took = (time.perf_counter() - began) * 1000
        if response.status != 200:
            raise SystemExit(f"{method} {path}: {response.status} {answer[:300]!r}")
        return took, answer


@contextmanager
def served(module: str, *arguments: str, environment: dict[str, str], port: int) -> Iterator[None]:
    """A server in a process of its own, once it accepts connections."""
    # The log of every request is part of what is measured, but not of what a person wants to read here.
    log = (Path(environment["AILA_HOME"]) / f"{module}.log").open("wb")
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{module} does not start") from None
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()
        log.close()


def take_turns(rounds: int, **asks: Callable[[], tuple[float, bytes]]) -> dict[str, list[float]]:
    """Each of the requests in turn, so many times after a warm-up; milliseconds by name."""
    taken: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(WARM_UP + rounds):
        for name, ask in asks.items():
            milliseconds, _ = ask()
            if number >= WARM_UP:
                taken[name].append(milliseconds)
    return taken


def p95(values: list[float]) -> float:
    """What 95 of 100 stay below."""
    return statistics.quantiles(values, n=20)[-1]


def a_list(serial: int) -> bytes:
    """A submission of a hundred calls that nobody has sent before."""
    calls = [
        {
            "external_id": f"speed-{os.getpid()}-{serial}-{number}",
            "audio_url": f"https://recordings.example.com/{serial}/{number}.mp3",
            "user_email": "agent@example.com",
            "contact_phone": "+15551234567",
            "call_date": "2025-01-15T14:30:00Z",
            "direction": "inbound",
            "duration": 350,
            "metadata": {"campaign": "Q1 2025"},
        }
        for number in range(100)
    ]
    return json.dumps({"calls": calls}).encode()


def polls(console: Console, api: Connection, echo: Connection, filled: Filled, rounds: int) -> None:
    """Status polls of batches of 100 calls, ended and open."""
    path = "/v1/calls/batch-upload/"
    ended, still_open = cycle(filled.ended), cycle(filled.open)
    document = api.ask("GET", path + filled.ended[0])[1]
    taken = take_turns(
        rounds,
        echo=lambda: echo.ask("GET", "/echo?text=hello"),
        echo_of_it=lambda: echo.ask("POST", "/echo", document),
        ended=lambda: api.ask("GET", path + next(ended)),
        open=lambda: api.ask("GET", path + next(still_open)),
    )
    table = Table("request", "median ms", "p95 ms", "p95 / echo's", "p95 / echo of the same")
    names = {"echo": "bare echo", "echo_of_it": f"echo of the same {len(document) / 1000:.0f} KB"}
    names |= {"ended": "status of an ended batch", "open": "status of an open batch"}
    for key, values in taken.items():
        ratios = [f"{p95(values) / p95(taken[base]):.2f}" for base in ("echo", "echo_of_it")]
        table.add_row(names[key], f"{statistics.median(values):.2f}", f"{p95(values):.2f}", *ratios)
    console.print(table)


def submissions(console: Console, port: int, key: str, rounds: int) -> None:
    """Lists of a hundred calls: one after the other, then by four clients at once."""
    connection = Connection(port, key)
    alone = [connection.ask("POST", "/v1/calls/batch-upload", a_list(serial))[0] for serial in range(rounds)]
    console.print(
        f"submit 100 calls: median {statistics.median(alone):.1f} ms, p95 {p95(alone):.1f} ms, {rounds} in a row"
    )
    together: list[float] = []

    def client(number: int) -> None:
        own = Connection(port, key)
        serials = range((number + 1) * 1_000_000, (number + 1) * 1_000_000 + rounds // 4)
        together.extend(own.ask("POST", "/v1/calls/batch-upload", a_list(serial))[0] for serial in serials)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    console.print(
        f"four clients at once: {len(together) / took:.1f} submissions, {len(together) * 100 / took:.0f} calls a second"
    )


def pages(console: Console, api: Connection) -> None:
    """Every page of the calls list, from the newest call to the oldest; the first and the last hundred compared."""
    table = Table("calls list", "pages", "first 100: median ms", "last 100: median ms", "last / first")
    for name, query in (("all", ""), ("status=completed", "&status=completed"), ("status=failed", "&status=failed")):
        taken: list[float] = []
        cursor = ""
        while True:
            took, answer = api.ask("GET", f"/api/v1/calls?limit={PAGE}{query}{cursor}")
            taken.append(took)
            following = json.loads(answer)["data"]["next_cursor"]
            if following is None:
                break
            cursor = f"&cursor={following}"
        first, last = statistics.median(taken[:100]), statistics.median(taken[-101:-1])
        table.add_row(name, f"{len(taken):,}", f"{first:.2f}", f"{last:.2f}", f"{last / first:.2f}")
    console.print(table)


def prepared(console: Console, ledger: Ledger, count: int) -> tuple[Filled, str]:
    """A filled ledger and a key to it."""
    ledger.migrate()
    tenant = ledger.tenants.ensure("kz", "acme")
    wide = TenantSettings(batches_per_hour=10**6, calls_per_hour=10**8, concurrent_batches=10**6)
    tenant = ledger.tenants.change_settings(tenant, wide)
    user_id = ledger.tenants.ensure_user(tenant, "ops@acme.example")
    began = time.perf_counter()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"writing {count:,} calls", total=count)
        filled = fill(ledger, tenant, user_id, count, lambda done: progress.update(task, completed=done))
    console.print(f"{count:,} calls written to {ledger.database.engine.name} in {time.perf_counter() - began:.0f} s")
    return filled, ledger.keys.create(tenant, user_id, now=datetime.now(UTC))


def main() -> None:
    """Fill, serve, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1_000, help="polls of each kind")
    parser.add_argument("--submissions", type=int, default=100)
    parser.add_argument("--postgres", action="store_true", help="below tools/services/run")
    chosen = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="aila-api-speed-") as home, ExitStack() as stack:
        url = stack.enter_context(fresh_database()) if chosen.postgres else f"sqlite:///{Path(home) / 'ledger.db'}"
        ledger = Ledger(url)
        filled, key = prepared(console, ledger, chosen.calls)
        ledger.close()
        ports = free_ports("127.0.0.1", {"api": 0, "echo": 0, "nobody": 0})
        port, echo_port = ports["api"], ports["echo"]
        environment = {"AILA_HOME": home, "AILA_DATABASE_URL": url, "AILA_PROBE_SECONDS": "0"}
        environment["AILA_DAGSTER_URL"] = f"http://127.0.0.1:{ports['nobody']}"
        stack.enter_context(served("aila_pipeline.api", "--port", str(port), environment=environment, port=port))
        stack.enter_context(
            served("tools.measurements.echo_app", str(echo_port), environment=environment, port=echo_port)
        )
        time.sleep(SETTLED_SECONDS)
        api = Connection(port, key)
        polls(console, api, Connection(echo_port), filled, chosen.rounds)
        submissions(console, port, key, chosen.submissions)
        # A new connection: nobody has asked over the other one for longer than the server keeps it open.
        pages(console, Connection(port, key))


if __name__ == "__main__":
    main()
