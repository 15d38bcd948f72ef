"""What is told of one thing, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def rows_behind(rows: Sequence[T], cursor: str | None, limit: int, id_of: Callable[[T], str]) -> list[T]:
    """The `limit` + 1 rows behind the one with that id, or the first; none behind an unknown one."""
    start = 0
    if cursor is not None:
        start = next((at + 1 for at, row in enumerate(rows) if id_of(row) == cursor), len(rows))
    return list(rows[start : start + limit + 1])
