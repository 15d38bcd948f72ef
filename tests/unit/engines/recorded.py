"""The recorded cases beside the repository and the program that compares answers with them."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from functools import cache
from types import ModuleType
from typing import Any

from tests.conftest import CONFORMANCE


@cache
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conformance_check", CONFORMANCE / "check.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def load(pack: str, endpoints: tuple[str, ...]) -> list[dict[str, Any]]:
    path = CONFORMANCE / f"{pack}.jsonl.gz"
    return [case for case in check().load(str(path)) if case["endpoint"] in endpoints]


def differ(
    old: Any, new: Any, path: str, found: list[tuple[str, Any, Any]], skipped: Collection[str]
) -> None:
    """Every place where two JSON values are not the same text, but for members of the skipped names."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() & new.keys():
            if key not in skipped:
                differ(old[key], new[key], f"{path}.{key}", found, skipped)
        if old.keys() != new.keys():
            found.append((path, sorted(old), sorted(new)))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            differ(one, other, f"{path}[{index}]", found, skipped)
    elif old != new:
        found.append((path, old, new))
