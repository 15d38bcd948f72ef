"""Structured logs: one JSON object a line on standard error, never a payload."""

from __future__ import annotations

import atexit
import contextlib
import logging
import sys
import threading
import time
from typing import BinaryIO

import msgspec
import structlog

# Lines that come closer together than this share one write; a reader sees them that much later at most.
WRITE_PAUSE_SECONDS = 0.05
# A reader that is this far behind has stopped reading; what comes after is lost, and the service goes on.
LINES_WAITING_MAX = 100_000


class LineWriter:
    """Writes lines from a thread of its own, so that a slow reader never holds up the event loop.

    A write per line would also be a system call per request. The first line after a pause goes out at once.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: list[bytes] = []
        self._lock = threading.Lock()
        self._filled = threading.Event()
        threading.Thread(target=self._write_on, name="log-writer", daemon=True).start()

    def write(self, line: bytes) -> None:
        with self._lock:
            if len(self._lines) >= LINES_WAITING_MAX:
                return
            self._lines.append(line)
            first = len(self._lines) == 1
        if first:
            self._filled.set()

    def flush(self) -> None:
        """The thread flushes; each line asks for it, and that is what this class is for."""

    def drain(self) -> None:
        """Write what is waiting, from the calling thread."""
        self._filled.clear()
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            # There is no place to report that standard error is closed.
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(b"".join(lines))
                self._stream.flush()

    def _write_on(self) -> None:
        while True:
            self._filled.wait()
            self.drain()
            time.sleep(WRITE_PAUSE_SECONDS)


def set_up(level: str) -> None:
    encoder = msgspec.json.Encoder(enc_hook=str)

    def render(_: object, __: str, event: structlog.typing.EventDict) -> bytes:
        return encoder.encode(event)

    writer = LineWriter(sys.stderr.buffer)
    atexit.register(writer.drain)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_: structlog.BytesLogger(writer),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    # What libraries log is rare and never about a payload; it joins the same stream in the same form.
    logging.basicConfig(
        level=max(logging.WARNING, logging.getLevelNamesMapping()[level]), handlers=[_Library()]
    )


class _Library(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).log(
            record.levelno, "library", logger=record.name, text=record.getMessage(), exc_info=record.exc_info
        )
