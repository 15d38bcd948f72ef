"""What is done to a database of either dialect."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from service.admin.migrations import migrate
from service.admin.migrations.databases import Target
from service.storage.schema import shipped_for


def ask(target: Target, statement: str) -> list[tuple[Any, ...]]:
    if isinstance(target, Path):
        with closing(sqlite3.connect(target, isolation_level=None)) as conn:
            return conn.execute(statement).fetchall()
    with psycopg.connect(target, autocommit=True) as conn:
        cursor = conn.execute(statement)
        return cursor.fetchall() if cursor.description else []


def tables_in(target: Target) -> set[str]:
    listed = (
        "SELECT name FROM sqlite_schema WHERE type = 'table'"
        if isinstance(target, Path)
        else "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    )
    return {name for (name,) in ask(target, listed)}


def apply_first(target: Target, count: int) -> None:
    """Brings an empty database to where so many of the shipped files bring it."""
    dialect = "sqlite" if isinstance(target, Path) else "postgres"
    with TemporaryDirectory() as folder:
        for migration in shipped_for(dialect)[:count]:
            shutil.copy(migration.path, folder)
        migrate.apply(target, folder=Path(folder))
