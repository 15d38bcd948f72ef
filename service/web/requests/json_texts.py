"""The JSON text of a body: that it is one, not too deep, and its value without a binary fraction."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from decimal import Decimal, InvalidOperation
from typing import Any

from service.errors.requests import JsonTooDeep, RequestInvalid
from service.web.schemas.entries import entry
from service.web.schemas.faults import INTEGER_DIGITS_MAX, MESSAGES, Fault, Unreadable

# Deeper than any published shape, and well inside what every parser takes on any stack.
LEVELS_MAX = 64


def without_mark(body: bytes) -> bytes:
    """The body without the byte order mark that some editors and libraries put before it (ruling 2)."""
    return body.removeprefix(BOM_UTF8)


def text_of(body: bytes) -> str:
    """The text of a body that a parser may see: the typed one does not look into what it skips."""
    try:
        text = body.decode()
    except UnicodeDecodeError as refused:
        # The contract counts characters, the exception bytes.
        raise _not_json("Invalid UTF-8", len(body[: refused.start].decode())) from None
    refuse_depth(body)
    return text


def parsed(text: str) -> Any:
    """The JSON value of a body, None when it is empty; a number that has no value is Unreadable."""
    if text == "":
        return None
    try:
        return json.loads(text, parse_float=fraction_of, parse_int=integer_of, parse_constant=constant_of)
    except json.JSONDecodeError as refused:
        raise _not_json(refused.msg, refused.pos) from None


def _not_json(reason: str, at: int) -> RequestInvalid:
    fault = Fault("json_invalid", MESSAGES["json_invalid"], {"error": reason})
    return RequestInvalid([entry(fault, ("body", at), {})])


def fraction_of(text: str) -> Decimal | Unreadable:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Unreadable(text, "decimal_parsing")


def integer_of(text: str) -> int | Unreadable:
    if len(text) > INTEGER_DIGITS_MAX:
        return Unreadable(text, "decimal_parsing")
    return int(text)


def constant_of(text: str) -> Unreadable:
    return Unreadable(text, "finite_number")


# Brackets of both kinds become parentheses; all but them and the quotes is dropped.
_BRACKETS = bytes.maketrans(b"[{]}", b"(())")
_NO_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_STRING = re.compile(rb'"[^"]*(?:"|\Z)')


def refuse_depth(body: bytes) -> None:
    """Raises JsonTooDeep for a body that nests deeper than LEVELS_MAX, well-formed or not.

    Answers alike on every interpreter and stack, before any parser that recurses sees the body.
    """
    if b"\\" in body:
        # An escaped quote ends no string; an escaped backslash escapes nothing.
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    skeleton = body.translate(_BRACKETS, _NO_STRUCTURE)
    # No body is deeper than it has brackets; most small ones are done here.
    if skeleton.count(b"(") <= LEVELS_MAX:
        return
    # Two quotes in a row enclose no bracket, whether they belong to one string or to two.
    skeleton = skeleton.replace(b'""', b"")
    if b'"' in skeleton:
        skeleton = _STRING.sub(b"", skeleton)
    left = _peeled(skeleton)
    # What no bracket closes is as deep as if the end of the body closed it.
    unclosed = left.count(b"(")
    if 0 < unclosed <= LEVELS_MAX:
        left = _peeled(skeleton + b")" * unclosed)
    if b"(" in left:
        raise JsonTooDeep(levels_max=LEVELS_MAX)


def _peeled(skeleton: bytes) -> bytes:
    for _ in range(LEVELS_MAX):
        if b"()" not in skeleton:
            break
        skeleton = skeleton.replace(b"()", b"")
    return skeleton
