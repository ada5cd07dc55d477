"""Children, their sessions and their logs, with real processes.

Lives here: what Child promises, and the child's tie to its parent. Does not: the stack's order (test_stack.py).
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aila_pipeline.adapters import processes
from aila_pipeline.adapters.processes import STACK_VARIABLE, Child, session_members, stack_members

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

FAMILY = """
import multiprocessing, os, sys, time
def sleep():
    print("grandchild", os.getpid(), flush=True)
    time.sleep(600)
if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=sleep, daemon=False).start()
    time.sleep(600)
"""

WATCHED = """
import multiprocessing, os, time
from aila_pipeline.adapters.parent_watch import die_with_parent
def sleep():
    die_with_parent()
    print(os.getpid(), flush=True)
    time.sleep(600)
if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=sleep).start()
    time.sleep(600)
"""


def a_child(directory: Path, code: str, name: str = "program") -> Child:
    """A child that runs this code, found as a module in the directory."""
    (directory / f"{name}.py").write_text(code, encoding="utf-8")
    return Child(name, [name], directory / "logs" / f"{name}.log", {"PYTHONPATH": str(directory)})


def wait_for(what: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def test_a_childs_output_is_in_its_log(tmp_path: Path) -> None:
    """And `output` gives that of the last start alone."""
    child = a_child(tmp_path, "import os; print('hello', os.environ['N'])")
    for count in ("1", "2"):
        child.start({**os.environ, "N": count})
        wait_for(lambda: child.pid is None)
    assert child.log.read_text(encoding="utf-8") == "hello 1\nhello 2\n"
    assert (child.output(), child.ending) == ("hello 2\n", "exit code 0")


def test_a_child_obeys_ctrl_c_where_it_was_ignored(tmp_path: Path) -> None:
    """As under a shell's `&`, whose jobs inherit an ignored SIGINT."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = a_child(tmp_path, "import time; print('up', flush=True); time.sleep(600)")
        child.start(os.environ)
        wait_for(lambda: child.output() == "up\n")
        child.send(signal.SIGINT)
        wait_for(lambda: child.pid is None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert child.output().endswith("KeyboardInterrupt\n")


@linux
def test_killing_a_session_takes_grandchildren_along_orphans_too(tmp_path: Path) -> None:
    child = a_child(tmp_path, FAMILY)
    child.start(os.environ)
    wait_for(lambda: "grandchild" in child.output())
    (worker,) = child.workers()
    session = child.pid
    assert session is not None
    child.send(signal.SIGKILL)
    wait_for(lambda: child.pid is None)
    assert child.workers() == [worker]
    child.kill_session()
    wait_for(lambda: not session_members(session))
    assert child.ending == "killed by SIGKILL"


@linux
def test_a_worker_that_watches_its_parent_ends_with_it(tmp_path: Path) -> None:
    child = a_child(tmp_path, WATCHED)
    child.start(os.environ)
    wait_for(lambda: child.output().strip())
    session = child.pid
    assert session is not None
    child.send(signal.SIGKILL)
    wait_for(lambda: not child.workers(), 3)
    child.kill_session()


@linux
def test_a_child_ends_when_its_supervisor_is_killed(tmp_path: Path) -> None:
    """kill -9 gives a supervisor no chance to end anything itself."""
    (tmp_path / "program.py").write_text("import time; print('up', flush=True); time.sleep(600)", encoding="utf-8")
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )
    assert supervisor.stdout is not None
    session = int(supervisor.stdout.readline())
    supervisor.kill()
    supervisor.communicate()
    wait_for(lambda: not session_members(session), 3)


SUPERVISOR = """
import os, sys, time
from pathlib import Path
from aila_pipeline.adapters.processes import Child
child = Child("program", ["program"], Path(sys.argv[1], "program.log"))
child.start(os.environ)
while not child.output():
    time.sleep(0.02)
print(child.pid, flush=True)
time.sleep(600)
"""


@linux
def test_a_stacks_processes_are_found_by_their_mark(tmp_path: Path) -> None:
    """By its beginning, so that those of an earlier start on the same home are found too."""
    child = a_child(tmp_path, "import time; time.sleep(600)")
    child.start({**os.environ, STACK_VARIABLE: "0123abcd-1-x"})
    wait_for(lambda: stack_members("0123abcd-") == [child.pid])
    assert stack_members("0123abce-") == []
    child.kill_session()
    assert stack_members("0123abcd-") == []


def test_a_log_that_grew_too_large_is_cut_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is in the older file; what comes after the cut begins at the start of the new one."""
    monkeypatch.setattr(processes, "MAX_LOG_BYTES", 10)
    child = a_child(tmp_path, "import sys; print('a' * 20, flush=True); sys.stdin.read(); import time; time.sleep(600)")
    child.start(os.environ)
    wait_for(lambda: child.log.stat().st_size == 21)
    child.rotate_log()
    assert (tmp_path / "logs" / "program.1.log").read_text(encoding="utf-8") == "a" * 20 + "\n"
    assert child.log.stat().st_size == 0
    child.kill_session()
