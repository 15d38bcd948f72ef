"""Statements put to a database of either dialect."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from service.cli.databases import Target


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
