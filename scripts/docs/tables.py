"""Tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with its rows in the order in which they come."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def codes_of(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def sentence_of(text: str) -> str:
    """The first paragraph of a docstring on one line, without its full stop."""
    return " ".join(text.strip().split("\n\n")[0].split()).removesuffix(".")
