"""The database under the ledger: SQLite when embedded, PostgreSQL in production, one way to write on both.

Lives here: engines, transactions, the retry of what two writers do to each other. Does not: any table.

SQLite has no row locks, SQLAlchemy drops FOR UPDATE there without a word, and a transaction that reads first and
writes later fails at once with "database is locked" whatever the timeout is. So writers begin with BEGIN IMMEDIATE.
No object-store or network call may happen inside a transaction.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from aila_pipeline.adapters.ledger.prepared import Asked, ask_all
from aila_pipeline.errors import LedgerUnavailable, SettingInvalid

T = TypeVar("T")

_WRITE, _GLANCE = "aila_write", "aila_glance"
_TRIES = 8
_RETURNED, _IDLE_SECONDS = "aila_returned", 5.0
# serialization_failure and deadlock_detected: PostgreSQL asks the client to run the transaction again.
_PG_RETRY = frozenset({"40001", "40P01"})


class Database:
    """An engine with two verbs: `read` and `write`, each running a function in one transaction."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        if self.url.get_backend_name() not in {"sqlite", "postgresql"}:
            raise SettingInvalid("AILA_DATABASE_URL must be sqlite:///… or postgresql://…")
        if not self.sqlite:
            # psycopg 3 prepares what is asked again and again; psycopg2 has PostgreSQL plan it anew each time, which
            # was half of what a status poll spent in the ledger. Whatever driver the URL names is Dagster's.
            self.url = self.url.set(drivername="postgresql+psycopg")
        if self.sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        # Parameters are names, numbers and texts of calls; an exception's message must not quote them.
        self.engine = sa.create_engine(self.url, hide_parameters=True, **self._arguments())
        self._writer = self.engine.execution_options(**{_WRITE: True})
        self._glancer: sa.Engine
        if self.sqlite:
            self._glancer = self.engine.execution_options(**{_GLANCE: True})
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        else:
            # Connections of their own: to change one's isolation level and back costs as much as a question.
            self._glancer = sa.create_engine(
                self.url, hide_parameters=True, isolation_level="AUTOCOMMIT", **self._arguments()
            )
            for engine in (self.engine, self._glancer):
                sa.event.listen(engine, "checkin", _note_return)
                sa.event.listen(engine, "checkout", self._ping_what_lay_idle)

    @property
    def sqlite(self) -> bool:
        """Whether this is the embedded default."""
        return self.url.get_backend_name() == "sqlite"

    def _arguments(self) -> dict[str, Any]:
        return {"connect_args": {"timeout": 30.0}} if self.sqlite else {"connect_args": {"connect_timeout": 10}}

    def read(self, question: Callable[[sa.Connection], T]) -> T:
        """Run `question` in a transaction that writes nothing."""
        with _unavailable(), self.engine.connect() as connection:
            return question(connection)

    def glance(self, question: Callable[[sa.Connection], T]) -> T:
        """As `read`, for what is asked often: without a transaction, which on PostgreSQL saves two of four round trips.

        Each statement sees what is committed when it begins; inside a transaction it would be the same.
        """
        with _unavailable(), self._glancer.connect() as connection:
            return question(connection)

    def ask(self, *asked: Asked) -> list[list[Any]]:
        """As `glance`, the answers of prepared questions, in one round trip if the database allows it."""
        driver = self.engine.dialect.loaded_dbapi
        with _unavailable():
            borrowed = self._glancer.raw_connection()
        try:
            return ask_all(borrowed.driver_connection, asked)
        except driver.Error as error:
            # Whatever state it is in, nobody else gets it.
            borrowed.invalidate()
            if isinstance(error, driver.OperationalError | driver.InterfaceError):
                raise LedgerUnavailable(type(error).__name__) from error
            raise
        finally:
            borrowed.close()

    def write(self, change: Callable[[sa.Connection], T]) -> T:
        """Run `change` in one transaction; again from its start where the database asks for that.

        `change` must be free of effects outside the database. IntegrityError is retried too: two writers that insert
        the same key at once each looked before the other committed; the second look sees it.
        """
        for left in reversed(range(_TRIES)):
            try:
                with _unavailable(), self._writer.begin() as connection:
                    return change(connection)
            except (DBAPIError, LedgerUnavailable) as error:
                if left == 0 or not _worth_another_try(error):
                    raise
                time.sleep(random.uniform(0.01, 0.05) * (_TRIES - left))  # noqa: S311 - spreads writers, no secret
        raise AssertionError("unreachable")

    def take_turns(self, connection: sa.Connection, turn: int) -> None:
        """Wait until no other transaction of the same `turn` is open; SQLite's writers take turns anyway."""
        if not self.sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))

    def _ping_what_lay_idle(self, connection: Any, record: Any, _proxy: object) -> None:
        """A connection that was used a moment ago is alive; SQLAlchemy's own pre-ping would ask it every time."""
        returned = record.info.get(_RETURNED)
        if returned is None or time.monotonic() - returned < _IDLE_SECONDS:
            return
        try:
            self.engine.dialect.do_ping(connection)
        except self.engine.dialect.loaded_dbapi.Error as error:
            # The pool takes this for "try another one".
            raise DisconnectionError from error

    def close(self) -> None:
        """Give all connections back."""
        self._glancer.dispose()
        self.engine.dispose()


def in_groups(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """Lists of at most `size` items. The default keeps `IN (…)` well under SQLite's 32,766 variables a statement."""
    rest = iter(items)
    while group := list(islice(rest, size)):
        yield group


def _worth_another_try(error: Exception) -> bool:
    cause = error.__cause__ if isinstance(error, LedgerUnavailable) else error
    if isinstance(cause, IntegrityError):
        return True
    if not isinstance(cause, DBAPIError):
        return False
    code = getattr(cause.orig, "sqlstate", None)
    return code in _PG_RETRY or "database is locked" in str(cause.orig)


def _note_return(_connection: object, record: Any) -> None:
    record.info[_RETURNED] = time.monotonic()


@contextmanager
def _unavailable() -> Iterator[None]:
    """Tell a database that does not answer as LEDGER_UNAVAILABLE, without its address or password."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise LedgerUnavailable(type(error.orig).__name__) from error
    except PoolTimeout as error:
        raise LedgerUnavailable("all connections are in use") from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Let us begin transactions ourselves, and make what was committed survive a crash of the machine."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if not options.get(_GLANCE, False):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITE, False) else "BEGIN")
