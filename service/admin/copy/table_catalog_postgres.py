"""The rows of a PostgreSQL database: read at one instant, or added to, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import IsolationLevel, sql

from service.admin.copy.table_catalog import Reference, Row, Table, plain, spelled, tables_of
from service.storage.postgres.addresses import writable
from service.storage.queries import load

SQL = load("postgres", "catalog")
ROWS_AT_ONCE = 200
# A statement takes 65,535 parameters; a server holds the whole of it in memory, and so do we.
PARAMETERS_MAX = 30_000
BYTES_MAX = 8 * 1024 * 1024


class PostgresTables:
    def __init__(self, dsn: str, *, application_name: str) -> None:
        self._db = psycopg.connect(writable(dsn), autocommit=True, fallback_application_name=application_name)
        self._db.execute("SET TIME ZONE 'UTC'")

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Whatever is read inside is of one instant, and nothing can be written."""
        self._db.isolation_level, self._db.read_only = IsolationLevel.REPEATABLE_READ, True
        try:
            with self._db.transaction():
                yield
        finally:
            self._db.isolation_level, self._db.read_only = None, None

    @contextmanager
    def act(self) -> Iterator[None]:
        """All that is added inside is kept, or nothing is."""
        with self._db.transaction():
            yield

    def tables(self) -> dict[str, Table]:
        """With what they refer to. Raises TablesRefused."""
        references: dict[str, tuple[Reference, ...]] = {}
        for name, referred, deferred, columns, referred_columns in self._db.execute(
            SQL["list_references"].text
        ):
            found = Reference(tuple(columns), referred, tuple(referred_columns), deferred)
            references[name] = (*references.get(name, ()), found)
        return tables_of(self._db.execute(SQL["list_columns"].text).fetchall(), references)

    def rows(self, table: Table) -> Iterator[Row]:
        """Every row, in no order; inside a snapshot."""
        with self._db.cursor(name="rows") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            cursor.execute(every(table))
            for row in cursor:
                yield tuple(map(plain, row))

    def count(self, table: Table) -> int:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.name))
        found = self._db.execute(query).fetchone()
        assert found is not None, "a count is a row"
        return int(found[0])

    def keys_among(self, table: Table, keys: Sequence[Row]) -> set[Row]:
        """Those of the keys that have a row already."""
        query = sql.SQL("SELECT {key} FROM {table} WHERE ({key}) IN ({places})").format(
            key=listed(table.key),
            table=sql.Identifier(table.name),
            places=sql.SQL(", ").join([marks(table.key)] * len(keys)),
        )
        values = [
            spelled(value, kind) for key in keys for value, kind in zip(key, kinds_of_key(table), strict=True)
        ]
        return {tuple(map(plain, row)) for row in self._db.execute(query, values)}

    def add(self, table: Table, rows: Sequence[Row]) -> int:
        """Adds those rows whose keys are free, and gives back how many; inside an act."""
        kinds = [table.kinds[name] for name in table.names]
        added = 0
        for part in parts_of(rows):
            query = sql.SQL(
                "INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE VALUES {rows} ON CONFLICT DO NOTHING"
            ).format(
                table=sql.Identifier(table.name),
                names=listed(table.names),
                rows=sql.SQL(", ").join([marks(table.names)] * len(part)),
            )
            values = [spelled(value, kind) for row in part for value, kind in zip(row, kinds, strict=True)]
            added += self._db.execute(query, values).rowcount
        return added

    def set_sequences(self) -> None:
        """Has what is numbered next come after all that is there."""
        for table, column, sequence in self._db.execute(SQL["list_sequences"].text).fetchall():
            query = sql.SQL("SELECT setval({sequence}, max({column})) FROM {table}").format(
                sequence=sql.Literal(sequence),
                column=sql.Identifier(column),
                table=sql.Identifier(table),
            )
            self._db.execute(query)


def parts_of(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows in portions that one statement can take."""
    part: list[Row] = []
    parameters = size = 0
    for row in rows:
        weight = sum(len(value) for value in row if isinstance(value, str | bytes))
        if part and (parameters + len(row) > PARAMETERS_MAX or size + weight > BYTES_MAX):
            yield part
            part, parameters, size = [], 0, 0
        part.append(row)
        parameters, size = parameters + len(row), size + weight
    if part:
        yield part


def every(table: Table) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {}").format(listed(table.names), sql.Identifier(table.name))


def listed(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def marks(names: Sequence[str]) -> sql.Composed:
    return sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * len(names)))


def kinds_of_key(table: Table) -> list[str]:
    return [table.kinds[name] for name in table.key]
