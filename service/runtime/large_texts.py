"""Keeps texts of many megabytes from holding up the event loop.

To hash a megabyte takes some 6 ms, to copy one a third of a millisecond, and a result may have 32 of them.
Hashing, decompressing and joining large texts let go of the interpreter, so a thread is enough for them. What
does not, as reading JSON, belongs in a process of its own (see processes.py).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple, Unpack

import msgspec

# Beyond it a text is not touched on the event loop.
LOOP_BYTES_MAX = 1024 * 1024
# A shorter document is written with what stands around it.
APART_BYTES_MIN = 64 * 1024
# Copied or looked through at a time, so that other threads get their turns.
COPIED_BYTES_MAX = 1024 * 1024

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def where_large(bytes_count: int, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
    """Does work on so many bytes where it does not hold the loop up: here, or in a thread."""
    if bytes_count <= LOOP_BYTES_MAX:
        return work(*args)
    return await asyncio.to_thread(work, *args)


async def encoded(answer: msgspec.Struct, bytes_count: int) -> bytes:
    """The JSON of an answer whose documents (msgspec.Raw) have so many bytes."""
    return await where_large(bytes_count, written, answer, bytes_count)


def written(answer: msgspec.Struct, bytes_count: int) -> bytes:
    """The same where it is called; a large one lets other threads have their turns."""
    if bytes_count <= LOOP_BYTES_MAX:
        return msgspec.json.encode(answer)
    documents: list[msgspec.Raw] = []
    # What no text has that was not written here.
    mark = b'"' + secrets.token_hex(16).encode() + b'"'
    around = msgspec.json.encode(_without_documents(answer, msgspec.Raw(mark), documents))
    parts = around.split(mark)
    assert len(parts) == len(documents) + 1, (len(parts), len(documents))
    pieces = [parts[0]]
    for document, part in zip(documents, parts[1:], strict=True):
        whole = memoryview(document)
        pieces += [bytes(whole[at : at + COPIED_BYTES_MAX]) for at in range(0, len(whole), COPIED_BYTES_MAX)]
        pieces.append(part)
    # Joining bytes of more than a megabyte lets go of the interpreter.
    return b"".join(pieces)


def count_of(text: bytes, part: bytes) -> int:
    """How often a part, which does not overlap itself, is in a text; lets other threads have their turns."""
    beyond = COPIED_BYTES_MAX + len(part) - 1
    return sum([text.count(part, at, at + beyond) for at in range(0, len(text), COPIED_BYTES_MAX)])


def _without_documents(value: Any, mark: msgspec.Raw, documents: list[msgspec.Raw]) -> Any:
    """The value with a mark in the place of each large document, which are collected in their order."""
    match value:
        case msgspec.Raw():
            if len(memoryview(value)) < APART_BYTES_MIN:
                return value
            documents.append(value)
            return mark
        case msgspec.Struct():
            parts = {
                name: _without_documents(getattr(value, name), mark, documents)
                for name in value.__struct_fields__
            }
            return msgspec.structs.replace(value, **parts)
        case dict():
            return {name: _without_documents(part, mark, documents) for name, part in value.items()}
        case list() | tuple():
            return [_without_documents(part, mark, documents) for part in value]
    return value
