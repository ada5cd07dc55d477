"""`aila up`, `aila api` and `aila demo` as processes: what they print, and that nothing is left of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aila_pipeline.adapters.process_output import healthy
from aila_pipeline_tests.cli.conftest import Aila
from aila_pipeline_tests.test_stack import processes_of, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


def start(where: Path, *arguments: object) -> subprocess.Popen[str]:
    """`aila` in a directory of its own; what it makes for itself lies below, in `tmp`."""
    (where / "tmp").mkdir()
    script = "import sys; from aila_pipeline.cli import main; sys.exit(main())"
    env = {name: value for name, value in os.environ.items() if not name.startswith("AILA_")}
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=where,
        env={**env, "TMPDIR": str(where / "tmp"), "COLUMNS": "120", "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_up_migrates_says_ready_and_goes_when_told(aila: Aila, tmp_path: Path) -> None:
    ports = ("--port", "0", "--dagster-port", "0")
    with start(tmp_path, "up", "--home", tmp_path / "home", *ports) as process:
        assert process.stdout is not None
        url = r"(http://127\.0\.0\.1:\d+)"
        ready = re.fullmatch(rf"ready api={url} dagster={url}\n", process.stdout.readline())
        assert ready
        assert aila("db", "--check", "--home", tmp_path / "home").code == 0
        assert (tmp_path / "home/api-url").read_text().strip() == ready[1]
        assert (tmp_path / "home/dagster-url").read_text().strip() == ready[2]
        assert healthy(ready[1])
        second = start(tmp_path / "home", "up", "--home", tmp_path / "home", *ports)
        _, refused = second.communicate(timeout=120)
        assert second.returncode == 1
        assert "another `aila up` works on this home" in refused
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
        assert process.returncode == 0
    assert processes_of(tmp_path / "home") == []


def test_the_api_alone_answers_until_it_is_told_to_stop(home: Path, tmp_path: Path) -> None:
    """Where Dagster runs elsewhere. An orderly stop is exit code 0, and the note of its URL is for other commands."""
    with start(tmp_path, "api", "--home", home, "--port", "0") as process:
        wait_for(lambda: (home / "api-url").exists() and healthy((home / "api-url").read_text().strip()))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, ""), err
    assert "Traceback" not in err
    assert processes_of(home) == []


def test_the_demo_goes_the_whole_way_and_leaves_its_reports_alone(tmp_path: Path) -> None:
    process = start(tmp_path, "demo")
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    assert re.findall(r"^(?:sales|support)_\d\d\.\w+ +(completed|failed)", out, re.MULTILINE) == ["completed"] * 14
    scored = r"^(?:sales|support)_\d\d\.\w+ +(?:sales|support) +\d+ of \d+ +([\d.]+)"
    assert len(re.findall(scored, out, re.MULTILINE)) == 14
    assert re.search(r"^people: [1-9]\d* users and [1-9]\d* contacts were met in the calls$", out, re.MULTILINE)
    assert "webhooks: 20 messages with a good signature" in out
    assert re.findall(r"^(AUDIO_INVALID|FILE_NOT_FOUND) +\d+", out, re.MULTILINE) == ["AUDIO_INVALID", "FILE_NOT_FOUND"]
    for path in re.findall(r"^report: (.+)$", out, re.MULTILINE):
        assert "</html>" in Path(path).read_text()
    assert sorted(path.name for path in (tmp_path / ".aila-demo").iterdir()) == [
        ".gitignore",
        "api-list.html",
        "api-pair.html",
        "drop-zone-list.html",
        "drop-zone-pair.html",
    ]
    # onnxruntime's session file would lie here, too, if its telemetry were on.
    assert list((tmp_path / "tmp").iterdir()) == []
    assert processes_of(tmp_path / "tmp") == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_cleans_up(tmp_path: Path, signum: signal.Signals) -> None:
    """Ctrl-C while Dagster starts, which is the longest silence and so the likeliest moment."""
    process = start(tmp_path, "demo")
    wait_for(lambda: len(processes_of(tmp_path / "tmp")) >= 3)
    process.send_signal(signum)
    process.communicate(timeout=120)
    assert process.returncode == 128 + signum
    wait_for(lambda: processes_of(tmp_path / "tmp") == [], 10)
    assert list((tmp_path / "tmp").glob("aila*")) == []
