"""What the README says of the API is run as it is printed there, but for the port."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aila_pipeline.cli.demo_home import COUNTRY, FIRM
from aila_pipeline.demo.audio_host import audio_host
from aila_pipeline.demo.samples import manifest, samples, write_pair
from aila_pipeline_tests.api.process import an_api
from aila_pipeline_tests.end_to_end.in_process import Pipeline, a_pipeline

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("curl") is None, reason="it is written with curl")]

ROOT = Path(__file__).parents[2]


def blocks(language: str) -> list[str]:
    """The README's code of this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)


def run(pipeline: Pipeline, command: list[str], where: Path, **variables: str) -> str:
    """Run it to its end while the pipeline works; what it printed."""
    env = {**os.environ, "AILA_HOME": str(pipeline.settings.home), "PYTHONPATH": str(ROOT), **variables}
    with subprocess.Popen(command, cwd=where, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        while it.poll() is None:
            pipeline.run()
        out, err = it.communicate()
    assert it.returncode == 0, err
    return out


def test_the_commands_of_the_readme_do_what_it_says(tmp_path: Path) -> None:
    """The shell's lines one after the other, then the Python program."""
    write_pair(tmp_path, names=["sales_01"])
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    aila = tmp_path / ".venv" / "bin" / "aila"
    launcher = "import sys; from aila_pipeline.cli import main; sys.exit(main())"
    aila.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{launcher}' \"$@\"\n")
    aila.chmod(0o700)
    with audio_host() as host, a_pipeline(tmp_path / "home", fetch_allow=(host,)) as pipeline:
        urls = {"support_01": f"http://{host}/{samples()['support_01'].file}"}
        (tmp_path / "batch.json").write_text(json.dumps(manifest(urls)))
        with an_api(pipeline.settings.home, AILA_FETCH_ALLOW=host, AILA_DAGSTER_URL="http://127.0.0.1:9") as api:
            shell, program = (
                code.replace("http://127.0.0.1:8000", api.url) for code in (*blocks("sh"), *blocks("python"))
            )
            out = run(pipeline, ["sh", "-eu", "-c", shell], tmp_path)
            assert '"message":"Files validated and queued for processing"' in out
            assert '"external_id":"demo_support_01"' in out
            key = run(
                pipeline,
                [str(aila), "keys", "create", "--country", COUNTRY, "--firm", FIRM, "--user", "a@b.example"],
                tmp_path,
            )
            ended = run(pipeline, [sys.executable, "-c", program], tmp_path, AILA_API_KEY=key.strip())
        assert ended == "completed []\n"
        assert {batch.kind for batch in pipeline.batches()} == {"pair", "manifest"}
