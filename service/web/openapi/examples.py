"""Examples of requests and answers, as the service gave them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

FILE = "examples.json"


@cache
def examples() -> dict[str, dict[str, Any]]:
    """By name: the body of a request, where there is one, and that of its answer."""
    text = files(__package__).joinpath(FILE).read_bytes()
    return msgspec.json.decode(text, type=dict[str, dict[str, Any]])
