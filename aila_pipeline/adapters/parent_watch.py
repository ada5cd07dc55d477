"""Parent watch: a process that ends when the one that started it is gone.

Lives here: the watch itself, and `python -m aila_pipeline.adapters.parent_watch PROGRAM ARGUMENTS…`, which runs another
program of this environment under it. Does not: starting or ending anything else (processes.py, stack.py).

Why: Dagster's webserver, daemon and run workers outlive a parent that was killed with -9, by minutes or for ever, and
then two of them work on the same home.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import multiprocessing
import multiprocessing.connection
import os
import runpy
import signal
import socket
import sys
import threading
import time

SUPERVISED_VARIABLE = "AILA_SUPERVISED"
"""Is `1` in every process that `aila up` starts, and in their children: they shall watch their parent."""

SUPERVISOR_VARIABLE = "AILA_SUPERVISOR_PID"
"""The process id of the supervisor, by which a child knows that its parent was gone before it could look."""

START_AFTER_VARIABLE = "AILA_START_AFTER"
"""Names a socket: the program is imported at once, which takes seconds, but starts when somebody listens there."""

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.5
_EXIT_CODE = 70

_watching = threading.Lock()


def supervised() -> bool:
    """Whether `aila up` (or a child of it) started this process."""
    return os.environ.get(SUPERVISED_VARIABLE) == "1"


def die_with_parent() -> None:
    """Ends this process hard (no clean-up, as kill -9 would) as soon as its parent has ended; returns at once.

    To be called once a process's imports are done; calling it again does nothing. A process that multiprocessing made
    waits for its parent's pipe, any other looks every half second whether it has been given another parent.
    """
    if not _watching.acquire(blocking=False):
        return
    target = _wait_for_pipe if multiprocessing.parent_process() is not None else _wait_for_new_parent
    threading.Thread(target=target, args=(os.getppid(),), name="parent-watch", daemon=True).start()


def _wait_for_pipe(_parent: int) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
    os._exit(_EXIT_CODE)


def _wait_for_new_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(_EXIT_CODE)


def _signal_on_parent_death() -> None:
    """Linux ends us at once, even while no thread of ours gets to run; elsewhere the watch alone does it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def listens(path: str | os.PathLike[str]) -> bool:
    """Whether a process listens on the socket at this path; the file alone may be left from one that was killed."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
        return True


def main() -> None:
    """Runs the console script or module that the first argument names, tied to the process that started it."""
    # A shell's `&` starts its commands with SIGINT ignored. Dagster copies that for SIGTERM, and could not be stopped.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    _signal_on_parent_death()
    supervisor = os.environ.get(SUPERVISOR_VARIABLE)
    if supervisor is not None and int(supervisor) != os.getppid():
        sys.exit(_EXIT_CODE)
    die_with_parent()
    sys.argv = sys.argv[1:]
    scripts = importlib.metadata.entry_points(group="console_scripts", name=sys.argv[0])
    if scripts:
        script = next(iter(scripts)).load()
        if path := os.environ.get(START_AFTER_VARIABLE):
            while not listens(path):
                time.sleep(0.05)
        sys.exit(script())
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
