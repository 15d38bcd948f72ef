"""Measures operations: accepted, begun, done by workers, and done where the event loop must stay free."""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import psycopg

from scripts.bench import loop_block_probe
from scripts.bench.postgres import migrated, variables_of
from scripts.harness.closed_loop_load import Load, get_of, keyless_post_of
from scripts.harness.open_loop_load import run_paced
from scripts.harness.sample_requests import a_batch_body
from scripts.harness.servers import Server, Worker

SUBMIT = "/rebalance/analyze/async"
WORKER_MODE = {"DPM_ASYNC_EXECUTION_MODE": "WORKER"}
INLINE_MODE = {"DPM_ASYNC_EXECUTION_MODE": "INLINE"}

ACCEPTS_PER_SECOND = 200
ACCEPTS = 2_000
ACCEPT_ROUNDS = 3
WARM_ACCEPTS = 200
ACCEPT_P99_MS = 20.0

STARTS = 100
START_PAUSE_SECONDS = 0.1
START_P50_MS = 50.0

QUEUED = 150
FILLS_PER_SECOND = 100
FLEETS = (1, 2)
FLEET_ROUNDS = 3
DRAIN_SECONDS_MAX = 300.0

STORES = ("IN_MEMORY", "SQL", "POSTGRES")
BLOCK_ROUNDS = 5
BLOCK_MS = 50.0

# How far a queue has been worked off, and when that began and ended.
PROGRESS = """
SELECT
    count(*) FILTER (WHERE status IN ('PENDING', 'RUNNING')) AS waiting,
    count(*) FILTER (WHERE status = 'FAILED') AS failed,
    min(started_at) AS began_at,
    max(finished_at) AS ended_at
FROM dpm_operations
WHERE created_at >= %(since)s
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; `asked` is a bound in the unit of `value`, where there is one."""

    what: str
    value: float
    unit: str
    asked: float | None = None
    beside: str = ""


def bench_operations() -> None:
    print("Operations; PostgreSQL with fsync, and it, the load and every process of ours share this machine")
    figures = [*accepting(), *starting(), *working(), *blocking()]
    print(f"  {'what':<52}{'measured':>16}{'asked':>10}{'of it':>8}  beside")
    for figure in figures:
        asked = "" if figure.asked is None else f"<= {figure.asked:.0f}"
        share = "" if figure.asked is None else f"{figure.value / figure.asked:.2f}"
        measured = f"{figure.value:.2f} {figure.unit}".strip()
        print(f"  {figure.what:<52}{measured:>16}{asked:>10}{share:>8}  {figure.beside}")
    print()


def accepting() -> Iterator[Figure]:
    """Accepts of small batches on a schedule, with the workers elsewhere and with one on this machine."""
    what = f"accept at {ACCEPTS_PER_SECOND} a second, p99"
    with serving_workers() as (dsn, server):
        # What a request costs that does nothing tells how busy the machine is with other things.
        yield paced(
            f"health probe at {ACCEPTS_PER_SECOND} a second, p99", server, get_of("/health/live"), 200
        )
        make = keyless_post_of(SUBMIT, a_what_if(4, positions=10))
        yield paced(f"{what}, workers elsewhere", server, make, 202, ACCEPT_P99_MS)
        with Worker(variables_of(dsn) | WORKER_MODE):
            yield paced(f"{what}, one worker here", server, make, 202)


def paced(
    what: str, server: Server, make: Callable[[str], bytes], status: int, asked: float | None = None
) -> Figure:
    run_paced(server.port, make, per_second=ACCEPTS_PER_SECOND, count=WARM_ACCEPTS)
    loads = [
        run_paced(server.port, make, per_second=ACCEPTS_PER_SECOND, count=ACCEPTS)
        for _ in range(ACCEPT_ROUNDS)
    ]
    for load in loads:
        require_all(load, status)
    best, *_, worst = ordered = sorted(loads, key=lambda load: load.percentile_ms(0.99))
    middle = ordered[len(ordered) // 2]
    rounds = f"rounds {best.percentile_ms(0.99):.1f} to {worst.percentile_ms(0.99):.1f}"
    beside = f"p50 {middle.median_ms:.2f}; {rounds} of {ACCEPTS:,} each"
    return Figure(what, middle.percentile_ms(0.99), "ms", asked, beside)


def starting() -> Iterator[Figure]:
    """From acceptance to start, both by the clock of this machine, one operation after the other."""
    body = a_what_if(4, positions=10)
    seconds = []
    with serving_workers() as (dsn, server), Worker(variables_of(dsn) | WORKER_MODE):
        do(server, body)
        for _ in range(STARTS):
            done = do(server, body)
            created, started = (datetime.fromisoformat(done[name]) for name in ("created_at", "started_at"))
            seconds.append((started - created).total_seconds())
            time.sleep(START_PAUSE_SECONDS)
    p50, p99 = median(seconds) * 1000, Load(latencies=seconds).percentile_ms(0.99)
    yield Figure("accept to start on an idle worker, p50", p50, "ms", START_P50_MS, f"p99 {p99:.2f} ms")


def working() -> Iterator[Figure]:
    """A full queue, worked off by one worker and by two, in turn."""
    rates: dict[int, list[float]] = {count: [] for count in FLEETS}
    with migrated() as dsn:
        for _ in range(FLEET_ROUNDS):
            for count in FLEETS:
                rates[count].append(per_minute(dsn, count))
    for count in FLEETS:
        spread = f"rounds {min(rates[count]):.0f} to {max(rates[count]):.0f}"
        what = f"20 scenarios of 100 positions, {count} worker{'s' * (count > 1)}"
        yield Figure(what, median(rates[count]), "/min", beside=spread)
    one, two = (rates[count] for count in FLEETS)
    shares = [after / before for before, after in zip(one, two, strict=True)]
    spread = f"rounds {min(shares):.2f} to {max(shares):.2f}"
    yield Figure("the same, two workers over one", median(two) / median(one), "", beside=spread)


def per_minute(dsn: str, workers: int) -> float:
    """Operations a minute, from the first start to the last end."""
    since = datetime.now(UTC)
    variables = variables_of(dsn) | WORKER_MODE | {"DPM_ENGINE_PROCESSES": "1"}
    with Server(variables) as server:
        make = keyless_post_of(SUBMIT, a_what_if(20, positions=100))
        require_all(run_paced(server.port, make, per_second=FILLS_PER_SECOND, count=QUEUED), 202)
    with ExitStack() as running, ThreadPoolExecutor() as threads, psycopg.connect(dsn, autocommit=True) as db:
        # At the same time, so that none of them has the queue to itself while another starts.
        for worker in threads.map(Worker, [variables] * workers):
            running.enter_context(worker)
        deadline = time.monotonic() + DRAIN_SECONDS_MAX
        while True:
            found = db.execute(PROGRESS, {"since": since}).fetchone()
            assert found is not None, "counts are a row"
            waiting, failed, began_at, ended_at = found
            if not waiting:
                break
            if time.monotonic() > deadline:
                raise SystemExit(f"{waiting} operations still wait after {DRAIN_SECONDS_MAX:.0f} s")
            time.sleep(0.25)
    if failed:
        raise SystemExit(f"{failed} operations failed")
    return QUEUED * 60 / (ended_at - began_at).total_seconds()


def blocking() -> Iterator[Figure]:
    """The longest the event loop stood still while its server did a large batch, on each store."""
    body = a_what_if(20, positions=300)
    with migrated() as dsn:
        for store in STORES:
            with watched_server(store, dsn) as server:
                do(server, body)
                longest = [block_during(server, body) for _ in range(BLOCK_ROUNDS)]
            ordered = sorted(longest, key=lambda block: block.seconds)
            middle, worst = ordered[len(ordered) // 2], ordered[-1]
            beside = (
                f"longest of {BLOCK_ROUNDS}; {worst.computing_seconds * 1000:.1f} of it computing; "
                f"median {middle.seconds * 1000:.1f} ms"
            )
            what = f"event loop's longest block, INLINE on {store}"
            yield Figure(what, worst.seconds * 1000, "ms", BLOCK_MS, beside)


@contextmanager
def watched_server(store: str, dsn: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "bench.db")
        chosen = {"DPM_SUPPORTABILITY_STORE_BACKEND": store, "DPM_SUPPORTABILITY_SQL_PATH": path}
        command = ["-m", "scripts.bench.loop_block_probe", "--port", "0"]
        with Server(variables_of(dsn) | INLINE_MODE | chosen, command=command) as server:
            yield server


def block_during(server: Server, body: bytes) -> loop_block_probe.Block:
    ask(server, loop_block_probe.PATH)
    ask(server, SUBMIT, body)
    return msgspec.convert(ask(server, loop_block_probe.PATH), loop_block_probe.Block)


def do(server: Server, body: bytes) -> dict[str, Any]:
    """Submits a batch and waits until it has succeeded."""
    accepted = ask(server, SUBMIT, body)
    while (found := ask(server, accepted["status_url"]))["finished_at"] is None:
        time.sleep(0.005)
    if found["status"] != "SUCCEEDED":
        raise SystemExit(f"an operation ended as {found['status']}: {found['error']}")
    return found


def ask(server: Server, path: str, body: bytes | None = None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(server.base + path, body, headers)) as answer:
        document: dict[str, Any] = json.load(answer)
    return document


@contextmanager
def serving_workers() -> Iterator[tuple[str, Server]]:
    """A server that accepts for workers, and the address of its database."""
    with migrated() as dsn, Server(variables_of(dsn) | WORKER_MODE) as server:
        yield dsn, server


def a_what_if(scenarios: int, *, positions: int) -> bytes:
    return a_batch_body(
        {f"scenario_{number:02d}": {} for number in range(scenarios)}, positions=positions, seed=7
    )


def require_all(load: Load, status: int) -> None:
    if set(load.statuses) != {status}:
        raise SystemExit(f"not every answer was {status}: {load.statuses}")
