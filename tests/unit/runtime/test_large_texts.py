"""Large texts are hashed, copied and looked through away from the event loop; small ones where they are."""

from __future__ import annotations

import asyncio
import json
import threading

import msgspec
import pytest

from service.runtime import large_texts
from service.runtime.large_texts import (
    APART_BYTES_MIN,
    LOOP_BYTES_MAX,
    count_of,
    encoded,
    where_large,
    written,
)


class Part(msgspec.Struct, frozen=True):
    """One of several."""

    name: str
    document: msgspec.Raw


class Answer(msgspec.Struct, frozen=True):
    """Documents at every depth."""

    first: msgspec.Raw
    parts: list[Part]
    named: dict[str, msgspec.Raw]
    nothing: msgspec.Raw | None
    last: msgspec.Raw


def a_document(size: int, filling: str = "x") -> msgspec.Raw:
    return msgspec.Raw(json.dumps(filling * (size // len(filling))).encode())


def an_answer(size: int) -> Answer:
    return Answer(
        first=a_document(size),
        parts=[Part("a", a_document(APART_BYTES_MIN - 2)), Part("é", a_document(APART_BYTES_MIN, "é"))],
        named={"b": a_document(size, "y"), "a": msgspec.Raw(b"{}")},
        nothing=None,
        last=a_document(7),
    )


@pytest.mark.parametrize(
    ("size", "on_loop"), [(0, True), (LOOP_BYTES_MAX, True), (LOOP_BYTES_MAX + 1, False)]
)
async def test_only_what_is_small_is_done_on_the_loop(size, on_loop):
    thread = await where_large(size, threading.get_ident)

    assert (thread == threading.get_ident()) is on_loop


async def test_what_the_work_raises_is_raised():
    def refuse():
        raise ValueError("no")

    for size in (1, LOOP_BYTES_MAX + 1):
        with pytest.raises(ValueError, match="no"):
            await where_large(size, refuse)


@pytest.mark.parametrize("size", [10, APART_BYTES_MIN, 3 * LOOP_BYTES_MAX + 5])
async def test_an_answer_is_the_same_however_it_is_written(size):
    answer = an_answer(size)

    whole = msgspec.json.encode(answer)

    assert written(answer, LOOP_BYTES_MAX + 1) == whole
    assert await encoded(answer, LOOP_BYTES_MAX + 1) == whole
    assert await encoded(answer, 0) == whole


async def test_a_large_answer_is_never_copied_in_one_piece(monkeypatch):
    """Of what the encoder sees, nothing is large; the rest is copied a megabyte at a time."""
    seen = []
    encode = msgspec.json.encode
    monkeypatch.setattr(
        large_texts.msgspec.json, "encode", lambda value: seen.append(encode(value)) or seen[-1]
    )

    answer = an_answer(5 * LOOP_BYTES_MAX)
    text = await encoded(answer, 10 * LOOP_BYTES_MAX)

    assert len(text) > 10 * LOOP_BYTES_MAX
    assert [len(one) < 2 * APART_BYTES_MIN for one in seen] == [True]


async def test_the_loop_goes_on_while_a_large_answer_is_written(monkeypatch):
    entered, left = threading.Event(), threading.Event()
    encode = msgspec.json.encode

    def slow(value):
        entered.set()
        assert left.wait(60)
        return encode(value)

    monkeypatch.setattr(large_texts.msgspec.json, "encode", slow)
    writing = asyncio.create_task(encoded(an_answer(LOOP_BYTES_MAX), 2 * LOOP_BYTES_MAX))
    while not entered.is_set():
        await asyncio.sleep(0)
    left.set()

    assert json.loads(await writing)["nothing"] is None


@pytest.mark.parametrize(
    "text", [b"", b"ab" * 10, b"x" * (LOOP_BYTES_MAX - 1) + b"ab" * 3, b"ab" * LOOP_BYTES_MAX]
)
def test_parts_across_the_pieces_are_counted_once(text):
    assert count_of(text, b"ab") == text.count(b"ab")
