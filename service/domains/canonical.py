"""Canonical JSON text of a value and the digest of that text.

Source: section 9 of the HTTP contract: keys sorted at every level, no blanks, ASCII escapes, decimals as their text.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="string")
# Anything a plain byte copy would render unlike the escaped form: an escape, DEL or a non-ASCII byte.
_NEEDS_ESCAPING = re.compile(rb"[^ -\[\]-~]")


def canonical_json(value: Any) -> bytes:
    """The canonical text of a struct or a JSON-like value, as ASCII bytes."""
    text = _ENCODER.encode(value)
    if _NEEDS_ESCAPING.search(text) is None:
        return text
    # msgspec writes raw UTF-8 and its own choice of escapes; the contract's form is the standard library's.
    plain = json.loads(text)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def digest_of(text: bytes) -> str:
    """`sha256:` and the lower-case hex digest of canonical text."""
    return "sha256:" + hashlib.sha256(text).hexdigest()
