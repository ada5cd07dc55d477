"""Dagster's home: the file in the repository tells the truth, Dagster takes it, and no password is in it.

Lives here: what is written, and that Dagster takes it, also on PostgreSQL. Does not: its processes (test_stack.py).
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.schema import CreateSchema, DropSchema

from aila_pipeline.adapters.dagster_client import DagsterClient
from aila_pipeline.dagster_home import (
    STORAGE_URL_VARIABLE,
    code_socket,
    dagster_config,
    dagster_environment,
    storage_url,
    write_dagster_home,
)
from aila_pipeline.errors import DagsterUnavailable, SettingInvalid
from aila_pipeline.settings import Settings
from aila_pipeline.stack import Stack

REPOSITORY = Path(__file__).parents[1]
LEDGER = "postgresql+psycopg2://aila:s3cret@db.example:5433/aila"


def some_settings(home: Path, **given: Any) -> Settings:
    """Settings that no environment and no .env of the machine has a part in."""
    return Settings(_env_file=None, home=home, **given)


def dagster(settings: Settings, *arguments: str) -> str:
    """What a `dagster` command says about the home; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "dagster", *arguments],
        env={**os.environ, **dagster_environment(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_file_in_the_repository_is_what_the_default_settings_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """Value by value; only the paths differ, which are absolute where `aila up` writes them."""
    for name in [name for name in os.environ if name.startswith("AILA_")]:
        monkeypatch.delenv(name)
    written = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text(encoding="utf-8"))
    written["storage"]["sqlite"]["base_dir"] = str(Path.cwd() / written["storage"]["sqlite"]["base_dir"])
    assert written == dagster_config(Settings(_env_file=None))


@pytest.mark.slow
def test_dagster_takes_the_written_home(tmp_path: Path) -> None:
    """Dagster validates its configuration strictly; all of its files lie under the home."""
    settings = some_settings(tmp_path)
    write_dagster_home(settings)
    told = dagster(settings, "instance", "info")
    assert "run_monitoring:\n  enabled: true" in told
    assert (tmp_path / "dagster" / "database" / "history" / "runs.db").exists()


def test_the_workspace_names_one_code_server(tmp_path: Path) -> None:
    settings = some_settings(tmp_path)
    home = write_dagster_home(settings)
    workspace = yaml.safe_load((home / "workspace.yaml").read_text(encoding="utf-8"))
    server = {"socket": str(code_socket(settings)), "location_name": "aila_pipeline"}
    assert workspace == {"load_from": [{"grpc_server": server}]}


def test_a_deep_home_gets_a_short_private_socket(tmp_path: Path) -> None:
    """A socket's path may have about 100 bytes; the directory that stands in lets nobody else in."""
    settings = some_settings(tmp_path / ("deep" * 30))
    write_dagster_home(settings)
    directory = code_socket(settings).parent
    try:
        assert len(os.fsencode(code_socket(settings))) <= 100
        assert directory.stat().st_mode & 0o777 == 0o700
        directory.chmod(0o777)
        with pytest.raises(SettingInvalid, match="shorter path"):
            write_dagster_home(settings)
    finally:
        directory.rmdir()


def test_a_home_that_cannot_be_written_is_told_as_a_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingInvalid, match="AILA_HOME cannot be written to"):
        write_dagster_home(some_settings(tmp_path / "file"))


def test_limits_follow_the_settings(tmp_path: Path) -> None:
    concurrency = dagster_config(some_settings(tmp_path, max_shards_in_flight=9))["concurrency"]
    assert concurrency == {
        "runs": {"max_concurrent_runs": 12},
        "pools": {"granularity": "run", "default_limit": 9},
    }


def test_the_ledgers_postgresql_is_dagsters_too_in_a_schema_of_its_own(tmp_path: Path) -> None:
    """The password is in the environment of Dagster's processes and nowhere in the configuration."""
    settings = some_settings(tmp_path, database_url=LEDGER)
    config = dagster_config(settings)
    assert config["storage"] == {"postgres": {"postgres_url": {"env": STORAGE_URL_VARIABLE}}}
    assert "s3cret" not in str(config)
    assert dagster_environment(settings)[STORAGE_URL_VARIABLE] == f"{LEDGER}?options=-csearch_path%3Ddagster"


@pytest.mark.parametrize(
    ("ledger", "given", "expected"),
    [
        (None, "postgresql://aila@other/dagster", "postgresql+psycopg2://aila@other/dagster"),
        (LEDGER, "postgresql://aila@other/dagster", "postgresql+psycopg2://aila@other/dagster"),
        (LEDGER, LEDGER, f"{LEDGER}?options=-csearch_path%3Ddagster"),
        (LEDGER, f"{LEDGER}?options=-csearch_path%3Dmine", f"{LEDGER}?options=-csearch_path%3Dmine"),
        (f"{LEDGER}?options=-csearch_path%3Dours", None, f"{LEDGER}?options=-csearch_path%3Dours_dagster"),
        (
            f"{LEDGER}?options=-cwork_mem%3D64MB&sslmode=require",
            None,
            f"{LEDGER}?options=-cwork_mem%3D64MB+-csearch_path%3Ddagster&sslmode=require",
        ),
    ],
    ids=["its own", "its own beside the ledger", "the ledger's", "a schema by name", "beside a schema", "options kept"],
)
def test_where_dagsters_tables_lie(tmp_path: Path, ledger: str | None, given: str | None, expected: str) -> None:
    """A database of its own is taken as it is; in the ledger's there is a schema between the two."""
    url = storage_url(some_settings(tmp_path, database_url=ledger, dagster_database_url=given))
    assert url is not None
    assert url == make_url(expected)


def test_only_postgresql_is_taken_for_dagster(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="must name a PostgreSQL"):
        storage_url(some_settings(tmp_path, dagster_database_url="sqlite:///x.db"))


def test_a_broken_url_is_not_repeated(tmp_path: Path) -> None:
    """It may hold a password."""
    with pytest.raises(SettingInvalid) as caught:
        storage_url(some_settings(tmp_path, database_url="s3cret"))
    assert "s3cret" not in str(caught.value)
    assert "AILA_DATABASE_URL" in str(caught.value)


def test_a_postgresql_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    settings = some_settings(tmp_path, database_url="postgresql+psycopg2://aila:s3cret@127.0.0.1:1/aila")
    with pytest.raises(DagsterUnavailable) as caught:
        write_dagster_home(settings)
    assert "s3cret" not in str(caught.value)


@pytest.fixture
def ledger_url() -> Iterator[str]:
    """A schema of the test's own in the PostgreSQL for tests, dropped at the end with the one beside it."""
    server = os.environ.get("AILA_TEST_DATABASE_URL")
    if not server:
        pytest.fail("AILA_TEST_DATABASE_URL names no PostgreSQL; tools/services/run starts one")
    name = f"test_{secrets.token_hex(6)}"
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(CreateSchema(name))
    yield make_url(server).update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(hide_password=False)
    with engine.begin() as connection:
        for schema in (name, f"{name}_dagster"):
            connection.execute(DropSchema(schema, cascade=True, if_exists=True))
    engine.dispose()


@pytest.mark.slow
@pytest.mark.services
def test_dagster_works_on_the_ledgers_postgresql_beside_its_tables(tmp_path: Path, ledger_url: str) -> None:
    """A whole stack runs a job there, and makes no table in the ledger's schema, `alembic_version` least of all."""
    settings = some_settings(tmp_path, database_url=ledger_url)
    with Stack(settings, dagster_port=0, module="aila_pipeline_tests.sleeping_definitions") as stack:
        client = DagsterClient(stack.dagster_url)
        run, deadline = client.launch("take_nap"), time.monotonic() + 120
        while (status := client.run_status(run)) not in {"SUCCESS", "FAILURE"} and time.monotonic() < deadline:
            time.sleep(0.2)
        assert status == "SUCCESS"
    engine = create_engine(ledger_url)
    schema = ledger_url.rpartition("%3D")[2]
    tables = inspect(engine)
    assert tables.get_table_names(schema=schema) == []
    assert {"runs", "event_logs", "alembic_version"} <= set(tables.get_table_names(schema=f"{schema}_dagster"))
    assert not (tmp_path / "dagster" / "database").exists()
    engine.dispose()
