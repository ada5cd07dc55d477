"""Opening: from `--home` and the environment to settings, ledger and store.

Lives here: reading the settings, opening what a command asks for, closing it, and where Dagster's pages and the API
are. Does not: creating anything; a command that reads leaves no trace, not even an empty ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import sqlalchemy as sa
from pydantic import ValidationError
from pydantic_settings import SettingsError

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.errors import LedgerMissing, SettingInvalid
from aila_pipeline.settings import Settings

_DAGSTER_FILE, _API_FILE = "dagster-url", "api-url"
_API = "http://127.0.0.1:8000"


class Opened:
    """A home, opened as far as it is used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, which must exist and have this program's schema.

        Raises LedgerMissing, LedgerUnavailable, or SettingInvalid for another schema.
        """
        if not ledger_exists(self.settings):
            raise LedgerMissing(place(self.settings))
        ledger = Ledger(self.settings.ledger_url)
        try:
            ledger.require_schema()
        except BaseException:
            ledger.close()
            raise
        return ledger

    @cached_property
    def store(self) -> ObjectStore:
        """The object store."""
        return open_store(self.settings.store_url)

    def run_url(self, run_id: str) -> str:
        """Where a person looks at a run."""
        return f"{dagster_url(self.settings)}/runs/{run_id}"

    def close(self) -> None:
        """Give connections back."""
        if "ledger" in self.__dict__:
            self.ledger.close()


@contextmanager
def opened(home: Path | None) -> Iterator[Opened]:
    """The home that the option or AILA_HOME names."""
    found = Opened(read_settings(home))
    try:
        yield found
    finally:
        found.close()


def read_settings(home: Path | None) -> Settings:
    """All settings; SettingInvalid names the first wrong one without its value, which may be a password."""
    try:
        return Settings(home=home) if home is not None else Settings()
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        # What concerns several settings names them itself, and has no place.
        name = "".join(f"AILA_{part}: ".upper() for part in problem["loc"][:1])
        raise SettingInvalid(f"{name}{problem['msg'].removeprefix('Value error, ')}") from None
    except SettingsError as error:
        raise SettingInvalid(str(error)) from None


def ledger_exists(settings: Settings) -> bool:
    """Whether there is a file, where the ledger is one; a server is asked later."""
    url = _url(settings)
    return url.get_backend_name() != "sqlite" or bool(url.database and Path(url.database).is_file())


def place(settings: Settings) -> str:
    """The ledger's address, fit to be shown."""
    url = _url(settings)
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def dagster_url(settings: Settings) -> str:
    """AILA_DAGSTER_URL; unless it is set, where `aila up` last said that Dagster answers."""
    noted = _noted(settings, _DAGSTER_FILE) if "dagster_url" not in settings.model_fields_set else None
    return noted or settings.dagster_url.rstrip("/")


def api_url(settings: Settings, given: str | None = None) -> str:
    """`given` (--api), else AILA_API_URL, else where `aila up` last said that the API answers."""
    return (given or settings.api_url or _noted(settings, _API_FILE) or _API).rstrip("/")


def note_dagster_url(settings: Settings, url: str) -> None:
    """Let other commands on this home find the Dagster that is being started."""
    (settings.home / _DAGSTER_FILE).write_text(url + "\n", encoding="utf-8")


def note_api_url(settings: Settings, url: str) -> None:
    """The same for the API."""
    (settings.home / _API_FILE).write_text(url + "\n", encoding="utf-8")


def _noted(settings: Settings, name: str) -> str | None:
    try:
        return (settings.home / name).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def _url(settings: Settings) -> sa.URL:
    try:
        return sa.make_url(settings.ledger_url)
    except sa.exc.ArgumentError:
        raise SettingInvalid("AILA_DATABASE_URL is no database URL") from None
