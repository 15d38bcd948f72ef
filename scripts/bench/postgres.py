"""Measures the service on a PostgreSQL that flushes every commit, and against the least it can cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

from scripts.bench.floor import DEMO, SIMULATE
from scripts.harness.closed_loop_load import Load, post_of, run
from scripts.harness.postgres import Postgres
from scripts.harness.servers import Server
from service.admin.migrations import migrate

CONNECTIONS = 32


@contextmanager
def migrated() -> Iterator[str]:
    """The address of a database of ours that flushes every commit."""
    with Postgres.start(durable=True) as server:
        migrate.apply(server.dsn())
        yield server.dsn()


def bench_floor(seconds: float, loads: int, require_ok: Callable[[Load], None]) -> None:
    print(f"POST {SIMULATE} (demo) on PostgreSQL with fsync, {CONNECTIONS} connections, one process,")
    print(f"beside a bare handler that writes the same rows; {loads} loads of {seconds:.0f} s each, in turn")
    make = post_of(SIMULATE, DEMO.read_bytes())
    with migrated() as dsn:
        show(beside_floor(dsn, variables_of(dsn), make, seconds, loads, require_ok))


def beside_floor(
    dsn: str,
    variables: dict[str, str],
    make: Callable[[str], bytes],
    seconds: float,
    loads: int,
    require_ok: Callable[[Load], None],
) -> dict[str, list[Load]]:
    """Loads of the service and of the floor, in turn."""
    rates: dict[str, list[Load]] = {"service": [], "floor": []}
    with ExitStack() as running:
        servers = {
            "service": running.enter_context(Server(variables)),
            "floor": running.enter_context(Server({}, command=["-m", "scripts.bench.floor", "--dsn", dsn])),
        }
        for server in servers.values():
            run(server.port, make, connections=CONNECTIONS, seconds=2.0)
        for _ in range(loads):
            for name, server in servers.items():
                load = run(server.port, make, connections=CONNECTIONS, seconds=seconds)
                require_ok(load)
                rates[name].append(load)
    return rates


def shares_of(rates: dict[str, list[Load]]) -> list[float]:
    """What the service did of what the floor did beside it, from the least to the most."""
    pairs = zip(rates["service"], rates["floor"], strict=True)
    return sorted(service.per_second / floor.per_second for service, floor in pairs)


def show(rates: dict[str, list[Load]]) -> None:
    for name, measured in rates.items():
        ordered = sorted(load.per_second for load in measured)
        middle = sorted(measured, key=lambda load: load.per_second)[len(measured) // 2]
        print(
            f"  {name:<10}{median(ordered):>8.0f} per second ({ordered[0]:.0f}-{ordered[-1]:.0f}), "
            f"p50 {middle.median_ms:.1f} ms, p99 {middle.percentile_ms(0.99):.1f} ms"
        )
    shares = shares_of(rates)
    print(f"  service over floor: {median(shares):.0%} (pairs {shares[0]:.0%}-{shares[-1]:.0%})\n")


def variables_of(dsn: str) -> dict[str, str]:
    return {
        "DPM_SUPPORTABILITY_STORE_BACKEND": "POSTGRES",
        "DPM_SUPPORTABILITY_POSTGRES_DSN": dsn,
        "DPM_LINEAGE_APIS_ENABLED": "true",
        "DPM_IDEMPOTENCY_HISTORY_APIS_ENABLED": "true",
        "DPM_WORKFLOW_ENABLED": "true",
        "DPM_LOG_LEVEL": "INFO",
    }
