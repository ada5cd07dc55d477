"""Processes: one supervised child with all that it starts, its log, and what Linux tells about processes.

Lives here: starting a Python program as a child in a session of its own, ending the whole session, its log file.
Does not: deciding when to start or end one (stack.py), or the child's side of the tie (parent_watch.py).

Where there is no /proc (macOS), the lists are empty and a session is ended by its process group alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STACK_VARIABLE = "AILA_STACK_ID"
"""Marks, in its environment, every process of one `aila up`: the home's mark, a dash, the start's own mark."""

MAX_LOG_BYTES = 10 * 1024 * 1024
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")
_SPAWNED = b"spawn_main("
"""Stands in the command line of a process that multiprocessing spawned, as Dagster does for each run."""


@dataclass
class Child:
    """One supervised process: a console script or module with arguments, run again under the same name when it died."""

    name: str
    arguments: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """What it has on top of the variables that all get."""
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    """Of `time.monotonic()`."""
    quick_deaths: int = 0
    restart_at: float | None = None
    _log_start: int = field(default=0, repr=False)

    def start(self, environment: Mapping[str, str]) -> None:
        """Starts it in a session of its own: a Ctrl-C of the terminal reaches the supervisor alone.

        The thread that calls this has to live as long as the child: Linux ends the child with that thread.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
                [sys.executable, "-m", "aila_pipeline.adapters.parent_watch", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**environment, **self.environment},
                start_new_session=True,
            )
        self.started_at, self.restart_at = time.monotonic(), None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    @property
    def ending(self) -> str:
        """How it ended, for a person."""
        code = self.process.returncode if self.process is not None else 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def send(self, signum: int) -> None:
        """Sends a signal to the process alone."""
        if self.process is not None:
            self.process.send_signal(signum)

    def workers(self) -> list[int]:
        """The runs that work under it: what multiprocessing spawned in its session, orphans included."""
        if self.process is None:
            return []
        return [pid for pid in session_members(self.process.pid) if _SPAWNED in _read(pid, "cmdline")]

    def send_to_workers(self, signum: int) -> None:
        """Sends a signal to each of the runs under it."""
        for pid in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)

    def kill_session(self) -> None:
        """Ends the process and all that it started, at once, and leaves no zombie that is ours to bury."""
        if self.process is None:
            return
        session = self.process.pid
        # While it is not waited for, or has members, the id cannot have gone to another process.
        if self.process.poll() is None or session_members(session) or not _PROC.exists():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(session, signal.SIGKILL)
        self.process.wait()
        deadline = time.monotonic() + 5
        while (members := session_members(session)) and time.monotonic() < deadline:
            for pid in members:
                bury(pid)
            time.sleep(0.02)

    def output(self) -> str:
        """What it wrote to its log since it was started last, the end of it if that is much."""
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start if self._log_start <= size else 0, size - 65536))
            return log.read().decode(errors="replace")

    def rotate_log(self) -> None:
        """Keeps the log and one older one, each of about `MAX_LOG_BYTES` at most.

        The child holds the file open for appending, so it is copied and cut rather than renamed; lines written in
        between are lost.
        """
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            shutil.copyfile(self.log, self.log.with_suffix(".1.log"))
            os.truncate(self.log, 0)


def adopt_orphans() -> None:
    """Linux: processes whose parent died come to this process, which can then bury them; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def bury(pid: int) -> None:
    """Takes note of the end of an adopted process, so that it leaves the process table."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def session_members(session: int) -> list[int]:
    """The processes of a session, zombies included."""
    return [pid for pid in _processes() if _session_of(pid) == session]


def stack_members(mark: str) -> list[int]:
    """The live processes whose environment has `STACK_VARIABLE` with this beginning, but for us and our ancestors."""
    wanted = f"{STACK_VARIABLE}={mark}".encode()
    ours = set(_ancestry())
    return [
        pid
        for pid in _processes()
        if pid not in ours and any(entry.startswith(wanted) for entry in _read(pid, "environ").split(b"\0"))
    ]


def _processes() -> Iterator[int]:
    if _PROC.exists():
        yield from (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())


def _ancestry() -> Iterator[int]:
    pid = os.getpid()
    while pid > 0:
        yield pid
        fields = _stat(pid)
        pid = int(fields[1]) if fields else 0


def _session_of(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[3]) if fields else None


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the state on (proc(5)): state, parent, group, session, …"""
    return _read(pid, "stat").rpartition(b")")[2].split()


def _read(pid: int, name: str) -> bytes:
    """Empty when the process is gone meanwhile, or belongs to someone else."""
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""
