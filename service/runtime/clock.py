"""The only places that read the time and draw chance."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Protocol

CHANCE_BYTES = 8
DRAWS_AT_ONCE = 64


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, UTC, with microseconds."""
        ...


class NewId(Protocol):
    def __call__(self, prefix: str) -> str:
        """`<prefix>_` and 32 hex digits whose text order is the order of drawing."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class TimeOrderedIds:
    """Draws ids in the UUIDv7 layout: 48 bits of milliseconds, 12 of sequence, 62 of chance.

    The sequence keeps ids of one process in order inside a millisecond; when it is used up, or the
    clock steps back, the next millisecond is borrowed, so the order never breaks.
    """

    def __init__(self) -> None:
        self._last_ms = 0
        self._sequence = 0
        self._chance = b""

    def __call__(self, prefix: str) -> str:
        now_ms = time.time_ns() // 1_000_000
        if now_ms > self._last_ms:
            self._last_ms, self._sequence = now_ms, 0
        elif self._sequence < 0xFFF:
            self._sequence += 1
        else:
            self._last_ms, self._sequence = self._last_ms + 1, 0
        # One call to the system for many ids; it costs as much as the rest of the drawing.
        if not self._chance:
            self._chance = secrets.token_bytes(CHANCE_BYTES * DRAWS_AT_ONCE)
        chance = int.from_bytes(self._chance[:CHANCE_BYTES]) >> 2
        self._chance = self._chance[CHANCE_BYTES:]
        number = self._last_ms << 80 | 0x7 << 76 | self._sequence << 64 | 0b10 << 62 | chance
        return f"{prefix}_{number:032x}"
