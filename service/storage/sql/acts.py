"""What a store does in SQL, written once: an act is a generator that asks statements and is given their rows.

SQLite performs an act in the thread of its writer, PostgreSQL on a connection of its pool. So an act opens no
transaction, awaits nothing and knows no driver. A database is given the function of an act and its arguments,
for it may have to perform it again: when a commit that acts share in SQLite fails, each is committed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
Row = Mapping[str, Any]


class Statement(NamedTuple):
    """A named query of sql/<dialect>/<noun>.sql, run once for each of `values`."""

    noun: str
    name: str
    values: tuple[Mapping[str, object], ...]


Act = Generator[Statement, list[Row], T]


class ReferenceMissing(Exception):
    """A row refers to one that is not there; thrown into the act that wrote it.

    An act that catches it has to raise: PostgreSQL takes no further statement after a failed one.
    """


class SqlDatabase(Protocol):
    async def write(self, act: Callable[P, Act[T]], *args: P.args, **named: P.kwargs) -> T:
        """All that the act writes is kept, or nothing is."""
        ...

    async def read(self, act: Callable[P, Act[T]], *args: P.args, **named: P.kwargs) -> T:
        """PostgreSQL reads each statement at an instant of its own."""
        ...

    async def read_snapshot(self, act: Callable[P, Act[T]], *args: P.args, **named: P.kwargs) -> T:
        """All statements of the act read at one instant."""
        ...

    async def write_then_read(self, act: Callable[[], Act[T]], then: Callable[[T], Act[U]]) -> U:
        """Write, then read what follows from it; the read holds no lock that others wait for."""
        ...


def every(noun: str, name: str, /, **values: object) -> Act[list[Row]]:
    return (yield Statement(noun, name, (values,)))


def one(noun: str, name: str, /, **values: object) -> Act[Row | None]:
    rows = yield Statement(noun, name, (values,))
    return rows[0] if rows else None


def many(noun: str, name: str, /, rows: Iterable[Mapping[str, object]]) -> Act[list[Row]]:
    """Runs the query once for each row of values, in one trip; none for none."""
    values = tuple(rows)
    return (yield Statement(noun, name, values)) if values else []
