"""Dagster's home: the configuration that fits this project, written from the settings.

Lives here: `dagster.yaml` and the workspace file as data, where Dagster stores its tables, the environment its
processes need. Does not: starting them (stack.py), or our own tables (the ledger). The `dagster.yaml` at the top of the
repository is this configuration for the default settings, with the reasons as comments; a test holds the two together.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.schema import CreateSchema

from aila_pipeline.adapters.dagster_client import CODE_LOCATION
from aila_pipeline.errors import DagsterUnavailable, SettingInvalid
from aila_pipeline.settings import Settings

STORAGE_URL_VARIABLE = "AILA_DAGSTER_STORAGE_URL"
"""Names the PostgreSQL of Dagster's tables to its processes; its value holds a password and is in no file."""

POSTGRES_SCHEMA = "dagster"
"""Dagster's tables lie in a schema of this name when they share a database with the ledger."""

_SEARCH_PATH = re.compile(r"-c\s*search_path=(\w+)")

_LONGEST_SOCKET_PATH = 100
"""Bytes; `sun_path` holds 108 on Linux and 104 on macOS."""


def dagster_config(settings: Settings) -> dict[str, Any]:
    """The content of `dagster.yaml`; the file at the top of the repository gives the reason for each value."""
    return {
        "storage": _storage(settings),
        "run_queue": {
            "dequeue_interval_seconds": 1,
            "max_user_code_failure_retries": 5,
            "user_code_failure_retry_delay": 5,
        },
        "concurrency": {
            "runs": {"max_concurrent_runs": settings.max_shards_in_flight + 3},
            "pools": {"granularity": "run", "default_limit": settings.max_shards_in_flight},
        },
        "run_monitoring": {
            "enabled": True,
            "poll_interval_seconds": 10,
            "start_timeout_seconds": 180,
            "cancel_timeout_seconds": 60,
            "cancellation_thread_poll_interval_seconds": 5,
            "max_resume_run_attempts": 0,
            "free_slots_after_run_end_seconds": 10,
        },
        "run_retries": {"enabled": False},
        "sensors": {"use_threads": True, "num_workers": 4},
        "schedules": {"use_threads": True, "num_workers": 2},
        "backfills": {"use_threads": True, "num_workers": 2},
        "auto_materialize": {"enabled": False, "use_sensors": False},
        "freshness": {"enabled": False},
        "retention": {
            "sensor": {"purge_after_days": {"skipped": 1, "started": 1, "success": 7, "failure": 30}},
            "schedule": {"purge_after_days": {"skipped": 7, "started": 7, "success": 30, "failure": 30}},
        },
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }


def storage_url(settings: Settings) -> URL | None:
    """The PostgreSQL of Dagster's tables, or None: SQLite files under the home.

    In the ledger's database they get a schema of their own, so that no name of Dagster's (it has `runs`, `jobs`,
    `alembic_version` …) meets one of ours, now or after an upgrade.

    Raises:
        SettingInvalid: a URL that cannot be read, or one for Dagster that is no PostgreSQL.
    """
    ledger = _url(settings.ledger_url, "AILA_DATABASE_URL")
    given = settings.dagster_database_url
    url = _url(given, "AILA_DAGSTER_DATABASE_URL") if given else ledger
    if url.get_backend_name() != "postgresql":
        if given:
            raise SettingInvalid("AILA_DAGSTER_DATABASE_URL must name a PostgreSQL database, or be left out")
        return None
    # dagster-postgres speaks psycopg2; SQLAlchemy 2.1 takes psycopg (3) where a URL names no driver.
    url = url.set(drivername="postgresql+psycopg2")
    if given and (_SEARCH_PATH.search(_options(url)) or _place(url) != _place(ledger)):
        return url
    theirs = _SEARCH_PATH.search(_options(ledger))
    schema = f"{theirs[1]}_{POSTGRES_SCHEMA}" if theirs else POSTGRES_SCHEMA
    kept = _SEARCH_PATH.sub("", _options(url)).strip()
    return url.update_query_dict({"options": f"{kept} -csearch_path={schema}".strip()})


def dagster_environment(settings: Settings) -> dict[str, str]:
    """The variables with which any Dagster process, or `DagsterInstance.get()`, finds this home."""
    url = storage_url(settings)
    variables = {"DAGSTER_HOME": str(settings.dagster_home), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    if url is not None:
        variables[STORAGE_URL_VARIABLE] = url.render_as_string(hide_password=False)
    return variables


def code_socket(settings: Settings) -> Path:
    """Where the code server listens: a socket file, so that nobody else on the machine can have runs started.

    It is the same after a restart, so a run's tags tell which home's code server worked on it.
    """
    path = settings.dagster_home / "code.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    # The directory is made private by `write_dagster_home`.
    name = f"aila-{os.getuid()}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}"
    return Path(tempfile.gettempdir()) / name / "code.sock"


def workspace_file(settings: Settings) -> Path:
    """The workspace that webserver and daemon share: one code server, not a copy of the definitions for each."""
    return settings.dagster_home / "workspace.yaml"


def write_dagster_home(settings: Settings) -> Path:
    """Writes `dagster.yaml` and the workspace file, makes PostgreSQL's schema, returns the directory.

    Raises:
        SettingInvalid: see `storage_url`; or the home cannot be written to.
        DagsterUnavailable: PostgreSQL does not answer.
    """
    home, socket = settings.dagster_home, code_socket(settings)
    server = {"grpc_server": {"socket": str(socket), "location_name": CODE_LOCATION}}
    try:
        home.mkdir(parents=True, exist_ok=True)
        if socket.parent != home:
            socket.parent.mkdir(mode=0o700, exist_ok=True)
            _assert_private(socket.parent)
        _replace(home / "dagster.yaml", dagster_config(settings))
        _replace(workspace_file(settings), {"load_from": [server]})
    except OSError as error:
        raise SettingInvalid(f"AILA_HOME cannot be written to ({error.strerror}: {error.filename})") from error
    url = storage_url(settings)
    schema = _SEARCH_PATH.search(_options(url)) if url is not None else None
    if url is not None and schema is not None:
        _make_schema(url, schema[1])
    return home


def _storage(settings: Settings) -> dict[str, Any]:
    if storage_url(settings) is None:
        # Without a base_dir the files lie strewn over the home; absolute, so that no process's directory matters.
        return {"sqlite": {"base_dir": str(settings.dagster_home / "database")}}
    return {"postgres": {"postgres_url": {"env": STORAGE_URL_VARIABLE}}}


def _options(url: URL) -> str:
    return str(url.query.get("options", ""))


def _place(url: URL) -> tuple[str | None, int, str | None]:
    return url.host, url.port or 5432, url.database


def _url(value: str, setting: str) -> URL:
    try:
        return make_url(value)
    except ArgumentError:
        # Not the error's own text: it repeats the URL, and with it the password.
        raise SettingInvalid(
            f"{setting} is no database URL, like postgresql+psycopg2://user:password@host/name"
        ) from None


def _make_schema(url: URL, name: str) -> None:
    """A search path that names no schema at all would leave Dagster nowhere to make its tables."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(CreateSchema(name, if_not_exists=True))
    except SQLAlchemyError as error:
        raise DagsterUnavailable(f"its PostgreSQL, {type(error).__name__}") from error
    finally:
        engine.dispose()


def _assert_private(directory: Path) -> None:
    """A directory in the temporary directory that someone else made first would let them in."""
    found = directory.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or directory.is_symlink():
        raise SettingInvalid(f"{directory} belongs to someone else; give AILA_HOME a shorter path")


def _replace(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all: a process that starts meanwhile never reads half a file."""
    fresh = path.with_suffix(".new")
    fresh.write_text(
        "# Written by `aila up`; changes are lost. See dagster.yaml in the repository for the reasons.\n"
        + yaml.safe_dump(content, sort_keys=False),
        encoding="utf-8",
    )
    fresh.replace(path)
