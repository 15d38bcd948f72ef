"""Canonical JSON text of a value and the digest of that text.

Source: section 9 of the HTTP contract: keys sorted at every level, no blanks, ASCII escapes, decimals as text.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="string")


def canonical_json(value: Any) -> bytes:
    """The canonical text of a struct or a JSON-like value, as ASCII bytes."""
    text = _ENCODER.encode(value)
    if text.isascii() and b"\\" not in text and b"\x7f" not in text:
        return text
    # Beyond plain ASCII the encoder writes raw UTF-8 and its own choice of escapes; the contract's form is
    # the standard library's.
    plain = json.loads(text)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def digest_of(text: bytes) -> str:
    """`sha256:` and the lower-case hex digest of canonical text."""
    return "sha256:" + hashlib.sha256(text).hexdigest()
