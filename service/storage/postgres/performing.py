"""Performs acts on a PostgreSQL connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import asyncpg

from service.storage.postgres.database import Database
from service.storage.postgres.statements import Connection, every, many
from service.storage.queries import load_all
from service.storage.sql.acts import Act, ReferenceMissing, Row, Statement

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")

QUERIES = load_all("postgres")


class PostgresActs:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def write(self, act: Callable[P, Act[T]], *args: P.args, **named: P.kwargs) -> T:
        async with self.database.act() as conn:
            return await perform(conn, act, *args, **named)

    async def read(self, act: Callable[P, Act[T]], *args: P.args, **named: P.kwargs) -> T:
        async with self.database.look() as conn:
            return await perform(conn, act, *args, **named)

    async def read_snapshot(self, act: Callable[P, Act[T]], *args: P.args, **named: P.kwargs) -> T:
        async with self.database.snapshot() as conn:
            return await perform(conn, act, *args, **named)

    async def write_then_read(self, act: Callable[[], Act[T]], then: Callable[[T], Act[U]]) -> U:
        return await self.read(then, await self.write(act))


async def perform(conn: Connection, begin: Callable[P, Act[T]], *args: P.args, **named: P.kwargs) -> T:
    act = begin(*args, **named)
    try:
        asked = next(act)
        while True:
            try:
                rows = await answered(conn, asked)
            except asyncpg.ForeignKeyViolationError as fault:
                asked = thrown_into(act, fault)
            else:
                asked = act.send(rows)
    except StopIteration as done:
        value: T = done.value
        return value


def thrown_into(act: Act[T], fault: asyncpg.ForeignKeyViolationError) -> Statement:
    """What the act asks next; an act that does not expect it is refused with the fault."""
    try:
        return act.throw(ReferenceMissing())
    except ReferenceMissing:
        raise fault from None


async def answered(conn: Connection, asked: Statement) -> list[Row]:
    query = QUERIES[asked.noun][asked.name]
    if len(asked.values) == 1:
        return await every(conn, query, **asked.values[0])
    return await many(conn, query, asked.values)
