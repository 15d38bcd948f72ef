"""Measures what operations ask of a store of a million runs, over HTTP, and a purge beside writers."""

from __future__ import annotations

import asyncio
import json
import random
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import psycopg
import uvloop

from scripts.bench.floor import DEMO
from scripts.bench.postgres import migrated, variables_of
from scripts.bench.seeding import (
    PORTFOLIOS,
    REASONS,
    REPEATED_HASH,
    REVIEWED_EVERY,
    SHARED_CORRELATION,
    Seed,
    seed_runs,
    settle,
)
from scripts.harness.closed_loop_load import Load, generate, get_of, post_of, run
from scripts.harness.servers import Server

FEW, MANY = 1_000, 1_000_000
EXPIRED = 100_000
RETENTION_DAYS = 30
CLIENTS = 8
PAGE = 50
HUNDREDTH = 100
# What a thousand runs fill a page of under each filter, so that equal pages are compared.
SHORT_PAGE = 5
# Nothing but what the purge is to remove may expire meanwhile.
NEVER = {"DPM_ASYNC_OPERATIONS_TTL_SECONDS": str(10 * 365 * 86_400)}
WARM_SECONDS = 0.2
ROUNDS = 3
PURGE_SECONDS_MAX = 600.0
ALONE_SECONDS = 20.0

Make = Callable[[str], bytes]
Check = Callable[[Load], None]


def bench_million(seconds: float, require_ok: Check) -> None:
    # The first EXPIRED of them are older than RETENTION_DAYS when the purge comes to them.
    began_at = datetime.now(UTC) - timedelta(days=RETENTION_DAYS, seconds=EXPIRED)
    with migrated() as dsn:
        few = measured_with(dsn, 0, FEW, began_at, seconds, require_ok)
        many = measured_with(dsn, FEW, MANY, began_at, seconds, require_ok)
        show(few, many)
        bench_purge(dsn, require_ok)


def measured_with(
    dsn: str, first: int, count: int, began_at: datetime, seconds: float, require_ok: Check
) -> dict[str, Load]:
    started = time.perf_counter()
    uvloop.run(seed_runs(dsn, count - first, first=first, began_at=began_at))
    uvloop.run(settle(dsn))
    print(f"{count:,} runs stored with all that belongs to them, in {time.perf_counter() - started:.0f} s")
    with Server(variables_of(dsn) | NEVER) as server:
        asked = questions(server, count)
        rounds: dict[str, list[Load]] = {name: [] for name in asked}
        # In rounds over all of them, so that a slow moment of the machine does not fall on one of them alone.
        for _ in range(ROUNDS):
            for name, make in asked.items():
                run(server.port, make, connections=CLIENTS, seconds=WARM_SECONDS)
                rounds[name].append(run(server.port, make, connections=CLIENTS, seconds=seconds))
                require_ok(rounds[name][-1])
    return {name: middle_of(loads) for name, loads in rounds.items()}


def middle_of(loads: list[Load]) -> Load:
    """The load whose p99 is the middle one."""
    return sorted(loads, key=lambda load: load.percentile_ms(0.99))[len(loads) // 2]


def questions(server: Server, count: int) -> dict[str, Make]:
    """What is asked, by name; look-ups draw another run each time."""
    draw = random.Random(7)

    def a_seed() -> Seed:
        return Seed(draw.randrange(count), datetime.now(UTC))

    def an_unshared() -> str:
        while (seed := a_seed()).correlation_id == SHARED_CORRELATION:
            pass
        return seed.correlation_id

    def drawn(path: Callable[[], str]) -> Make:
        return lambda name: get_of(path())(name)

    asked = {
        "run": drawn(lambda: f"/rebalance/runs/{a_seed().run_id}"),
        "by correlation": drawn(lambda: f"/rebalance/runs/by-correlation/{an_unshared()}"),
        "by shared correlation": get_of(f"/rebalance/runs/by-correlation/{SHARED_CORRELATION}"),
        "by request hash": get_of(f"/rebalance/runs/by-request-hash/{REPEATED_HASH}"),
        "by key": drawn(lambda: f"/rebalance/runs/idempotency/{a_seed().key}"),
        "key history": drawn(lambda: f"/rebalance/idempotency/{a_seed().key}/history"),
        "artifact": drawn(lambda: f"/rebalance/runs/{a_seed().run_id}/artifact"),
        "bundle": drawn(lambda: f"/rebalance/runs/{a_seed().run_id}/support-bundle"),
        "bundle by key": drawn(lambda: f"/rebalance/runs/idempotency/{a_seed().key}/support-bundle"),
        "workflow": drawn(lambda: f"/rebalance/runs/{a_seed().run_id}/workflow/history"),
        "lineage of a run": drawn(lambda: f"/rebalance/lineage/{a_seed().run_id}"),
        "lineage, 3 deep": drawn(lambda: f"/rebalance/lineage/{an_unshared()}?depth=3"),
        "summary": get_of("/rebalance/supportability/summary"),
    }
    for name, path in lists(SHORT_PAGE).items():
        asked[f"{name}, {SHORT_PAGE} rows"] = get_of(path)
    if count == MANY:
        for name, path in lists(PAGE).items():
            asked[f"{name}, page 1"] = get_of(path)
            asked[f"{name}, page {HUNDREDTH}"] = get_of(hundredth(server, path))
    return asked


def lists(limit: int) -> dict[str, str]:
    """Every filter, alone, and some together."""
    reviewed = Seed(REVIEWED_EVERY, datetime.now(UTC)).run_id
    edges = f"/rebalance/lineage/{SHARED_CORRELATION}"
    since = (datetime.now(UTC) - timedelta(days=365)).isoformat()
    runs = {
        "runs": {},
        "runs of a status": {"status": "BLOCKED"},
        "runs of a portfolio": {"portfolio_id": f"pf_{PORTFOLIOS // 2:04d}"},
        "runs of a hash": {"request_hash": REPEATED_HASH},
        "runs of a time": {"from": since, "to": datetime.now(UTC).isoformat()},
        "runs of a status and time": {"status": "READY", "from": since},
    }
    decisions = {
        "decisions": {},
        "decisions of an actor": {"actor_id": "reviewer_3"},
        "decisions for a reason": {"reason_code": f"REASON_{REASONS // 2}"},
        "decisions of a kind": {"action": "REJECT"},
        "decisions of a time": {"from": since},
        "decisions on a run": {"rebalance_run_id": reviewed},
    }
    lineage = {
        "edges of an entity": {},
        "edges of a type": {"edge_type": "CORRELATION_TO_RUN"},
        "edges of a time": {"from": since},
        "edges down": {"direction": "down"},
    }
    return {
        name: f"{base}?{urlencode({**filters, 'limit': limit})}"
        for base, named in (
            ("/rebalance/runs", runs),
            ("/rebalance/workflow/decisions", decisions),
            (edges, lineage),
        )
        for name, filters in named.items()
    }


def hundredth(server: Server, path: str) -> str:
    """The address of the hundredth page, or of the last one when there are fewer."""
    page = path
    for _ in range(HUNDREDTH - 1):
        with urllib.request.urlopen(server.base + page) as answer:
            cursor = json.load(answer)["next_cursor"]
        if cursor is None:
            break
        page = f"{path}&cursor={quote(cursor, safe='')}"
    return page


def show(few: dict[str, Load], many: dict[str, Load]) -> None:
    print(f"\nGET with {CLIENTS} clients, ms; pages of {PAGE}; one process, the generator beside it")
    print(f"  {'':<34}{'p50':>8}{'p99':>8}{'p50 of ' + f'{FEW:,}':>16}{'ratio':>8}")
    for name, load in many.items():
        cells = f"  {name:<34}{load.median_ms:>8.2f}{load.percentile_ms(0.99):>8.2f}"
        if name in few:
            ratio = load.median_ms / few[name].median_ms
            cells += f"{few[name].median_ms:>16.2f}{ratio:>8.2f}"
        print(cells)
    print()


def bench_purge(dsn: str, require_ok: Check) -> None:
    make = post_of("/rebalance/simulate", DEMO.read_bytes())
    with Server(variables_of(dsn) | NEVER) as server:
        alone = run(server.port, make, connections=CLIENTS, seconds=ALONE_SECONDS)
    require_ok(alone)
    print(f"{CLIENTS} writers without a purge: {told(alone)}")
    retention = {
        "DPM_SUPPORTABILITY_RETENTION_DAYS": str(RETENTION_DAYS),
        "DPM_PURGE_INTERVAL_SECONDS": "1",
    }
    with Server(variables_of(dsn) | NEVER | retention) as server:
        load, seconds, removed = uvloop.run(writes_beside_purge(dsn, server.port))
    require_ok(load)
    print(f"beside a purge of {removed:,} expired runs in {seconds:.0f} s: {told(load)}\n")


def told(load: Load) -> str:
    return (
        f"{load.per_second:.0f} writes per second, p50 {load.median_ms:.1f} ms, "
        f"p99 {load.percentile_ms(0.99):.1f} ms, the longest {load.percentile_ms(1):.1f} ms"
    )


async def writes_beside_purge(dsn: str, port: int) -> tuple[Load, float, int]:
    make = post_of("/rebalance/simulate", DEMO.read_bytes())
    started = time.perf_counter()
    total = Load()
    removed = 0
    while time.perf_counter() - started < PURGE_SECONDS_MAX:
        part = await generate(port, make, connections=CLIENTS, seconds=5.0)
        total.seconds += part.seconds
        total.latencies += part.latencies
        for status, count in part.statuses.items():
            total.statuses[status] = total.statuses.get(status, 0) + count
        removed = await asyncio.to_thread(removed_by_purges, dsn)
        # One more run expires every second, so the purge is through when it has had all that had expired.
        if removed >= EXPIRED:
            break
    return total, time.perf_counter() - started, removed


def removed_by_purges(dsn: str) -> int:
    # What was seeded as a record of a purge removed nothing.
    with psycopg.connect(dsn) as conn:
        row = conn.execute("SELECT coalesce(sum(runs), 0) FROM dpm_purges").fetchone()
    assert row is not None
    return int(row[0])
