"""Runs a named query on a connection the caller holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from service.storage.queries import Query

Row = Mapping[str, Any]


class Connection(Protocol):
    """What is used of the driver's connection."""

    async def execute(self, query: str, *args: object) -> str: ...

    async def fetch(self, query: str, *args: object) -> list[Row]: ...

    async def fetchrow(self, query: str, *args: object) -> Row | None: ...

    async def fetchmany(self, query: str, args: Iterable[Sequence[object]]) -> list[Row]: ...


async def run(conn: Connection, query: Query, **values: object) -> int:
    """Gives back how many rows were written."""
    tag = await conn.execute(query.text, *query.positional(values))
    return int(tag.rpartition(" ")[2])


async def one(conn: Connection, query: Query, **values: object) -> Row | None:
    return await conn.fetchrow(query.text, *query.positional(values))


async def every(conn: Connection, query: Query, **values: object) -> list[Row]:
    return await conn.fetch(query.text, *query.positional(values))


async def many(conn: Connection, query: Query, rows: Iterable[Mapping[str, object]]) -> list[Row]:
    """Runs the query once for each row of values, in one trip; the rows that come back, together."""
    return await conn.fetchmany(query.text, [query.positional(values) for values in rows])
