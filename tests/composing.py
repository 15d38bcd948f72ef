"""Reads compose files as far as ours go: merges, and what is put in for variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.conftest import ROOT

BASE, PRODUCTION = "docker-compose.yml", "docker-compose.production.yml"
# Gives ${NAME:-default} and ${NAME:?}; another form is an error.
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>\w*)|(?P<required>:\?))\}")


class VariableMissing(Exception):
    pass


def composed(*names: str) -> dict[str, Any]:
    """What the files say together: mappings are merged, lists added, commands replaced."""
    whole: dict[str, Any] = {}
    for name in names:
        whole = _merged(whole, yaml.safe_load((ROOT / name).read_text(encoding="utf-8")))
    return whole


def _merged(under: Any, over: Any, name: str = "") -> Any:
    if isinstance(under, dict) and isinstance(over, dict):
        both = {key: _merged(under[key], over[key], key) for key in under.keys() & over.keys()}
        return under | over | both
    if isinstance(under, list) and isinstance(over, list) and name not in ("command", "test", "entrypoint"):
        return under + over
    return over


def environment_of(service: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service. Raises VariableMissing when a variable has to be given and is not."""
    return {name: interpolated(text, given) for name, text in service["environment"].items()}


def interpolated(text: str, given: Mapping[str, str]) -> str:
    def put_in(found: re.Match[str]) -> str:
        value = given.get(found["name"], "")
        if not value and found["required"]:
            raise VariableMissing(found["name"])
        return value or found["default"]

    put = VARIABLE.sub(put_in, text)
    assert "$" not in put, put
    return put
