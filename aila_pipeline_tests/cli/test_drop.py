"""`aila drop`: into the drop zone, and waiting for what becomes of it. The other side is the real pipeline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aila_pipeline.errors import FileNotFound
from aila_pipeline_tests.cli.conftest import Aila
from aila_pipeline_tests.cli.test_check import a_pair
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.in_process import Pipeline

TENANT = ("--country", "kz", "--firm", "acme")


def start(home: Path, *arguments: object) -> subprocess.Popen[str]:
    """`aila` in a process of its own."""
    script = "import sys; from aila_pipeline.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", script, *map(str, arguments), "--home", str(home)]
    # Nothing listens there: an `aila up` on this machine has nothing to do with the test.
    env = {**os.environ, "AILA_DAGSTER_URL": "http://127.0.0.1:9"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def work_until_over(pipeline: Pipeline, process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Tick the pipeline while the command waits; its exit code and what it said."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        pipeline.run()
        time.sleep(0.2)
    out, err = process.communicate(timeout=10)
    return process.returncode, out, err


def test_a_pair_lies_in_the_first_watched_prefix_and_needs_no_ledger(aila: Aila, tmp_path: Path) -> None:
    files = a_pair(tmp_path / "in", a_csv(a_row("a.wav")), {"a.wav": b"x"})
    said = aila("drop", *files, *TENANT, "--name", "jan-13", "--home", tmp_path / "fresh")
    assert said.code == 0
    folder = tmp_path / "fresh/objects/inbox/kz/acme/jan-13"
    assert sorted(path.name for path in folder.iterdir()) == ["audios.zip", "metadata.csv"]
    assert str(folder) in said.out
    assert (folder / "metadata.csv").read_bytes() == files[0].read_bytes()
    # The CSV is what completes a pair, so it must not come before the whole ZIP.
    assert (folder / "audios.zip").stat().st_mtime_ns <= (folder / "metadata.csv").stat().st_mtime_ns


def test_a_manifest_lies_beside_the_pairs_folders(aila: Aila, tmp_path: Path) -> None:
    (tmp_path / "batch.json").write_text("{}")
    said = aila("drop", tmp_path / "batch.json", *TENANT, "--home", tmp_path / "fresh", "--json")
    assert said.json["place"].startswith("inbox/kz/acme/batch-")
    assert (tmp_path / "fresh/objects" / said.json["place"]).read_text() == "{}"


def test_country_and_firm_may_come_from_the_environment(
    aila: Aila, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "batch.json").write_text("{}")
    assert "--country" in aila("drop", tmp_path / "batch.json").error
    monkeypatch.setenv("AILA_COUNTRY", "kz")
    monkeypatch.setenv("AILA_FIRM", "acme")
    assert aila("drop", tmp_path / "batch.json", "--home", tmp_path / "fresh").code == 0


def test_two_drops_of_one_name_never_meet_in_one_folder(aila: Aila, tmp_path: Path) -> None:
    """Two CSVs in a folder would have both refused."""
    files = a_pair(tmp_path / "in", a_csv(a_row("a.wav")), {"a.wav": b"x"})
    options = (*TENANT, "--home", tmp_path / "fresh", "--name", "jan")
    assert aila("drop", *files, *options).code == 0
    again = aila("drop", *files, *options)
    assert again.code == 2
    assert "lies in the drop zone already: inbox/kz/acme/jan/; choose another with --name" in again.error
    unnamed = [aila("drop", *files, *options[:-2], "--json").json["name"] for _ in range(2)]
    assert len(set(unnamed)) == 2


@pytest.mark.parametrize(
    "options",
    [
        ("--country", "KZ!", "--firm", "acme"),
        ("--country", "kz", "--firm", "../acme"),
        (*TENANT, "--name", "a/b"),
        (*TENANT, "--name", ".hidden"),
    ],
)
def test_a_place_that_nobody_looks_into_is_refused(aila: Aila, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "batch.json").write_text("{}")
    said = aila("drop", tmp_path / "batch.json", *options, "--home", tmp_path / "fresh")
    assert said.code == 2
    assert not (tmp_path / "fresh").exists()


def test_an_unknown_tenant_is_refused_where_drops_may_not_make_one(
    aila: Aila, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files would lie there for ever."""
    (tmp_path / "batch.json").write_text("{}")
    monkeypatch.setenv("AILA_CREATE_TENANTS", "false")
    said = aila("drop", tmp_path / "batch.json", *TENANT, "--home", home)
    assert said.code == 2
    assert "there is no such tenant, and drops may not create one: kz/acme" in said.error


def test_waiting_in_vain_says_so(aila: Aila, tmp_path: Path, home: Path) -> None:
    (tmp_path / "batch.json").write_text("{}")
    said = aila("drop", tmp_path / "batch.json", *TENANT, "--home", home, "--wait", "--timeout", "1")
    assert said.code == 1
    assert said.err.splitlines()[-1].startswith("error: the time given with --timeout is over: nobody has taken")


@pytest.mark.slow
@pytest.mark.parametrize("bad", [False, True])
def test_waiting_ends_with_the_batch_and_its_exit_code(
    pipeline: Pipeline, tmp_path: Path, speech: bytes, bad: bool
) -> None:
    rows = [a_row("a.flac"), *([a_row("gone.flac")] if bad else [])]
    files = a_pair(tmp_path / "in", a_csv(*rows), {"a.flac": speech})
    process = start(pipeline.settings.home, "drop", *files, *TENANT, "--name", "jan", "--wait", "--timeout", "100")
    returned, out, err = work_until_over(pipeline, process)
    assert returned == (3 if bad else 0), err
    assert pipeline.the_batch().id in out
    assert "report.html" in out
    assert "\x1b" not in out + err, "no colours and no cursor movements where no terminal is"
    assert f"{1 + bad}/{1 + bad} done" in err
    assert (FileNotFound.code in out) == bad


@pytest.mark.slow
def test_the_same_content_again_shows_the_batch_that_has_it(pipeline: Pipeline, tmp_path: Path, speech: bytes) -> None:
    files = a_pair(tmp_path / "in", a_csv(a_row("a.flac")), {"a.flac": speech})
    found = []
    for name in ("first", "second"):
        process = start(pipeline.settings.home, "drop", *files, *TENANT, "--name", name, "--wait", "--json")
        returned, out, err = work_until_over(pipeline, process)
        assert returned == 0, err
        found.append(json.loads(out))
    assert found[0]["batch_id"] == found[1]["batch_id"]
    assert [call["attempt"] for call in found[1]["calls"]] == [1]
