"""The rows of a SQLite file, which is only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from service.admin.copy.table_catalog import Row, Table, plain, tables_of
from service.storage.queries import load

SQL = load("sqlite", "catalog")
ROWS_AT_ONCE = 200


class SqliteTables:
    def __init__(self, path: Path) -> None:
        # Not mode=ro, which would leave the files of the write-ahead log behind.
        self._db = sqlite3.connect(path.absolute().as_uri() + "?mode=rw", uri=True, isolation_level=None)
        try:
            self._db.execute("PRAGMA query_only=ON")
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Whatever is read inside is of the instant of the first read."""
        self._db.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def tables(self) -> dict[str, Table]:
        """Without what they refer to. Raises TablesRefused."""
        return tables_of(self._db.execute(SQL["list_columns"].text).fetchall(), {})

    def rows(self, table: Table) -> Iterator[Row]:
        """Every row, by its key."""
        after: Row | None = None
        while found := self.page(table, after, ROWS_AT_ONCE):
            yield from found
            after = table.key_of(found[-1])

    def page(self, table: Table, after: Row | None, limit: int) -> list[Row]:
        """So many rows whose keys come next after a key; from the first on when it is None."""
        key = listed(table.key)
        beyond = f"WHERE ({key}) > ({marks(table.key)})" if after is not None else ""
        text = f"{every(table)} {beyond} ORDER BY {key} LIMIT ?"
        return self._fetch(text, (*(after or ()), limit))

    def rows_at(self, table: Table, columns: Sequence[str], places: Sequence[Row]) -> list[Row]:
        """The rows that have one of the given values in the columns, by their keys."""
        one = f"({marks(columns)})"
        text = (
            f"{every(table)} WHERE ({listed(columns)}) IN (VALUES {', '.join([one] * len(places))})"
            f" ORDER BY {listed(table.key)}"
        )
        return self._fetch(text, [value for place in places for value in place])

    def count(self, table: Table) -> int:
        ((found,),) = self._db.execute(f"SELECT count(*) FROM {quoted(table.name)}")
        return int(found)

    def _fetch(self, text: str, values: Sequence[object]) -> list[Row]:
        return [tuple(map(plain, row)) for row in self._db.execute(text, values)]


def every(table: Table) -> str:
    return f"SELECT {listed(table.names)} FROM {quoted(table.name)}"


def listed(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names))


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def marks(names: Sequence[str]) -> str:
    return ", ".join("?" * len(names))
