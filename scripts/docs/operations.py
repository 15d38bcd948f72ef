"""The table of operations, from the OpenAPI document that the service answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.docs.sources import SERVICE
from scripts.docs.tables import codes_of, table_of

DOCUMENT = SERVICE / "web" / "openapi" / "openapi.json"
CODE = re.compile(r"`([A-Z][A-Z0-9_]+)`")
Described = Mapping[str, Any]


def table(_: str) -> str:
    """One table for each tag, after the codes that every operation of the desk can answer."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    found = list(operations_in(document))
    shared = shared_codes([operation for path, _, operation in found if path.startswith("/rebalance/")])
    parts = [
        "Every operation under `/rebalance/` can also answer "
        f"{codes_of(sorted(shared))}; the last column has the other codes.\n"
    ]
    for tag in document["tags"]:
        rows = [
            (
                f"`{method} {path}`",
                f"**{operation['summary']}.** {operation['description']}",
                parameters_of(operation),
                success_of(operation),
                codes_of(code for code in codes_in(operation) if code not in shared),
            )
            for path, method, operation in found
            if tag["name"] in operation["tags"]
        ]
        head = ("request", "what it does", "parameters and headers", "success", "codes")
        parts.append(f"\n### {tag['name']}\n\n{tag['description']}\n\n{table_of(head, rows)}")
    return "".join(parts)


def operations_in(document: Described) -> Iterator[tuple[str, str, Described]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def codes_in(operation: Described) -> list[str]:
    """The codes of an operation, by status."""
    said = (answer.get("description", "") for _, answer in sorted(operation["responses"].items()))
    return list(dict.fromkeys(code for text in said for code in CODE.findall(text)))


def shared_codes(operations: list[Described]) -> frozenset[str]:
    return frozenset.intersection(*(frozenset(codes_in(operation)) for operation in operations))


def parameters_of(operation: Described) -> str:
    """Queries and headers; what is in the path is seen in the path."""
    names = [one for one in operation["parameters"] if one["in"] != "path"]
    return ", ".join(f"`{one['name']}`" + (" (required)" if one["required"] else "") for one in names)


def success_of(operation: Described) -> str:
    """The status, and the schema of the answer where it has one."""
    status, answer = next((s, a) for s, a in operation["responses"].items() if s.startswith("2"))
    schemas = [held.get("schema", {}) for held in answer.get("content", {}).values()]
    names = [schema["$ref"].rpartition("/")[2] for schema in schemas if "$ref" in schema]
    return f"{status} {codes_of(names)}".strip()
