"""The stack: what `aila up` runs in the foreground until it is told to stop.

Lives here: the lock on the home, the ports, signals, the thread that supervises. Does not: the order of starting and
stopping (supervision.py), Dagster's configuration (dagster_home.py), the ledger (its migration is handed in).

    aila up
    ├── code-server   the definitions, loaded once; its children are the runs
    ├── webserver     the UI and GraphQL
    ├── daemon        queue, sensors, schedules, backfills
    └── api           both contracts over HTTP

All of them are started and watched by one thread, which ends after they have: Linux ends a child together with the
*thread* that started it (prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from aila_pipeline.adapters.ports import free_ports
from aila_pipeline.adapters.processes import adopt_orphans
from aila_pipeline.dagster_home import write_dagster_home
from aila_pipeline.errors import AilaError, HomeInUse
from aila_pipeline.settings import Settings
from aila_pipeline.supervision import Supervision

_HOST = "127.0.0.1"


def tell(line: str) -> None:
    """One line on standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class Stack:
    """Dagster and the API on one home. `with Stack(settings) as stack:` has them up and ready inside, and gone after.

    Args:
        settings: whose `home` it works on.
        api_port: of the API, on 127.0.0.1; 0 takes a free one, None leaves the API out.
        dagster_port: of the UI, likewise.
        module: the definitions' module.
        env: variables for the children on top of this process's own.
        prepare: called once the home is locked and before anything starts; the ledger's migration, without which the
            API does not start.
        tell: where lines for a person go.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        api_port: int | None = None,
        dagster_port: int = 3000,
        module: str = "aila_pipeline.definitions",
        env: Mapping[str, str] | None = None,
        prepare: Callable[[], None] | None = None,
        tell: Callable[[str], None] = tell,
    ) -> None:
        self._settings, self._prepare, self._tell = settings, prepare, tell
        self._api_port, self._port, self._module, self._env = api_port, dagster_port, module, dict(env or {})
        self._lock: int | None = None
        self._stop, self._hurry = threading.Event(), threading.Event()
        self._ready, self._over = threading.Event(), threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._supervision: Supervision | None = None

    @property
    def dagster_url(self) -> str:
        """Where the UI and GraphQL answer."""
        return f"http://{_HOST}:{self._port}"

    @property
    def api_url(self) -> str | None:
        """Where the API answers; None without one."""
        return None if self._api_port is None else f"http://{_HOST}:{self._api_port}"

    def pids(self) -> dict[str, int]:
        """The process ids of `code-server`, `webserver`, `daemon` and `api`, as far as they run."""
        return self._supervision.pids() if self._supervision else {}

    def run_pids(self) -> list[int]:
        """The process ids of the runs in flight (Linux; elsewhere none are known)."""
        return self._supervision.run_pids() if self._supervision else []

    def __enter__(self) -> Self:
        """Starts it; raises what `start` raises."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts everything; returns once it is ready, or was told to stop. A stack is started once.

        Raises:
            HomeInUse: another stack works on the home.
            PortTaken: something else listens on a port.
            DefinitionsBroken: the module cannot be loaded.
            ProcessFailed: a process does not start, or does not answer in time.
            SettingInvalid: a setting cannot work.
            DagsterUnavailable: its PostgreSQL does not answer.
        """
        self._take_lock()
        try:
            self._take_ports()
            write_dagster_home(self._settings)
            if self._prepare is not None:
                self._prepare()
            self._supervision = Supervision(
                self._settings,
                url=self.dagster_url,
                api_url=self.api_url,
                module=self._module,
                env=self._env,
                tell=self._tell,
                stop=self._stop,
                hurry=self._hurry,
            )
            self._thread = threading.Thread(target=self._supervise, args=(self._supervision,), name="stack")
            self._thread.start()
            while not self._ready.wait(0.1) and not self._over.is_set():
                pass
            if self._failure is not None:
                raise self._failure
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends all that was started, runs included; returns when it is gone."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._release_lock()

    def run_forever(self) -> int:
        """For the command line: starts, says `ready api=URL dagster=URL`, works until SIGTERM, SIGHUP or Ctrl-C.

        A second signal cuts all waiting short. Returns the exit code: 0 after an orderly stop, also during the start;
        1 when it could not start or go on, with the reason on standard error.
        """
        adopt_orphans()
        before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        for signum, handler in before.items():
            # nohup asks to outlive the terminal. SIGINT is taken even where a shell's `&` had it ignored.
            if not (signum == signal.SIGHUP and handler == signal.SIG_IGN):
                signal.signal(signum, self._on_signal)
        try:
            self.start()
            if self._ready.is_set():
                api = "" if self.api_url is None else f"api={self.api_url} "
                sys.stdout.write(f"ready {api}dagster={self.dagster_url}\n")
                sys.stdout.flush()
            self._over.wait()
            if self._failure is not None:
                raise self._failure
        except AilaError as error:
            self._tell(f"error: {error.message}")
            return 1
        finally:
            self.stop()
            for signum, handler in before.items():
                signal.signal(signum, handler)
        return 0

    def _on_signal(self, _signum: int, _frame: object) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _supervise(self, supervision: Supervision) -> None:
        """The thread's body."""
        try:
            supervision.bring_up()
            if not self._stop.is_set():
                self._ready.set()
            supervision.watch()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for it, which raises it
            self._failure = error
        finally:
            try:
                supervision.bring_down()
            finally:
                self._over.set()

    def _take_ports(self) -> None:
        asked = {} if self._api_port is None else {"--port": self._api_port}
        ports = free_ports(_HOST, {**asked, "--dagster-port": self._port})
        self._api_port, self._port = ports.get("--port"), ports["--dagster-port"]

    def _take_lock(self) -> None:
        home = self._settings.home.absolute()
        home.mkdir(parents=True, exist_ok=True)
        path = home / "up.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode()
            os.close(lock)
            raise HomeInUse(f"process {holder or 'unknown'} holds {path}") from None
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
