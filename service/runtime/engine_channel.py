"""What goes between the service and an engine process.

Pickling copies what it writes, and holds the interpreter lock while it does: for a result of thirty megabytes
as long as everything else together. So large texts travel beside the message, each as it is.
"""

from __future__ import annotations

import io
import pickle
from multiprocessing.connection import Connection
from typing import Any

# Texts beyond it are not copied into the message.
LARGE_BYTES_MIN = 256 * 1024

_COUNT_BYTES = 4


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.large: list[bytes] = []

    def persistent_id(self, value: Any) -> int | None:
        if type(value) is not bytes or len(value) < LARGE_BYTES_MIN:
            return None
        self.large.append(value)
        return len(self.large) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, large: list[bytes]) -> None:
        super().__init__(file)
        self._large = large

    def persistent_load(self, place: int) -> bytes:
        return self._large[place]


def pack(value: Any) -> list[bytes]:
    """A message: the value, and the large texts in it. Raises what pickling raises."""
    written = io.BytesIO()
    written.write(bytes(_COUNT_BYTES))
    pickler = _Pickler(written)
    pickler.dump(value)
    with written.getbuffer() as buffer:
        buffer[:_COUNT_BYTES] = len(pickler.large).to_bytes(_COUNT_BYTES)
    return [written.getvalue(), *pickler.large]


def unpack(message: list[bytes]) -> Any:
    """What was packed. Raises what unpickling raises."""
    written, *large = message
    file = io.BytesIO(written)
    file.seek(_COUNT_BYTES)
    return _Unpickler(file, large).load()


def send(line: Connection, message: list[bytes]) -> None:
    """Raises OSError when the other end is closed."""
    for part in message:
        line.send_bytes(part)


def receive(line: Connection) -> list[bytes]:
    """Waits for a message. Raises EOFError and OSError when the other end is closed."""
    written = line.recv_bytes()
    count = int.from_bytes(written[:_COUNT_BYTES])
    return [written, *(line.recv_bytes() for _ in range(count))]
