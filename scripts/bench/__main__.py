"""Measures the figures of docs/performance.md and prints them with this machine's description."""

from __future__ import annotations

import asyncio
import math
import os
import platform
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from statistics import median

import click
import msgspec
import uvloop

from scripts.bench.attacks import bench_attacks
from scripts.bench.crowd import bench_crowd
from scripts.bench.million import bench_million
from scripts.bench.operations import bench_operations
from scripts.bench.postgres import bench_floor
from scripts.bench.proposals import bench_proposals
from scripts.bench.shadow import bench_shadow
from scripts.bench.worst import bench_worst
from scripts.harness.closed_loop_load import Load, generate, get_of, post_of, run
from scripts.harness.sample_requests import a_body
from scripts.harness.servers import ROOT, Server
from service.domains.rebalances.requests import RebalanceRequest
from service.engines.dpm import versions
from service.engines.dpm.v1 import RunIdentity
from service.runtime.engine_process import tune_gc
from service.web.requests import bodies

DEMO = ROOT / "scripts" / "demo" / "multi_currency.json"
SIZES = (10, 100, 1000, 5000)
METHODS = ("HEURISTIC", "SOLVER")
ROUNDS = 31
STORES = ("IN_MEMORY", "SQL")
LOADS = 5
# One takes three quarters of a minute a store.
CROWD_ROUNDS = 3
# There are some fifty questions to a million runs, each asked for so long.
MILLION_SECONDS = 1.0
PARTS = (
    "engine",
    "http",
    "health",
    "start",
    "postgres",
    "operations",
    "million",
    "proposals",
    "crowd",
    "shadow",
    "worst",
    "attacks",
)
IDENTITY = RunIdentity("rr_bench", "corr_bench", "sha256:bench")


@click.command()
@click.option("--seconds", default=3.0, show_default=True, help="Length of each load run.")
@click.option("--only", type=click.Choice(PARTS), help="One part of it.")
def main(seconds: float, only: str | None) -> None:
    """Measure all of PARTS, or one of them."""
    describe_machine()
    parts = {
        "engine": bench_engine,
        "http": lambda: bench_http(seconds),
        "health": lambda: bench_health(seconds),
        "start": bench_start,
        "postgres": lambda: bench_floor(seconds, LOADS, _require_all_ok),
        "operations": bench_operations,
        "million": lambda: bench_million(MILLION_SECONDS, _require_all_ok),
        "proposals": lambda: bench_proposals(seconds, LOADS, _require_all_ok),
        "crowd": lambda: bench_crowd(seconds, CROWD_ROUNDS),
        "shadow": lambda: bench_shadow(3 * seconds, LOADS, _require_all_ok),
        "worst": bench_worst,
        "attacks": bench_attacks,
    }
    for name, part in parts.items():
        if only in (None, name):
            part()


def describe_machine() -> None:
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {model}")
    print(f"Python {platform.python_version()}, msgspec {msgspec.__version__}\n")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def bench_engine() -> None:
    tune_gc()
    print(f"Engine, from request value to result value, ms (median of {ROUNDS} rounds, and the fastest)")
    print(f"  {'positions':>10}{'heuristic':>20}{'solver':>20}")
    taken: dict[tuple[int, str], list[float]] = {}
    requests = {
        (size, method): bodies.decode_rebalance(a_body(positions=size, seed=7, target_method=method))
        for size in SIZES
        for method in METHODS
    }
    # In rounds over all of them, so that a slow moment of the machine does not fall on one of them alone.
    for _ in range(ROUNDS):
        for key, request in requests.items():
            taken.setdefault(key, []).append(_engine_ms(request, runs=max(1, 100 // key[0])))
    for size in SIZES:
        cells = [f"{median(taken[size, method]):.3f} ({min(taken[size, method]):.3f})" for method in METHODS]
        print(f"  {size:>10}" + "".join(f"{cell:>20}" for cell in cells))
    for method in METHODS:
        medians = [median(taken[size, method]) for size in SIZES]
        print(f"  growth exponent {method.lower()}: {_exponent(SIZES, medians):.3f}")
    print()


def _engine_ms(request: RebalanceRequest, runs: int) -> float:
    simulate = versions.engine_of()
    started = time.perf_counter()
    for _ in range(runs):
        simulate(request, IDENTITY)
    return (time.perf_counter() - started) * 1000 / runs


def _exponent(sizes: tuple[int, ...], times: list[float]) -> float:
    """Slope of the least-squares line through log time over log size."""
    points = [(math.log(size), math.log(spent)) for size, spent in zip(sizes, times, strict=True)]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def bench_http(seconds: float) -> None:
    print("POST /rebalance/simulate, one process, every request new; this generator shares the machine")
    print(f"(the middle one of {LOADS} loads of {seconds:.0f} s each, and the slowest and fastest)")
    print(f"  {'request':<16}{'store':<10}{'connections':>12}{'per second':>22}{'p50 ms':>9}{'p99 ms':>9}")
    requests = {"demo": DEMO.read_bytes(), "100 positions": a_body(positions=100, seed=7)}
    cases = [(name, store, count) for name in requests for store in STORES for count in (1, 32)]
    loads: dict[tuple[str, str, int], list[Load]] = {case: [] for case in cases}
    # In rounds over all of them, so that a slow moment of the machine does not fall on one of them alone.
    for _ in range(LOADS):
        for name, store, connections in cases:
            make = post_of("/rebalance/simulate", requests[name])
            with tempfile.TemporaryDirectory() as folder, Server(_variables(store, folder)) as server:
                run(server.port, make, connections=4, seconds=1.0)
                load = run(server.port, make, connections=connections, seconds=seconds)
            _require_all_ok(load)
            loads[name, store, connections].append(load)
    for name, store, connections in cases:
        slowest, *_, fastest = ordered = sorted(
            loads[name, store, connections], key=lambda load: load.per_second
        )
        middle = ordered[len(ordered) // 2]
        rates = f"{middle.per_second:.0f} ({slowest.per_second:.0f}-{fastest.per_second:.0f})"
        print(
            f"  {name:<16}{store:<10}{connections:>12}{rates:>22}"
            f"{middle.median_ms:>9.2f}{middle.percentile_ms(0.99):>9.2f}"
        )
    print()


def bench_health(seconds: float) -> None:
    print("GET /health/live every 5 ms while 4 connections simulate 1,000 positions each, on SQLite")
    body = a_body(positions=1000, seed=7)
    with tempfile.TemporaryDirectory() as folder, Server(_variables("SQL", folder)) as server:
        probe, load = uvloop.run(_probe_under_load(server.port, body, seconds))
    _require_all_ok(probe)
    _require_all_ok(load)
    print(f"  body {len(body) / 1024:.0f} KiB; {load.per_second:.1f} simulations per second")
    print(
        f"  probe: {len(probe.latencies)} asked, p50 {probe.median_ms:.2f} ms, "
        f"p99 {probe.percentile_ms(0.99):.2f} ms, max {probe.percentile_ms(1):.2f} ms\n"
    )


async def _probe_under_load(port: int, body: bytes, seconds: float) -> tuple[Load, Load]:
    simulations = generate(port, post_of("/rebalance/simulate", body), connections=4, seconds=seconds)
    probes = generate(port, get_of("/health/live"), connections=1, seconds=seconds, pause=0.005)
    load, probe = await asyncio.gather(simulations, probes)
    return probe, load


def bench_start(rounds: int = 7) -> None:
    print("Start-up, from process start to an answer of /health/ready, and resident memory")
    for store in STORES:
        seconds, memory = [], []
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(rounds):
                with Server(_variables(store, folder)) as server:
                    ready = run(server.port, get_of("/health/ready"), connections=1, seconds=0.0)
                    _require_all_ok(ready)
                    seconds.append(time.perf_counter() - server.started)
                    run(
                        server.port,
                        post_of("/rebalance/simulate", DEMO.read_bytes()),
                        connections=8,
                        seconds=1.0,
                    )
                    memory.append(_resident_mib(server.process.pid))
        server_mib = median(own for own, _ in memory)
        workers_mib = median(others for _, others in memory)
        print(
            f"  {store:<10} ready in {median(seconds):.3f} s; server {server_mib:.0f} MiB, "
            f"engine processes {workers_mib:.0f} MiB, together {server_mib + workers_mib:.0f} MiB"
        )
    print()


def _resident_mib(pid: int) -> tuple[Decimal, Decimal]:
    """Resident memory of a process and of its children, pages shared between them counted once each."""
    children = [int(text) for text in " ".join(_lines(f"/proc/{pid}/task/{pid}/children")).split()]
    return _pss_mib(pid), sum((_pss_mib(child) for child in children), Decimal(0))


def _pss_mib(pid: int) -> Decimal:
    for line in _lines(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return Decimal(line.split()[1]) / 1024
    return Decimal(0)


def _variables(store: str, folder: str) -> dict[str, str]:
    path = str(Path(folder) / "bench.db")
    return {
        "DPM_SUPPORTABILITY_STORE_BACKEND": store,
        "DPM_SUPPORTABILITY_SQL_PATH": path,
        "DPM_LOG_LEVEL": "INFO",
    }


def _require_all_ok(load: Load) -> None:
    if set(load.statuses) != {200}:
        raise SystemExit(f"not every answer was 200: {load.statuses}")


if __name__ == "__main__":
    sys.exit(main())
