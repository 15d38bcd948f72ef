"""The table of log events: every call of a logger, and the sentences of service/observability/events.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.docs.sources import calls_in, modules, texts_in
from scripts.docs.tables import codes_of, table_of
from service.observability.events import EVENTS

LEVELS = ("debug", "info", "warning", "error", "exception", "critical")
# What every line has, or what stands for a trace.
UNSAID = frozenset({"exc_info", None})


@dataclass(frozen=True, slots=True)
class Said:
    """One call that logs one event, with the names of its facts."""

    event: str
    level: str
    facts: tuple[str, ...]
    place: str


def table(_: str) -> str:
    """Every event once, by name. Raises KeyError for one without a sentence."""
    calls = list(logged())
    rows = []
    for event in sorted({call.event for call in calls}):
        own = [call for call in calls if call.event == event]
        levels = codes_of(dict.fromkeys(call.level for call in own))
        facts = codes_of(dict.fromkeys(fact for call in own for fact in call.facts))
        rows.append((f"`{event}`", levels, EVENTS[event], facts))
    return table_of(("event", "level", "says", "facts"), rows)


def logged() -> Iterator[Said]:
    """Every call of a logger with a literal event."""
    for path in modules():
        for call in calls_in(path):
            level, event = level_and_event(call)
            facts = tuple(
                keyword.arg
                for keyword in call.keywords
                if keyword.arg is not None and keyword.arg not in UNSAID
            )
            for text in texts_in(event):
                yield Said(text, level, facts, f"{path.name}:{call.lineno}")


def level_and_event(call: ast.Call) -> tuple[str, ast.AST | None]:
    """How loud a call is and the node of its event; None where it does not log."""
    first = call.args[0] if call.args else None
    match call.func:
        case ast.Attribute(value=ast.Name(id="logger"), attr=level) if level in LEVELS:
            return ("error" if level == "exception" else level), first
        case ast.Attribute(attr="log") if len(call.args) == 2:
            return "warning", call.args[1]
        case ast.Name(id="log"):
            return "info", first
        case _:
            return "", None
