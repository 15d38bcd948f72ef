"""The tables of a store as its catalog describes them, and their rows in one form for both databases.

The form is that of SQLite: instants are text in UTC with six digits, flags are 0 and 1, documents are bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any, Protocol

import msgspec

__all__ = [
    "KINDS",
    "LEFT_OUT",
    "SCHEMAS_LEFT_OUT",
    "Column",
    "Digest",
    "Group",
    "Reference",
    "Row",
    "Table",
    "Tables",
    "TablesRefused",
    "digest_of",
    "groups_of",
    "plain",
    "spelled",
    "tables_of",
    "told_apart",
]

# None, text, a number or bytes.
Row = tuple[Any, ...]

# Tables that hold nothing a store could be asked for by itself, each with the reason why its rows stay.
COUNTED = "counted by the triggers of the database that the rows come into"
MIGRATION_HISTORY = "which migrations a database has had is its own affair"
LEFT_OUT: Mapping[str, str] = {
    "dpm_tallies": COUNTED,
    "dpm_tally_changes": COUNTED,
    "dpm_purging": "holds a row only inside the transaction of a purge",
    "schema_checksums": MIGRATION_HISTORY,
    "_yoyo_log": MIGRATION_HISTORY,
    "_yoyo_migration": MIGRATION_HISTORY,
    "_yoyo_version": MIGRATION_HISTORY,
}
# Schemas beside that of the store, each with the reason why nothing of it is copied or compared.
SCHEMAS_LEFT_OUT: Mapping[str, str] = {
    "queue": "only wakes workers up; what is to be done stands in dpm_operations, and a file has no workers",
}
# The types of both databases that the form above knows.
KINDS = frozenset(
    {"text", "blob", "integer", "bytea", "bigint", "boolean", "timestamp with time zone", "smallint"}
)
INSTANT = "timestamp with time zone"
FLAG = "boolean"
DIGEST_BYTES = 32

_ENCODER = msgspec.msgpack.Encoder()


class TablesRefused(Exception):
    """The tables of a store, or of two, are not such that their rows could be brought together."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: str
    # From 1 on within the primary key, 0 outside of it.
    key_place: int


@dataclass(frozen=True, slots=True)
class Reference:
    columns: tuple[str, ...]
    table: str
    referred: tuple[str, ...]
    # Only looked at on commit.
    deferred: bool


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    references: tuple[Reference, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns by name, the same in whichever order a database has them."""
        return tuple(sorted(column.name for column in self.columns))

    @property
    def key(self) -> tuple[str, ...]:
        placed = sorted((column.key_place, column.name) for column in self.columns if column.key_place)
        return tuple(name for _, name in placed)

    def key_of(self, row: Row) -> Row:
        """The key of a row that has its columns by name."""
        return tuple(row[self.names.index(name)] for name in self.key)

    @property
    def kinds(self) -> dict[str, str]:
        return {column.name: column.kind for column in self.columns}


class Tables(Protocol):
    """The tables of one database; closed when they are no longer looked at."""

    def tables(self) -> dict[str, Table]:
        """Every table by its name but those that are left out. Raises TablesRefused."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Whatever is read inside is of one instant."""

    def count(self, table: Table) -> int: ...

    def rows(self, table: Table) -> Iterator[Row]:
        """Every row, its columns by name; inside a snapshot."""

    def close(self) -> None: ...


def tables_of(
    columns: Iterable[tuple[Any, ...]], references: Mapping[str, tuple[Reference, ...]]
) -> dict[str, Table]:
    """Every table by its name but those that are left out.

    Raises TablesRefused for a column whose type has no form here, and for a table without a key.
    """
    found: dict[str, list[Column]] = {}
    for table, *column in columns:
        if table not in LEFT_OUT:
            found.setdefault(table, []).append(Column(*column))
    tables = {name: Table(name, tuple(kept), references.get(name, ())) for name, kept in found.items()}
    for one in tables.values():
        if unknown := [column for column in one.columns if column.kind not in KINDS]:
            raise TablesRefused(f"{one.name}.{unknown[0].name} is of an unknown type, {unknown[0].kind}")
        if not one.key:
            raise TablesRefused(f"{one.name} has no primary key to tell its rows by")
    return tables


def told_apart(left: Mapping[str, Table], right: Mapping[str, Table]) -> str | None:
    """The first table or column that only one of two stores has."""
    for name in sorted(left.keys() | right.keys()):
        if name not in left or name not in right:
            return f"table {name}"
        if lone := sorted(set(left[name].names) ^ set(right[name].names)):
            return f"column {name}.{lone[0]}"
        if left[name].key != right[name].key:
            return f"primary key of {name}"
    return None


def plain(value: Any) -> Any:
    """A value of either driver in the common form."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bool):
        return int(value)
    return value


def spelled(value: Any, kind: str) -> Any:
    """A value of the common form as PostgreSQL takes it for a column of that type."""
    if value is None:
        return None
    if kind == INSTANT:
        return datetime.fromisoformat(value)
    return bool(value) if kind == FLAG else value


@dataclass(frozen=True, slots=True)
class Digest:
    """How many rows there are, and what they come to in whichever order they are read."""

    rows: int
    sha256: str


def digest_of(rows: Iterable[Row]) -> Digest:
    count, total = 0, 0
    for row in rows:
        count += 1
        total += int.from_bytes(hashlib.sha256(_ENCODER.encode(row)).digest())
    return Digest(count, f"{total % (1 << 8 * DIGEST_BYTES):064x}")


@dataclass(frozen=True, slots=True)
class Group:
    """A table, and those whose rows must come in the same transaction with the rows of it they refer to."""

    lead: Table
    followers: tuple[tuple[Table, Reference], ...] = ()


def groups_of(tables: Mapping[str, Table]) -> tuple[Group, ...]:
    """All tables, so that whatever a row refers to comes before it or with it.

    Raises TablesRefused for tables that refer to each other and have none that leads them.
    """
    beyond = {name: _reached_from(name, tables) for name in tables}
    rings = {
        name: frozenset(other for other in beyond[name] | {name} if other == name or name in beyond[other])
        for name in tables
    }
    order = TopologicalSorter(
        {
            rings[name]: [rings[other] for other in sorted(beyond[name]) if rings[other] != rings[name]]
            for name in sorted(tables)
        }
    )
    return tuple(_group_of(sorted(ring), tables) for ring in order.static_order())


def _reached_from(name: str, tables: Mapping[str, Table]) -> set[str]:
    found: set[str] = set()
    ahead = [name]
    while ahead:
        for reference in tables[ahead.pop()].references:
            if reference.table not in found:
                found.add(reference.table)
                ahead.append(reference.table)
    return found


def _group_of(ring: list[str], tables: Mapping[str, Table]) -> Group:
    for name in ring:
        inside = [one for one in tables[name].references if one.table in ring and one.table != name]
        followers = {
            other: reference
            for other in ring
            if other != name
            for reference in tables[other].references
            if reference.table == name and reference.referred == tables[name].key
        }
        if all(one.deferred for one in inside) and len(followers) == len(ring) - 1:
            return Group(tables[name], tuple((tables[one], kept) for one, kept in followers.items()))
    raise TablesRefused(f"{', '.join(ring)} refer to each other in a way that is not known here")
