"""How commands fail: in one line that says what to do, with an exit code a script can go by."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aila_pipeline.errors import LedgerMissing
from aila_pipeline_tests.cli.conftest import Aila

COMMANDS = (
    "demo",
    "up",
    "api",
    "db",
    "submit",
    "drop",
    "check",
    "status",
    "retry",
    "trace",
    "report",
    "verify",
    "keys",
    "tenants",
    "users",
)
HEAVY = (
    "dagster",
    "sqlalchemy",
    "alembic",
    "pandas",
    "pandera",
    "boto3",
    "av",
    "numpy",
    "pydantic",
    "faster_whisper",
    "fastapi",
)


def test_help_lists_every_command(aila: Aila) -> None:
    said = aila("--help")
    assert said.code == 0
    assert all(f"\n  {command} " in said.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(aila: Aila, command: str) -> None:
    said = aila(command, "--help")
    assert said.code == 0
    assert f"Usage: aila {command}" in said.out


@pytest.mark.parametrize("group", [[], ["keys"], ["tenants"], ["users"]])
def test_a_group_without_a_command_lists_its_commands(aila: Aila, group: list[str]) -> None:
    said = aila(*group)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"Usage: {' '.join(['aila', *group])} ")
    assert "\nCommands:\n" in said.err


def test_help_loads_nothing_heavy() -> None:
    """Importing the commands must stay a matter of a tenth of a second, so each loads what it needs when it runs."""
    script = f"import sys, aila_pipeline.cli; print([name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--no-such-option"], "No such option"),
        (["no-such-command"], "No such command"),
        (["status", "--limit", "many"], "--limit"),
        (["retry"], "BATCH_ID"),
        (["drop", "--country", "kz", "--firm", "acme", "nowhere.csv", "nowhere.zip"], "there is no file nowhere"),
        (["submit", "nowhere.csv", "nowhere.zip"], "there is no file nowhere"),
        (["check", "nowhere.json"], "there is no file nowhere.json"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(aila: Aila, arguments: list[str], told: str) -> None:
    said = aila(*arguments)
    assert said.code == 2
    assert said.error.startswith("error: ")
    assert told in said.error
    assert "--help` explains" in said.error


@pytest.mark.parametrize(
    "command",
    [["status"], ["retry", "batch_1"], ["trace", "aila_1"], ["verify"], ["api"], ["keys", "list"], ["tenants", "list"]],
)
def test_a_home_without_a_ledger_is_told_and_left_alone(aila: Aila, tmp_path: Path, command: list[str]) -> None:
    """A command that reads makes no directory, let alone an empty ledger that looks like lost data."""
    said = aila(*command, "--home", tmp_path / "typo")
    assert said.code == 2
    assert said.error == f"error: {LedgerMissing(str(tmp_path / 'typo' / 'ledger.db')).message}"
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("command", ["retry", "trace", "report", "status"])
def test_an_unknown_id_is_told(aila: Aila, home: Path, command: str) -> None:
    said = aila(command, "nothing_of_ours", "--home", home)
    assert said.code == 2
    assert "knows nothing of this id: nothing_of_ours; `aila status` lists" in said.error


def test_a_wrong_setting_is_named_without_its_value(aila: Aila, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was set may be a password in the wrong place."""
    monkeypatch.setenv("AILA_SHARD_SIZE", "hunter2")
    said = aila("status")
    assert said.code == 2
    assert "AILA_SHARD_SIZE" in said.error
    assert "hunter2" not in said.error


def test_a_database_that_does_not_answer_is_one_line(aila: Aila, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AILA_DATABASE_URL", "postgresql+psycopg2://someone:hunter2@127.0.0.1:1/nothing")
    said = aila("status")
    assert said.code == 1
    assert "AILA_DATABASE_URL" in said.error
    assert "hunter2" not in said.error


def test_a_failure_nobody_foresaw_hides_its_trace_until_asked(aila: Aila, tmp_path: Path) -> None:
    """A home that is a file, for one, fails deep inside."""
    (tmp_path / "file").write_text("not a directory")
    said = aila("db", "--home", tmp_path / "file" / "home")
    assert said.code == 1
    assert "Traceback" not in said.err
    assert said.error.startswith("error: ")
    with pytest.raises(OSError, match="file"):
        aila("--debug", "db", "--home", tmp_path / "file" / "home")


def test_db_tells_from_which_schema_to_which(aila: Aila, tmp_path: Path) -> None:
    missing = aila("db", "--check", "--home", tmp_path / "new")
    assert (missing.code, missing.out) == (1, "")
    assert "does not exist; `aila db`" in missing.err
    made = aila("db", "--home", tmp_path / "new")
    assert made.code == 0
    assert "empty -> 0" in made.out
    assert aila("db", "--home", tmp_path / "new").out == aila("db", "--check", "--home", tmp_path / "new").out
    assert aila("db", "--check", "--home", tmp_path / "new").code == 0


def test_a_reader_that_has_seen_enough_is_no_error(home: Path) -> None:
    """`aila status | true`: the pipe is closed before anything is written."""
    script = "import sys; from aila_pipeline.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", script, "status", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
