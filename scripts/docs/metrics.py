"""The table of metrics, from the instruments that the code defines."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scripts.docs.sources import calls_in, modules, texts_in
from scripts.docs.tables import codes_of, table_of
from service.errors.storage_causes import StoreCause
from service.observability.instruments import ENGINE_PROCESS_ENDS
from service.observability.process_metrics import FATES
from service.observability.server_metrics import PURGED_KINDS
from service.observability.worker_metrics import OUTCOMES

PREFIX = "lotus_"
VALUES = {
    "`outcome` of an attempt": OUTCOMES,
    "`fate` of an operation that the reaper found": FATES,
    "`cause` of the end of an engine process": ENGINE_PROCESS_ENDS,
    "`cause` of a failure of the store": tuple(cause.value for cause in StoreCause),
    "`kind` of rows that retention deleted": PURGED_KINDS,
}
# A counter is exported with this ending, wherever its count is kept.
TOTAL = "_total"
PROCESSES = {"server_metrics": "server", "worker_metrics": "worker", "supervisor_metrics": "supervisor"}


def table(_: str) -> str:
    """Every metric once, by name: its kind, labels, sentence and the process that exports it."""
    return table_of(("metric", "kind", "labels", "says", "of"), sorted(set(instruments())))


def values_table(_: str) -> str:
    """The values of the labels that the program fixes."""
    return table_of(("label", "values"), ((name, codes_of(values)) for name, values in VALUES.items()))


def instruments() -> Iterator[tuple[str, str, str, str, str]]:
    for path in modules():
        for call in calls_in(path):
            names = texts_in(call.args[0]) if call.args else ()
            if names and names[0].startswith(PREFIX) and len(call.args) > 1:
                kind = kind_of(call.func)
                name = names[0].removesuffix(TOTAL) + (TOTAL if kind == "counter" else "")
                process = PROCESSES.get(path.stem, "server, worker")
                (sentence,) = texts_in(call.args[1])
                yield f"`{name}`", kind, codes_of(labels_of(call)), sentence, process


def kind_of(function: ast.expr) -> str:
    """The kind of the instrument that a call makes; a count that is kept elsewhere is a counter."""
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    return next((kind for kind in ("gauge", "histogram") if kind in name.lower()), "counter")


def labels_of(call: ast.Call) -> list[str]:
    given = [*call.args[2:], *(word.value for word in call.keywords if word.arg == "labels")]
    lists = [node for node in given if isinstance(node, ast.List | ast.Tuple)]
    return [text for node in lists for item in node.elts for text in texts_in(item)]
