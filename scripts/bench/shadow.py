"""Measures what a shadow costs the callers of the primary, also while its database is away."""

from __future__ import annotations

import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import msgspec

from scripts.harness import postgres
from scripts.harness.closed_loop_load import Load, post_of, run
from scripts.harness.open_loop_load import run_paced
from scripts.harness.postgres import Postgres
from scripts.harness.servers import ROOT, Server
from service.admin.migrations import migrate

DEMO = ROOT / "scripts" / "demo" / "multi_currency.json"
# About a quarter of what one process does, on this schedule whatever the answers take.
PER_SECOND = 100.0
# Of a load, its database is away from the one part of it to the other.
AWAY_FROM, AWAY_UNTIL = 1 / 3, 2 / 3
# That a database is stopped and started takes time of the cores, shadow or not; so the last is held to the
# case where it is nobody's.
CASES = ("no shadow", "a database away", "shadow", "shadow away midway")
BESIDE = {"no shadow": "no shadow", "a database away": "no shadow", "shadow": "no shadow"}
SHADOWED = frozenset(CASES[2:])
AWAY = frozenset({CASES[1], CASES[3]})
SETTLE_SECONDS_MAX = 60.0


def bench_shadow(seconds: float, rounds: int, require_all_ok: Callable[[Load], None]) -> None:
    """Each round measures all cases, so that they share its moment; ratios are within a round."""
    print(f"A shadow on PostgreSQL, primary on SQLite: POST /rebalance/simulate, demo, {PER_SECOND:.0f}/s")
    print(f"(the middle of {rounds} rounds of {seconds:.0f} s; latencies from when each was due)")
    loads: dict[str, list[Load]] = {case: [] for case in CASES}
    told: dict[str, list[dict[str, int]]] = {case: [] for case in CASES}
    with Postgres.start(durable=True, port=0) as server:
        for number in range(rounds):
            for case in CASES:
                load, counts = _measure(case, server, f"bench_shadow_{number}", seconds)
                require_all_ok(load)
                loads[case].append(load)
                told[case].append(counts)
    print(
        f"  {'case':<20}{'p50 ms':>8}{'p99 ms':>8}{'max ms':>8}{'p99 ratio':>22}  applied, missed, differed"
    )
    for case in CASES:
        ratios = sorted(
            mine.percentile_ms(0.99) / bare.percentile_ms(0.99)
            for mine, bare in zip(loads[case], loads[BESIDE.get(case, CASES[1])], strict=True)
        )
        middle = {
            share: median(load.percentile_ms(share) for load in loads[case]) for share in (0.5, 0.99, 1)
        }
        ratio = f"{median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        sums = [
            sum(counts.get(name, 0) for counts in told[case]) for name in ("applied", "missed", "differed")
        ]
        print(
            f"  {case:<20}{middle[0.5]:>8.2f}{middle[0.99]:>8.2f}{middle[1]:>8.2f}{ratio:>22}"
            f"  {', '.join(map(str, sums))}"
        )
    print()


def _measure(case: str, database: Postgres, name: str, seconds: float) -> tuple[Load, dict[str, int]]:
    make = post_of("/rebalance/simulate", DEMO.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        variables = {
            "DPM_SUPPORTABILITY_STORE_BACKEND": "SQL",
            "DPM_SUPPORTABILITY_SQL_PATH": str(Path(folder) / "bench.db"),
            "DPM_LOG_LEVEL": "INFO",
        }
        if case in SHADOWED:
            postgres.drop_database(database.dsn(), name)
            migrate.apply(postgres.create_database(database.dsn(), name))
            variables |= {
                "DPM_SUPPORTABILITY_SHADOW_BACKEND": "POSTGRES",
                "DPM_SUPPORTABILITY_SHADOW_POSTGRES_DSN": database.tcp_dsn(name),
            }
        with Server(variables) as server:
            run(server.port, make, connections=4, seconds=1.0)
            load = _drive(server, seconds, database if case in AWAY else None)
            counts = _settled(server) if case in SHADOWED else {}
    return load, counts


def _drive(server: Server, seconds: float, database: Postgres | None) -> Load:
    """Drives the server; a database that is given is stopped for a part of the time and started again."""
    make, count = post_of("/rebalance/simulate", DEMO.read_bytes()), int(PER_SECOND * seconds)
    # The database ends with the thread that starts it, so it is the load that has a thread of its own.
    with ThreadPoolExecutor(1) as beside:
        load = beside.submit(run_paced, server.port, make, per_second=PER_SECOND, count=count)
        if database is not None:
            time.sleep(seconds * AWAY_FROM)
            database.stop_immediately()
            time.sleep(seconds * (AWAY_UNTIL - AWAY_FROM))
            database.restart()
        return load.result()


def _settled(server: Server) -> dict[str, int]:
    """What the server has seen of its shadow, once nothing waits for it."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while True:
        with urllib.request.urlopen(f"{server.base}/rebalance/supportability/parity", timeout=30) as answer:
            counts: dict[str, int] = msgspec.json.decode(answer.read())["since_start"]
        if not counts["waiting"] or time.monotonic() > deadline:
            return counts
        time.sleep(0.1)
