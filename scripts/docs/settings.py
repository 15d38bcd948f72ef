"""The table of settings: names, defaults and what an invalid value does, from the code that reads them.

The effect of a setting is written by hand in the page, and kept.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from scripts.docs.sources import calls_in, module_at, modules, texts_in
from scripts.docs.tables import table_of

ROW = re.compile(r"^\| `(?P<name>[A-Z_]+)` \| .*? \| (?P<effect>.*) \| [^|]* \|$", re.MULTILINE)
MISSING = "TO BE WRITTEN"
# The default of each reader that is given none, and what a value that it cannot use does.
READERS = {
    "read_text": ("empty", ""),
    "read_dsn": ("empty", "refuses to start"),
    "read_origins": ("empty", "refuses to start"),
    "read_flag": ("", "off"),
    "read_backend": ("`IN_MEMORY`", "`IN_MEMORY`"),
    "read_count": ("", "refuses to start"),
    "read_one_of": ("", "refuses to start"),
    "read_count_or_default": ("", "the default"),
    "read_known_or_default": ("", "the default"),
}


def table(text: str) -> str:
    """Every variable once, in the order of the modules that read them; effects are those of `text`."""
    effects = {row["name"]: row["effect"] for row in ROW.finditer(text)}
    rows: dict[str, tuple[str, ...]] = {}
    for name, default, invalid in variables():
        rows.setdefault(name, (f"`{name}`", default, effects.get(name, MISSING), invalid))
    return table_of(("variable", "default", "effect", "invalid value"), rows.values())


def variables() -> Iterator[tuple[str, str, str]]:
    """The name, default and fallback of each variable that a reader is called for."""
    for path in modules():
        for call in calls_in(path):
            reader = call.func.id if isinstance(call.func, ast.Name) else ""
            if reader in READERS and len(call.args) > 1:
                for name in texts_in(call.args[1]):
                    default, invalid = READERS[reader]
                    yield name, default or default_of(path, call), invalid


def default_of(path: Path, call: ast.Call) -> str:
    """The default that a call gives, as it is shown; what depends on machine or profile is in the effect."""
    given = [*call.args[2:3], *(word.value for word in call.keywords if word.arg == "default")]
    try:
        value = eval(  # our own sources, with the names of their module
            compile(ast.Expression(given[0]), str(path), "eval"), vars(module_at(path))
        )
    except NameError:
        return "see effect"
    return "see effect" if "cpu_count" in ast.dump(given[0]) else shown(value)


def shown(value: Any) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case Enum():
            return f"`{value.value}`"
        case _:
            return str(value)
