"""What every store refuses alike, so that a memory and a file take nothing that PostgreSQL would not."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from service.errors.storage import StoreRefused

# An entry of an index has a third of a page, and holds an instant and an id beside the text.
INDEXED_BYTES_MAX = 2_400
# What is looked up or listed by; other texts have no such bound.
INDEXED = frozenset(
    {
        "actor_id",
        "correlation_id",
        "created_by",
        "idempotency_key",
        "mandate_id",
        "portfolio_id",
        "proposal_id",
        "reason_code",
        "request_hash",
        "scenario",
        "scope",
    }
)
# By the type of a row, those of its fields that an index has.
_indexed: dict[type, tuple[str, ...]] = {}
# PostgreSQL's names of what it would say.
TOO_LONG, NOT_ENCODABLE = "54000", "22021"


def require_storable(*rows: Any) -> None:
    """Raises StoreRefused for a text of a row that no index or no encoding takes; None is no row."""
    for row in rows:
        if row is None:
            continue
        names = _indexed.get(type(row))
        if names is None:
            named = tuple(field.name for field in fields(row) if field.name in INDEXED)
            names = _indexed[type(row)] = named
        for name in names:
            text = getattr(row, name)
            if text is not None:
                require_indexable(text)


def require_indexable(text: str) -> None:
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise StoreRefused(sqlstate=NOT_ENCODABLE) from error
    if "\0" in text:
        raise StoreRefused(sqlstate=NOT_ENCODABLE)
    if size > INDEXED_BYTES_MAX:
        raise StoreRefused(sqlstate=TOO_LONG)
