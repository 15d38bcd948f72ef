"""Canonical JSON text of a value and the digest of that text.

Source: section 9 of the HTTP contract: keys sorted at every level, no blanks, ASCII escapes.
Decimals are text.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

_TEXTS = msgspec.json.Encoder(order="sorted", decimal_format="string")
_NUMBERS = msgspec.json.Encoder(order="sorted", decimal_format="number")

# The encoder escapes as the contract wants, but for these, which it writes as they are.
_UNESCAPED = re.compile("[^\x00-\x7e]")
_LAST_OF_ONE_UNIT = 0xFFFF


def canonical_json(value: Any) -> bytes:
    """The text that request hashes are taken of, as ASCII bytes; decimals are JSON strings."""
    return _escaped(_TEXTS.encode(value))


def canonical_json_of_numbers(value: Any) -> bytes:
    """The same with decimals as JSON numbers, so that untyped parts are read back as what they were."""
    return _escaped(_NUMBERS.encode(value))


def digest_of(text: bytes) -> str:
    """`sha256:` and the lower-case hex digest of canonical text."""
    return "sha256:" + hashlib.sha256(text).hexdigest()


def without_keys(value: Any, keys: frozenset[str]) -> Any:
    """A JSON value without the members of these names, at any depth."""
    # Most of a document is text, and a call for each would take longer than everything else.
    if isinstance(value, dict):
        return {
            key: without_keys(item, keys) if isinstance(item, (dict, list)) else item
            for key, item in value.items()
            if key not in keys
        }
    if isinstance(value, list):
        return [without_keys(item, keys) if isinstance(item, (dict, list)) else item for item in value]
    return value


def _escaped(text: bytes) -> bytes:
    if text.isascii() and b"\x7f" not in text:
        return text
    return _UNESCAPED.sub(_escape, text.decode()).encode("ascii")


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= _LAST_OF_ONE_UNIT:
        return f"\\u{code:04x}"
    # What lies beyond one unit is a pair of surrogates.
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
