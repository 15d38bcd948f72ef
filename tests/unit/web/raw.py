"""Bytes to the listener of an application, and what it answers; with the connections that a server has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp.test_utils import TestClient

from service.runtime.clock import TimeOrderedIds
from service.web.http.admission import CAPACITY
from service.web.http.connection import AcceptGate, HttpConnection
from service.web.http.connections import Connections

# Only a server that hangs is waited for that long.
GUARD_SECONDS = 60
CONNECTIONS_MAX = 100


@dataclass(frozen=True)
class Raw:
    """One answer as it came; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        assert self.headers["content-type"] == "application/problem+json", self
        # Also where nothing of a request could be read.
        assert self.headers["x-correlation-id"], self
        code: str = json.loads(self.body)["code"]
        return code


class Caller:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def end(self) -> None:
        """Nothing more is sent."""
        self._writer.write_eof()

    async def answer(self, *, has_body: bool = True) -> Raw:
        async with asyncio.timeout(GUARD_SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
            status = int(first.split()[1])
            length = int(headers.get("content-length", "0")) if has_body and status >= 200 else 0
            return Raw(status, headers, await self._reader.readexactly(length))

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        async with asyncio.timeout(GUARD_SECONDS):
            return await self._reader.read()

    async def ask(self, data: bytes, *, has_body: bool = True) -> Raw:
        self.send(data)
        return await self.answer(has_body=has_body)

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def listening(client: TestClient[Any, Any]) -> AsyncIterator[Any]:
    """Gives a function that connects to the application of a client."""
    app = client.app
    assert app is not None
    connections = Connections(CONNECTIONS_MAX)
    gate = AcceptGate(capacity=app[CAPACITY], connections=connections, new_id=TimeOrderedIds())
    loop = asyncio.get_running_loop()
    handlers = client.server.runner.server  # type: ignore[attr-defined]
    listener = await loop.create_server(
        lambda: HttpConnection(handlers, loop, connections, gate), "127.0.0.1", 0
    )
    callers: list[Caller] = []

    async def connect() -> Caller:
        callers.append(Caller(*await asyncio.open_connection(*listener.sockets[0].getsockname())))
        return callers[-1]

    try:
        yield connect
    finally:
        for caller in callers:
            caller.close()
        listener.close()


def a_request(
    method: str, target: str, *fields: str, body: bytes = b"", length: int | None = None, host: str = "x"
) -> bytes:
    """A request with its length, unless the fields say how long it is."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields]
    if not any(field.lower().startswith("transfer-encoding:") for field in fields):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
