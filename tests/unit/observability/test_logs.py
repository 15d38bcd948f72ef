"""Lines of the log on their way out."""

import threading

import pytest

from service.observability import logs
from service.observability.logs import LineWriter
from tests.waiting import HANG_SECONDS


class Stream:
    """Remembers what was written; can be slow, or broken."""

    def __init__(self):
        self.writes = []
        self.written = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self.broken = False

    def write(self, text):
        self.open.wait(HANG_SECONDS)
        self.written.set()
        if self.broken:
            raise BrokenPipeError
        self.writes.append(text)

    def flush(self):
        pass


@pytest.fixture
def stream():
    return Stream()


def test_a_line_is_written_at_once_and_a_burst_together(stream):
    writer = LineWriter(stream)
    writer.write(b"first\n")
    assert stream.written.wait(HANG_SECONDS)

    for number in range(50):
        writer.write(b"%d\n" % number)
    writer.drain()

    assert b"".join(stream.writes) == b"first\n" + b"".join(b"%d\n" % number for number in range(50))
    assert len(stream.writes) < 10


def test_a_slow_reader_holds_nobody_up_and_memory_is_bounded(stream, monkeypatch):
    monkeypatch.setattr(logs, "LINES_WAITING_MAX", 100)
    writer = LineWriter(stream)
    stream.open.clear()

    for _ in range(1000):
        writer.write(b"line\n")
    stream.open.set()
    writer.drain()

    assert b"".join(stream.writes).count(b"line\n") <= 300


def test_a_broken_stream_is_survived(stream):
    stream.broken = True
    writer = LineWriter(stream)
    writer.write(b"lost\n")
    assert stream.written.wait(HANG_SECONDS)

    stream.broken = False
    stream.written.clear()
    writer.write(b"kept\n")

    assert stream.written.wait(HANG_SECONDS)
    writer.drain()
    assert stream.writes == [b"kept\n"]
