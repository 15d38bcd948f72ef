"""Brings every row of a SQLite file into a PostgreSQL database; what is there already stays as it is.

What was done is read off the database itself, so a copy that was cut off goes on where it ended. A batch is
one transaction, and holds whatever its rows refer to or comes after what they refer to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from service.admin.copy.table_catalog import (
    Digest,
    Group,
    Row,
    Table,
    TablesRefused,
    digest_of,
    groups_of,
    told_apart,
)
from service.admin.copy.table_catalog_postgres import PostgresTables
from service.admin.copy.table_catalog_sqlite import SqliteTables

__all__ = ["Copied", "CopyRefused", "Copying", "RowRefused"]


class CopyRefused(Exception):
    """The database holds something that is no part of the file; nothing of it was overwritten."""


class RowRefused(CopyRefused):
    """One row of the database is not in the file, or is another one there."""

    def __init__(self, table: Table, key: Row, differing: tuple[str, ...]) -> None:
        self.table, self.key, self.differing = table.name, key, differing
        place = ", ".join(f"{name} {value!r}" for name, value in zip(table.key, key, strict=True))
        what = f"has another {', '.join(differing)} there" if differing else "is not in the file"
        super().__init__(f"{table.name}: the row of {place} {what}; nothing was overwritten")


@dataclass(frozen=True, slots=True)
class Copied:
    """What came of one table: what the file holds, what the database holds, what was added in this run."""

    table: str
    source: Digest
    target: Digest
    added: int

    @property
    def equal(self) -> bool:
        return self.source == self.target


class Copying:
    def __init__(self, source: SqliteTables, target: PostgresTables, *, batch: int) -> None:
        """Raises TablesRefused."""
        self._source = source
        self._target = target
        self._batch = batch
        # What refers to what is said by the database alone; both say which columns there are.
        self._tables = target.tables()
        if lone := told_apart(source.tables(), self._tables):
            raise TablesRefused(f"{lone} is not on both sides")
        self._groups = groups_of(self._tables)
        self._begun: set[str] = set()

    def run(self) -> tuple[Copied, ...]:
        """Raises RowRefused before anything is added. The file may have changed while it was copied."""
        with self._source.snapshot():
            self._require_part()
            added = {name: 0 for name in self._tables}
            for group in self._groups:
                for name, count in self._copy(group):
                    added[name] += count
        self._target.set_sequences()
        return self._compared(added)

    def _require_part(self) -> None:
        """That every row of the database is in the file, and the same there. Raises RowRefused."""
        with self._target.snapshot():
            for table in self._tables.values():
                if self._target.count(table):
                    self._begun.add(table.name)
                rows = self._target.rows(table)
                while part := list(islice(rows, self._batch)):
                    self._require_rows(table, part)

    def _require_rows(self, table: Table, rows: list[Row]) -> None:
        keys = [table.key_of(row) for row in rows]
        kept = {table.key_of(row): row for row in self._source.rows_at(table, table.key, keys)}
        for key, row in zip(keys, rows, strict=True):
            if key not in kept:
                raise RowRefused(table, key, ())
            if kept[key] != row:
                pairs = zip(table.names, kept[key], row, strict=True)
                raise RowRefused(table, key, tuple(name for name, left, right in pairs if left != right))

    def _copy(self, group: Group) -> Iterator[tuple[str, int]]:
        """Adds what is missing, a batch at a time; how many rows of which table."""
        after: Row | None = None
        while page := self._source.page(group.lead, after, self._batch):
            after = group.lead.key_of(page[-1])
            if missing := self._missing(group.lead, page):
                yield from self._add(group, missing)

    def _missing(self, table: Table, page: list[Row]) -> list[Row]:
        if table.name not in self._begun:
            return page
        there = self._target.keys_among(table, [table.key_of(row) for row in page])
        return [row for row in page if table.key_of(row) not in there]

    def _add(self, group: Group, rows: list[Row]) -> list[tuple[str, int]]:
        keys = [group.lead.key_of(row) for row in rows]
        with self._target.act():
            added = [(group.lead.name, self._target.add(group.lead, rows))]
            for table, reference in group.followers:
                following = self._source.rows_at(table, reference.columns, keys)
                added.append((table.name, self._target.add(table, following)))
        return added

    def _compared(self, added: Mapping[str, int]) -> tuple[Copied, ...]:
        """Both sides, read from their first row to their last once more."""
        with self._source.snapshot(), self._target.snapshot():
            return tuple(
                Copied(
                    name,
                    digest_of(self._source.rows(table)),
                    digest_of(self._target.rows(table)),
                    added[name],
                )
                for name, table in sorted(self._tables.items())
            )
