"""Reads one variable of the environment at a time; what cannot be used falls back, or is a fault."""

from __future__ import annotations

import re
from enum import Enum
from typing import TypeVar

from environs import Env
from marshmallow import ValidationError

# More digits than any age or size has; the interpreter refuses thousands of them.
COUNT_DIGITS_MAX = 9

# A scheme, a host and perhaps a port, as browsers spell them: no path, and nothing that stands for many.
_ORIGIN = re.compile(r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")

_ON = frozenset({"1", "true", "yes", "on"})

Choice = TypeVar("Choice", bound=Enum)


class StoreBackend(Enum):
    """Where something is kept; the value is the name shown to operations."""

    IN_MEMORY = "IN_MEMORY"
    SQL = "SQL"
    POSTGRES = "POSTGRES"


_BACKENDS = {
    "SQL": StoreBackend.SQL,
    "SQLITE": StoreBackend.SQL,
    "POSTGRES": StoreBackend.POSTGRES,
}


def read_text(env: Env, name: str, default: str = "") -> str:
    """The text of a variable without the blanks around it."""
    text: str = env.str(name, default)
    return text.strip()


def read_dsn(env: Env, name: str) -> str:
    """An address of a PostgreSQL database; anything else is a fault."""

    def is_address(text: str) -> None:
        if text.strip() and not text.strip().startswith(("postgresql://", "postgres://")):
            raise ValidationError("must be a postgresql:// address")

    text: str = env.str(name, "", validate=is_address) or ""
    return text.strip()


def read_origins(env: Env, name: str) -> tuple[str, ...]:
    """Origins of pages, with commas between them; what is none is a fault."""

    def are_origins(text: str) -> None:
        if any(_ORIGIN.fullmatch(origin) is None for origin in _parts_of(text)):
            raise ValidationError("must be origins like https://desk.example, with commas between them")

    text: str = env.str(name, "", validate=are_origins) or ""
    return tuple(dict.fromkeys(_parts_of(text)))


def _parts_of(text: str) -> list[str]:
    return [part.strip().lower() for part in text.split(",") if part.strip()]


def read_flag(env: Env, name: str, *, default: bool) -> bool:
    """Whether a variable says yes."""
    # Any text that is not a yes is a no, the empty text included (contract section 11).
    return read_text(env, name, "on" if default else "off").lower() in _ON


def read_count_or_default(env: Env, name: str, default: int, *, least: int = 1) -> int:
    """A number in digits; what is none falls back."""
    text = read_text(env, name)
    digits = text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS_MAX
    return int(text) if digits and int(text) >= least else default


def read_count(env: Env, name: str, default: int, *, least: int = 1, most: int | None = None) -> int:
    """A number; what is none, less than the least or more than the most, is a fault."""

    def within(value: int) -> None:
        if value < least:
            raise ValidationError(f"must be at least {least}")
        if most is not None and value > most:
            raise ValidationError(f"must be at most {most}")

    found = env.int(name, default, validate=within)
    return found if isinstance(found, int) else default


def read_known_or_default(env: Env, name: str, default: Choice) -> Choice:
    """A word of a vocabulary, in any case; another falls back."""
    given = read_text(env, name).upper()
    return next((choice for choice in type(default) if choice.value == given), default)


def read_one_of(env: Env, name: str, default: Choice) -> Choice:
    """A word of a vocabulary; another is a fault."""
    found = env.enum(name, default, enum=type(default), by_value=True)
    return found if isinstance(found, type(default)) else default


def read_backend(env: Env, name: str) -> StoreBackend:
    """The store a variable names; anything else is the memory of the process."""
    return _BACKENDS.get(read_text(env, name).upper(), StoreBackend.IN_MEMORY)
