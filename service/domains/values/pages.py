"""One page of a list, and how to ask for the next (HTTP contract 5.5)."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

# What every stored instant lies between, so that a bound that was not given is still a bound.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


# A page of items is no larger than this, however few of the rows that were asked for it holds.
PAGE_BYTES_MAX = 4 * 1024 * 1024
# What is told of one thing, as its events and the decisions on it, has no more rows on a page.
HISTORY_ROWS_MAX = 1_000
# A list leaves out a longer text of a row, which is then read alone while there is room on the page.
LISTED_TEXT_BYTES_MAX = 64 * 1024
# Items are measured as they lie in the store, which is about as they are answered.
ENCODER = msgspec.json.Encoder(enc_hook=str)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next_cursor` is None unless at least one more row follows."""

    items: tuple[T, ...]
    next_cursor: str | None


def page_of(rows: Sequence[T], limit: int, cursor_of: Callable[[T], str]) -> Page[T]:
    """The page that `limit` + 1 rows make: its limit or 4 MiB of items, whichever comes first."""
    items = within_bytes(rows[:limit])
    return Page(items, cursor_of(items[-1]) if len(rows) > len(items) else None)


def within_bytes(rows: Sequence[T], bytes_max: int = PAGE_BYTES_MAX) -> tuple[T, ...]:
    """The first rows whose JSON has at most so many bytes, and one in any case, so that a walk gets on."""
    if len(ENCODER.encode(rows)) <= bytes_max:
        return tuple(rows)
    size, count = 0, 0
    for row in rows:
        size += len(ENCODER.encode(row)) + len(",")
        if size > bytes_max:
            break
        count += 1
    return tuple(rows[: max(1, count)])


def opaque(text: str) -> str:
    """A cursor of characters that mean nothing in a query (ruling 13); ids are such cursors as they are."""
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode("ascii")


def clear(cursor: str) -> str:
    """The text that `opaque` made a cursor of; empty for what is none."""
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeError):
        return ""
    # The decoder skips what it does not know, and so would take other spellings of the same.
    return text if opaque(text) == cursor else ""


async def all_of(listing: Callable[..., Awaitable[Page[T]]], *asked: object) -> tuple[T, ...]:
    """The rows of all pages of a list; only for lists that are known to be short, and for tools."""
    rows: list[T] = []
    cursor: str | None = None
    while True:
        page = await listing(*asked, limit=HISTORY_ROWS_MAX, cursor=cursor)
        rows += page.items
        cursor = page.next_cursor
        if cursor is None:
            return tuple(rows)


def empty_page() -> Page[T]:
    """What an unknown cursor, an empty one, or one of another list is answered with (ruling 13)."""
    return Page((), None)
