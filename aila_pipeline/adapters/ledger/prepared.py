"""Prepared questions: compiled once and put to the driver itself, several in one round trip where it can.

A status is polled every few seconds by many, and SQLAlchemy's own way of asking (statement cache, result, row objects)
costs as much as SQLite's or PostgreSQL's answer. What is written here is for such a question alone.

Lives here: a query as the driver's own text, and its answer as tuples with the types of its columns. Does not: any
question (polls.py), connections and their loss (database.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

R = TypeVar("R")
Asked = tuple["Prepared[Any]", Mapping[str, Any]]


class Prepared(Generic[R]):
    """One query; `row` makes something of the values of one row. Parameters must be texts and numbers."""

    def __init__(self, query: sa.Select[Any], dialect: sa.Dialect, row: Callable[[Sequence[Any]], R]) -> None:
        self._compiled = query.compile(dialect=dialect)
        self._text = str(self._compiled)
        self._row = row
        found = (column.type.dialect_impl(dialect) for column in query.selected_columns)
        processors = [kind.result_processor(dialect, None) for kind in found]
        self._processors = [(place, change) for place, change in enumerate(processors) if change is not None]

    def put(self, cursor: Any, given: Mapping[str, Any]) -> None:
        """Ask; the answer is fetched later."""
        values = self._compiled.construct_params(dict(given))
        order = self._compiled.positiontup
        cursor.execute(self._text, [values[name] for name in order] if order is not None else values)

    def answer(self, cursor: Any) -> list[R]:
        """All rows."""
        rows = cursor.fetchall()
        if self._processors:
            rows = [self._typed(row) for row in rows]
        return [self._row(row) for row in rows]

    def _typed(self, row: Sequence[Any]) -> list[Any]:
        values = list(row)
        for place, change in self._processors:
            values[place] = change(values[place])
        return values


def ask_all(connection: Any, asked: Sequence[Asked]) -> list[list[Any]]:
    """The answers of all questions over a DBAPI connection. psycopg sends them off together and then waits once."""
    cursors = [connection.cursor() for _ in asked]
    pipeline = getattr(connection, "pipeline", None)
    if pipeline is None:
        for cursor, (question, given) in zip(cursors, asked, strict=True):
            question.put(cursor, given)
    else:
        with pipeline():
            for cursor, (question, given) in zip(cursors, asked, strict=True):
                question.put(cursor, given)
    answers = [question.answer(cursor) for cursor, (question, _) in zip(cursors, asked, strict=True)]
    for cursor in cursors:
        cursor.close()
    return answers
