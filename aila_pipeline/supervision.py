"""Supervision: Dagster's three processes and the API brought up, watched and brought down, in the right order.

Lives here: what starts after what, restarts and when they end, what becomes of runs. Does not: the lock, signals and
the thread around it (stack.py), or how one process is started and ended (adapters/processes.py).
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping

from aila_pipeline.adapters.dagster_client import CODE_LOCATION, DagsterClient
from aila_pipeline.adapters.parent_watch import (
    START_AFTER_VARIABLE,
    SUPERVISED_VARIABLE,
    SUPERVISOR_VARIABLE,
    listens,
)
from aila_pipeline.adapters.process_output import healthy, last_line, why_not_loaded
from aila_pipeline.adapters.processes import STACK_VARIABLE, Child, stack_members
from aila_pipeline.dagster_home import code_socket, dagster_environment, storage_url, workspace_file
from aila_pipeline.errors import DagsterUnavailable, DefinitionsBroken, ProcessFailed
from aila_pipeline.settings import Settings

_WATCH_SECONDS = 0.25
_START_SECONDS = 180.0
"""Within this the code server has to listen, and then webserver and daemon have to answer."""
_QUICK_DEATH_SECONDS = 30.0
"""A child that lived longer than this starts with a clean slate."""
_MAX_QUICK_DEATHS = 5
_DAEMON_GRACE_SECONDS = 5.0
_RUN_GRACE_SECONDS = 10.0
_SERVER_GRACE_SECONDS = 1.0
"""Neither of Dagster's two servers has anything left to save by then."""
_API_GRACE_SECONDS = 6.0
"""The API itself gives the requests in flight five."""


class Supervision:
    """The children of one stack. All methods but `pids` and `run_pids` belong to one and the same thread.

    Args:
        settings: whose Dagster home has been written.
        url: where the webserver shall answer, on a port that is free.
        api_url: where the API shall answer, likewise; None: there is none.
        module: the definitions' module.
        env: variables for the children on top of this process's own.
        tell: where lines for a person go.
        stop: set from outside to end `bring_up` and `watch` early.
        hurry: set from outside to end `bring_down` without waiting for anybody.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        url: str,
        api_url: str | None,
        module: str,
        env: Mapping[str, str],
        tell: Callable[[str], None],
        stop: threading.Event,
        hurry: threading.Event,
    ) -> None:
        self._settings, self._module, self._tell = settings, module, tell
        self._url, self._api_url = url, api_url
        self._stop, self._hurry = stop, hurry
        self._socket = code_socket(settings)
        home = settings.home.absolute()
        self._logs = home / "logs"
        self._mark = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
        self._environment = {
            **os.environ,
            **dagster_environment(settings),
            **env,
            "AILA_HOME": str(home),
            "AILA_DAGSTER_URL": url,
            SUPERVISED_VARIABLE: "1",
            SUPERVISOR_VARIABLE: str(os.getpid()),
            STACK_VARIABLE: f"{self._mark}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
        }
        workspace = ["-w", str(workspace_file(settings))]
        grpc = ["api", "grpc", "--socket", str(self._socket), "--module-name", module]
        # Whoever reads the workspace before the code server listens waits a minute until it looks again.
        after = {START_AFTER_VARIABLE: str(self._socket)}
        host, port = _place(url)
        self._server = self._child("code-server", "dagster", *grpc, "--location-name", CODE_LOCATION)
        self._web = self._child("webserver", "dagster-webserver", "-h", host, "-p", port, *workspace, env=after)
        self._daemon = self._child("daemon", "dagster-daemon", "run", *workspace, env=after)
        self._api: Child | None = None
        if api_url is not None:
            host, port = _place(api_url)
            self._api = self._child("api", "aila_pipeline.api", "--host", host, "--port", port)
        self._children = tuple(child for child in (self._server, self._web, self._daemon, self._api) if child)

    def pids(self) -> dict[str, int]:
        """The process ids of `code-server`, `webserver`, `daemon` and `api`, as far as they run."""
        return {child.name: pid for child in self._children if (pid := child.pid) is not None}

    def run_pids(self) -> list[int]:
        """The process ids of the runs in flight (Linux; elsewhere none are known)."""
        return self._server.workers()

    def bring_up(self) -> None:
        """Starts everything; returns when Dagster and the API answer, or when `stop` was set.

        Raises:
            DefinitionsBroken: the module cannot be loaded.
            ProcessFailed: a process does not start, or does not answer in time.
        """
        for pid in stack_members(f"{self._mark}-"):
            # Left by a stack that was killed with -9, where nothing ends a process together with its parent.
            os.kill(pid, signal.SIGKILL)
        since = time.time()
        janitor = self._start_janitor() if self._has_storage() else None
        if janitor is not None and storage_url(self._settings) is not None:
            # On a fresh PostgreSQL it makes Dagster's tables; two processes that do so at once fail (seen once in two).
            self._await_janitor(janitor)
            janitor = None
        self._socket.unlink(missing_ok=True)
        self._server.start(self._environment)
        self._web.start(self._environment)
        if janitor is not None:
            self._await_janitor(janitor)
        # Only now may runs be launched: the janitor would have taken a new one for a lost one.
        for child in (self._daemon, self._api):
            if child is not None:
                child.start(self._environment)
        self._await_code_server()
        self._await_dagster(since)
        self._await_api()

    def watch(self) -> None:
        """Keeps the children running until `stop` is set.

        Raises:
            ProcessFailed: one of them ends again and again.
        """
        while not self._stop.wait(_WATCH_SECONDS):
            for child in self._children:
                child.rotate_log()
                if child.pid is None:
                    self._revive(child)

    def bring_down(self) -> None:
        """Ends everything: who may launch a run first, then the runs, so that they can report it, then who has them.

        The API goes before Dagster, so that a request in flight still finds it.
        """
        if self._api is not None:
            self._end(self._api, _API_GRACE_SECONDS)
        for child in (self._daemon, self._web):
            child.send(signal.SIGTERM)
        self._wait_until(lambda: self._daemon.pid is None, _DAEMON_GRACE_SECONDS)
        self._daemon.kill_session()
        if runs := self._server.workers():
            plural = "runs" if len(runs) > 1 else "run"
            self._tell(f"{len(runs)} {plural} in flight: stopped, the work goes on after the next `aila up`")
            self._server.send_to_workers(signal.SIGTERM)
            self._wait_until(lambda: not self._server.workers(), _RUN_GRACE_SECONDS)
        # A code server waits for its runs before it ends, however long they take; so it comes after them.
        self._server.send(signal.SIGTERM)
        self._wait_until(lambda: self._server.pid is None and self._web.pid is None, _SERVER_GRACE_SECONDS)
        for child in (self._server, self._web):
            child.kill_session()
        self._socket.unlink(missing_ok=True)

    def _end(self, child: Child, grace_seconds: float) -> None:
        child.send(signal.SIGTERM)
        self._wait_until(lambda: child.pid is None, grace_seconds)
        child.kill_session()

    def _child(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> Child:
        return Child(name, arguments, self._logs / f"{name}.log", env or {})

    def _has_storage(self) -> bool:
        """False at the very first start, when no run can be lost, and only one process shall make the files."""
        return storage_url(self._settings) is not None or (self._settings.dagster_home / "database").exists()

    def _start_janitor(self) -> Child:
        """A process of its own, so that this one needs neither Dagster nor its storage in memory."""
        janitor = self._child("lost-runs", "aila_pipeline.adapters.lost_runs", str(self._socket))
        janitor.start(self._environment)
        return janitor

    def _await_janitor(self, janitor: Child) -> None:
        self._wait_until(lambda: janitor.pid is None or self._stop.is_set(), _START_SECONDS)
        ended_well = janitor.pid is None and janitor.ending == "exit code 0"
        janitor.kill_session()
        if not ended_well and not self._stop.is_set():
            raise ProcessFailed(f"Dagster's storage cannot be opened: {last_line(janitor.output())}; log {janitor.log}")

    def _await_code_server(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._stop.wait(0.1):
            if listens(self._socket):
                return
            if self._server.pid is None:
                raise DefinitionsBroken(why_not_loaded(self._module, self._server.output()))
            if time.monotonic() > deadline:
                raise ProcessFailed(f"code-server does not listen after {_START_SECONDS:.0f} s; log {self._server.log}")

    def _await_dagster(self, since: float) -> None:
        """Waits for the webserver's answer, the location loaded without error, a fresh heartbeat of each daemon."""
        client = DagsterClient(self._url)
        deadline, missing = time.monotonic() + _START_SECONDS, "the webserver"
        while not self._stop.wait(_WATCH_SECONDS):
            self._require_children()
            if time.monotonic() > deadline:
                raise ProcessFailed(f"no answer from {missing} within {_START_SECONDS:.0f} s; logs {self._logs}")
            try:
                health = client.health()
            except DagsterUnavailable:
                continue
            if health.location_error:
                raise DefinitionsBroken(health.location_error.strip())
            silent = health.silent_daemons(since)
            if health.location_loaded and not silent:
                return
            missing = ", ".join(silent) or "the code location"

    def _await_api(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while self._api_url is not None and not healthy(self._api_url) and not self._stop.wait(_WATCH_SECONDS):
            self._require_children()
            if time.monotonic() > deadline:
                raise ProcessFailed(f"no answer from the API within {_START_SECONDS:.0f} s; logs {self._logs}")

    def _require_children(self) -> None:
        for child in self._children:
            if child.pid is None:
                raise ProcessFailed(f"{child.name}, {child.ending}: {last_line(child.output())}; log {child.log}")

    def _revive(self, child: Child) -> None:
        if child.restart_at is None:
            child.kill_session()
            lived = time.monotonic() - child.started_at
            child.quick_deaths = child.quick_deaths + 1 if lived < _QUICK_DEATH_SECONDS else 1
            if child.quick_deaths > _MAX_QUICK_DEATHS:
                tail = "\n".join(child.output().strip().splitlines()[-10:])
                raise ProcessFailed(
                    f"{child.name} ended {child.quick_deaths} times in a row, log {child.log}:\n{tail}\n"
                )
            pause = 2.0 ** (child.quick_deaths - 1) - 1
            child.restart_at = time.monotonic() + pause
            when = f"in {pause:.0f} s" if pause else "now"
            self._tell(f"{child.name} ended ({child.ending}); starting it again {when}; log {child.log}")
        if time.monotonic() >= child.restart_at:
            if child is self._server:
                # Its runs ended with it (kill_session), and as long as it is down no other can begin.
                self._await_janitor(self._start_janitor())
            if not self._stop.is_set():
                child.start(self._environment)

    def _wait_until(self, over: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not over() and time.monotonic() < deadline and not self._hurry.wait(0.05):
            pass


def _place(url: str) -> tuple[str, str]:
    """Host and port."""
    host, _, port = url.removeprefix("http://").partition(":")
    return host, port
