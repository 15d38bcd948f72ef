"""An open-loop HTTP load generator: requests leave on a schedule, however long the answers take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import uvloop

from scripts.harness.closed_loop_load import Load

# So many may be under way at once; those that are due while all are taken are late, and counted so.
CONNECTIONS = 64


def run_paced(port: int, make: Callable[[str], bytes], *, per_second: float, count: int) -> Load:
    """Sends `count` requests at a steady rate; each latency is counted from the time it was due."""
    return uvloop.run(_paced(port, make, per_second, count))


async def _paced(port: int, make: Callable[[str], bytes], per_second: float, count: int) -> Load:
    load, due = Load(), asyncio.Queue[tuple[str, float] | None]()
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(min(CONNECTIONS, count))]
    senders = [asyncio.create_task(_send(*stream, make, due, load)) for stream in streams]
    stamp, started = time.time_ns(), time.perf_counter()
    for number in range(count):
        at = started + number / per_second
        # The clock of the loop is coarser than the schedule; what is sent late is counted as late.
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        due.put_nowait((f"paced-{stamp}-{number}", at))
    for _ in senders:
        due.put_nowait(None)
    await asyncio.gather(*senders)
    load.seconds = time.perf_counter() - started
    return load


async def _send(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    make: Callable[[str], bytes],
    due: asyncio.Queue[tuple[str, float] | None],
    load: Load,
) -> None:
    while asked := await due.get():
        key, at = asked
        writer.write(make(key))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        load.latencies.append(time.perf_counter() - at)
        status = int(head[9:12])
        load.statuses[status] = load.statuses.get(status, 0) + 1
    writer.close()
