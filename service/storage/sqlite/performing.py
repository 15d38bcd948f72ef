"""Performs acts on a SQLite connection, and spells values the way its tables do."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import ParamSpec, TypeVar, cast

from service.storage.queries import Query, load_all
from service.storage.sql.acts import Act, ReferenceMissing, Row, Statement
from service.storage.sqlite.database import Database
from service.storage.sqlite.statements import instant_of, text_of

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")

# Columns of instants and deadlines are text here, and are named like this and nothing else is.
INSTANTS = ("_at", "_until", "s_before")
REFERENCE_MISSING = "SQLITE_CONSTRAINT_FOREIGNKEY"

Columns = tuple[tuple[str, ...], tuple[str, ...]]
# By the text of a query, the names of its columns and those of instants among them.
_columns: dict[str, Columns] = {}

QUERIES = load_all("sqlite")


class SqliteActs:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def write(self, act: Callable[P, Act[T]], *args: P.args, **named: P.kwargs) -> T:
        return await self.database.write(lambda conn: perform(conn, act, *args, **named))

    async def read(self, act: Callable[P, Act[T]], *args: P.args, **named: P.kwargs) -> T:
        return await self.database.read(lambda conn: perform(conn, act, *args, **named))

    async def read_snapshot(self, act: Callable[P, Act[T]], *args: P.args, **named: P.kwargs) -> T:
        return await self.database.read_snapshot(lambda conn: perform(conn, act, *args, **named))

    async def write_then_read(self, act: Callable[[], Act[T]], then: Callable[[T], Act[U]]) -> U:
        """In one hop to the thread of the writer, for which nothing but other writers waits."""
        return await self.write(followed, act, then)


def followed(act: Callable[[], Act[T]], then: Callable[[T], Act[U]]) -> Act[U]:
    return (yield from then((yield from act())))


def perform(conn: sqlite3.Connection, begin: Callable[P, Act[T]], *args: P.args, **named: P.kwargs) -> T:
    act = begin(*args, **named)
    try:
        asked = next(act)
        while True:
            try:
                rows = answered(conn, asked)
            except sqlite3.IntegrityError as fault:
                if fault.sqlite_errorname != REFERENCE_MISSING:
                    raise
                asked = thrown_into(act, fault)
            else:
                asked = act.send(rows)
    except StopIteration as done:
        value: T = done.value
        return value


def thrown_into(act: Act[T], fault: sqlite3.IntegrityError) -> Statement:
    """What the act asks next; an act that does not expect it is refused with the fault."""
    try:
        return act.throw(ReferenceMissing())
    except ReferenceMissing:
        raise fault from None


def answered(conn: sqlite3.Connection, asked: Statement) -> list[Row]:
    query = QUERIES[asked.noun][asked.name]
    if len(asked.values) == 1:
        return fetched(conn, query, asked.values[0])
    return [row for values in asked.values for row in fetched(conn, query, values)]


def fetched(conn: sqlite3.Connection, query: Query, values: Mapping[str, object]) -> list[Row]:
    given = {name: spelled(value) for name, value in values.items()}
    cursor = conn.execute(query.text, query.named(given))
    # Fetched to the end, for a statement half read would hold its transaction open.
    found = cursor.fetchall()
    if not found:
        return []
    names, instants = _columns.get(query.text) or columns_of(cursor, query)
    rows = [dict(zip(names, row, strict=True)) for row in found]
    for row in rows:
        for name in instants:
            if (text := row[name]) is not None:
                row[name] = instant_of(text)
    return cast("list[Row]", rows)


def spelled(value: object) -> object:
    if isinstance(value, datetime):
        return text_of(value)
    # A list is the JSON that `json_each` takes.
    return json.dumps(value) if isinstance(value, list) else value


def columns_of(cursor: sqlite3.Cursor, query: Query) -> Columns:
    names = tuple(column[0] for column in cursor.description)
    columns = _columns[query.text] = names, tuple(name for name in names if name.endswith(INSTANTS))
    return columns
