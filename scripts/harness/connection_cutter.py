"""A TCP proxy before PostgreSQL that cuts connections in the midst of a commit, for the fault tests.

It reads what a client sends, message by message, and looks for the simple query a driver commits with.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import suppress
from enum import Enum
from random import Random

HEADER_BYTES = 5
LENGTH_BYTES = 4
CHUNK_BYTES = 65_536
START_SECONDS_MAX = 10.0

# These ask whether a connection may be encrypted; they come before the first message and look like it.
SSL_REQUEST = (80877103).to_bytes(4)
GSS_REQUEST = (80877104).to_bytes(4)
COMMIT = b"Q" + (len(b"COMMIT;\0") + LENGTH_BYTES).to_bytes(4) + b"COMMIT;\0"


class Cut(Enum):
    """Where a commit was cut: before the server got it, or after it had made it and before it was heard."""

    BEFORE = "before"
    AFTER = "after"


class Cutter:
    """Runs in a thread of its own; with `share` 0.1, one commit in ten is cut on either side."""

    def __init__(self, server_port: int, chance: Random, *, share: float) -> None:
        self.server_port = server_port
        self.share = share
        self.cuts: Counter[Cut] = Counter()
        self.port = 0
        self._chance = chance
        self._listening = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._lines: set[Line] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Cutter:
        self._thread.start()
        assert self._listening.wait(START_SECONDS_MAX), "the proxy does not listen"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def drawn(self) -> Cut | None:
        """What is to happen to the commit at hand."""
        drawn = self._chance.random()
        if drawn >= 2 * self.share:
            return None
        cut = Cut.BEFORE if drawn < self.share else Cut.AFTER
        self.cuts[cut] += 1
        return cut

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stop.wait()
        server.close()
        for line in tuple(self._lines):
            line.cut()
        while self._lines:
            await asyncio.sleep(0.01)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, asks = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.transport.abort()
            return
        line = Line(self, reader, writer, answers, asks)
        self._lines.add(line)
        try:
            await line.carry()
        finally:
            self._lines.discard(line)


class Line:
    """One connection of a client, and the one to the server that stands for it."""

    def __init__(
        self,
        cutter: Cutter,
        from_client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self.cutter = cutter
        self.from_client, self.to_client = from_client, to_client
        self.from_server, self.to_server = from_server, to_server
        self.cuts_at_answer = False

    def cut(self) -> None:
        self.to_client.transport.abort()
        self.to_server.transport.abort()

    async def carry(self) -> None:
        """Until either side goes, or the line is cut."""
        ways = [asyncio.create_task(self._carry_asks()), asyncio.create_task(self._carry_answers())]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        self.cut()
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    async def _carry_asks(self) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while await self._pass_opening() in (SSL_REQUEST, GSS_REQUEST):
                pass
            while True:
                message = await self._message()
                cut = self.cutter.drawn() if message == COMMIT else None
                if cut is Cut.BEFORE:
                    return
                self.cuts_at_answer = cut is Cut.AFTER
                self.to_server.write(message)
                await self.to_server.drain()

    async def _carry_answers(self) -> None:
        with suppress(OSError):
            while chunk := await self.from_server.read(CHUNK_BYTES):
                # A client waits for the answer to its commit, so what the server says next is this answer.
                if self.cuts_at_answer:
                    return
                self.to_client.write(chunk)
                await self.to_client.drain()

    async def _pass_opening(self) -> bytes:
        """Passes on what opens a connection, which has no type; the four bytes that tell what it is."""
        length = await self.from_client.readexactly(LENGTH_BYTES)
        rest = await self.from_client.readexactly(int.from_bytes(length) - LENGTH_BYTES)
        self.to_server.write(length + rest)
        return rest[:4]

    async def _message(self) -> bytes:
        head = await self.from_client.readexactly(HEADER_BYTES)
        return head + await self.from_client.readexactly(int.from_bytes(head[1:]) - LENGTH_BYTES)
