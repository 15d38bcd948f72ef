"""Named queries from the .sql files of one dialect, and where those files lie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Installed, sql/ and what else setup.py names lie inside the package; in a checkout, beside it.
PACKAGE = Path(__file__).resolve().parents[1]
SHIPPED = PACKAGE if (PACKAGE / "sql").is_dir() else PACKAGE.parent
SQL_DIR = SHIPPED / "sql"
MIGRATIONS_DIR = SHIPPED / "migrations"

HEADER = re.compile(r"^-- name: (\S+)$", re.MULTILINE)
# A quoted literal, a comment, a cast, or a :parameter; only the last is rewritten.
TOKEN = re.compile(r"'(?:[^']|'')*'|--[^\n]*|::\w+|:([a-z_][a-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Query:
    name: str
    text: str
    params: tuple[str, ...]
    names: frozenset[str]

    def named(self, values: Mapping[str, object]) -> Mapping[str, object]:
        """The values, once it is sure that none is missing and none is too many."""
        assert values.keys() == self.names, (self.name, sorted(values))
        return values

    def positional(self, values: Mapping[str, object]) -> list[object]:
        """The values in the order of the numbered text."""
        assert len(values) == len(self.params), (self.name, sorted(values))
        return [values[name] for name in self.params]


def load(dialect: str, noun: str) -> dict[str, Query]:
    """Every query of sql/<dialect>/<noun>.sql by its name; numbered parameters for postgres."""
    source = (SQL_DIR / dialect / f"{noun}.sql").read_text(encoding="utf-8")
    return parse(source, numbered=dialect == "postgres")


def load_all(dialect: str) -> dict[str, dict[str, Query]]:
    """The queries of each noun of a dialect."""
    return {path.stem: load(dialect, path.stem) for path in sorted((SQL_DIR / dialect).glob("*.sql"))}


def parse(source: str, *, numbered: bool) -> dict[str, Query]:
    preamble, *parts = HEADER.split(source)
    assert not preamble.strip(), "text before the first query belongs to none"
    queries: dict[str, Query] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        assert name not in queries, f"query {name} is defined twice"
        queries[name] = compile_query(name, body, numbered=numbered)
    return queries


def compile_query(name: str, body: str, *, numbered: bool) -> Query:
    params: list[str] = []

    def place(match: re.Match[str]) -> str:
        param: str | None = match.group(1)
        if param is None:
            return match.group(0)
        if param not in params:
            params.append(param)
        return f"${params.index(param) + 1}" if numbered else match.group(0)

    lines = [line for line in body.splitlines() if not line.lstrip().startswith("--")]
    text = TOKEN.sub(place, "\n".join(lines)).strip().removesuffix(";")
    return Query(name, text, tuple(params), frozenset(params))
