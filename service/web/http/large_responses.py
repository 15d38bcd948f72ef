"""Sends a large answer in slices, and cuts it when its caller does not take it."""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from collections.abc import Callable

import structlog
from aiohttp.abc import AbstractStreamWriter
from aiohttp.base_protocol import BaseProtocol
from aiohttp.payload import Payload

# One slice and what the transport holds already are the unsent bytes of a connection beyond the answer
# itself.
SLICE_BYTES = 256 * 1024
# An answer that makes no progress for so long is cut.
STALLED_SECONDS_MAX = 20.0
# The same while others wait for its place or its memory.
STALLED_SECONDS_MAX_SHORT = 1.0
LOOK_SECONDS = 0.25

logger = structlog.get_logger()


class SlicedBody(Payload):
    """The body of an answer. `is_short` says whether others wait for what the answer holds."""

    def __init__(self, body: bytes, connection: BaseProtocol, is_short: Callable[[], bool]) -> None:
        super().__init__(body)
        self._size = len(body)
        self._body = body
        self._connection = connection
        self._is_short = is_short
        self.was_cut = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._body.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Raises ConnectionResetError when the answer is cut."""
        try:
            with memoryview(self._body) as whole:
                for begin in range(0, len(whole), SLICE_BYTES):
                    # The writer would wait here itself, and without an end.
                    await writer.write(whole[begin : begin + SLICE_BYTES], drain=False)  # type: ignore[call-arg]
                    if self._connection.writing_paused:
                        await self._until_taken(writer)
        finally:
            # What is left of the request may be around for a while longer.
            self._body = self._value = b""

    async def _until_taken(self, writer: AbstractStreamWriter) -> None:
        loop = asyncio.get_running_loop()
        # Not cancelled before it is done: the connection knows one waiter, and does not ask whether it is
        # there.
        drained = asyncio.ensure_future(writer.drain())
        # Where the caller has gone, the answer is cancelled, and nothing asks why it was not taken.
        drained.add_done_callback(_take_note)
        unsent, since = self._unsent_bytes(), loop.time()
        try:
            while not drained.done():
                await asyncio.wait((drained,), timeout=LOOK_SECONDS)
                left = self._unsent_bytes()
                if left < unsent:
                    unsent, since = left, loop.time()
                elif loop.time() - since > self._stalled_seconds_max() and not drained.done():
                    self._cut(loop.time() - since)
        finally:
            if not drained.done():
                drained.cancel()
        drained.result()

    def _stalled_seconds_max(self) -> float:
        return STALLED_SECONDS_MAX_SHORT if self._is_short() else STALLED_SECONDS_MAX

    def _unsent_bytes(self) -> int:
        """What the transport holds, and what the system has not been told to have arrived."""
        transport = self._connection.transport
        if transport is None or transport.is_closing():
            return 0
        held = transport.get_write_buffer_size()
        line = transport.get_extra_info("socket")
        try:
            answered = fcntl.ioctl(line.fileno(), termios.TIOCOUTQ, b"\0" * 4)
        except (AttributeError, OSError):
            return held
        return held + int(struct.unpack("i", answered)[0])

    def _cut(self, seconds: float) -> None:
        self.was_cut = True
        logger.warning("answer_cut", seconds=round(seconds, 1), bytes=self._size)
        transport = self._connection.transport
        if transport is not None:
            transport.abort()
        raise ConnectionResetError("the caller does not take the answer")


def _take_note(drained: asyncio.Future[None]) -> None:
    if not drained.cancelled():
        drained.exception()
