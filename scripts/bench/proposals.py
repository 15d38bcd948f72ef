"""Measures proposals on PostgreSQL: against the least they can cost, and lists of a million of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from urllib.parse import urlencode

import uvloop

from scripts.bench.floor import CREATE, CREATION, POSITIONS, PROPOSAL, PROPOSE
from scripts.bench.million import CLIENTS, HUNDREDTH, PAGE, ROUNDS, WARM_SECONDS, hundredth, middle_of
from scripts.bench.postgres import CONNECTIONS, beside_floor, migrated, shares_of, show, variables_of
from scripts.bench.proposal_seeding import ADVISERS, PORTFOLIOS, seed_proposals
from scripts.bench.seeding import settle
from scripts.harness.closed_loop_load import Load, get_of, post_of, run
from scripts.harness.servers import Server

MANY = 1_000_000
PAGE_P99_MS = 20.0
PAGE_SECONDS = 1.0

Check = Callable[[Load], None]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure; where something was asked for, what is measured is held against it."""

    what: str
    measured: float
    unit: str
    asked: float | None = None

    def __str__(self) -> str:
        told = f"  {self.what:<60}{f'{self.measured:,.1f} {self.unit}':>16}"
        if self.asked is None:
            return told
        return f"{told}{f'{self.asked:,.1f} {self.unit}':>14}{self.measured / self.asked:>8.2f}"


def bench_proposals(seconds: float, loads: int, require_ok: Check) -> None:
    lines = [*acts(seconds, loads, require_ok), *lists(require_ok)]
    print(f"  {'':<60}{'measured':>16}{'asked':>14}{'ratio':>8}")
    for line in lines:
        print(line)
    print()


def acts(seconds: float, loads: int, require_ok: Check) -> list[Line]:
    """Simulations and creations beside a bare handler that writes the same rows."""
    lines = []
    for name, path, body in (("simulate", PROPOSE, PROPOSAL), ("create", CREATE, CREATION)):
        print(f"POST {path}, {POSITIONS} positions, PostgreSQL with fsync, {CONNECTIONS} connections,")
        print(f"beside a bare handler; {loads} loads of {seconds:.0f} s each, in turn")
        with migrated() as dsn:
            rates = beside_floor(dsn, proposals_on(dsn), post_of(path, body), seconds, loads, require_ok)
        show(rates)
        rate = median(load.per_second for load in rates["service"])
        lines += [
            Line(f"{name}, {CONNECTIONS} connections", rate, "per second"),
            Line(f"{name}, share of the floor", 100 * median(shares_of(rates)), "%"),
        ]
    return lines


def lists(require_ok: Check) -> list[Line]:
    """Page 1 and page 100 of a million proposals under every filter."""
    with migrated() as dsn:
        started = time.perf_counter()
        uvloop.run(seed_proposals(dsn, MANY))
        uvloop.run(settle(dsn))
        print(f"{MANY:,} proposals stored, in {time.perf_counter() - started:.0f} s")
        with Server(proposals_on(dsn)) as server:
            pages = {
                f"{name}, page {number}": get_of(path)
                for name, first in lists_of(PAGE).items()
                for number, path in ((1, first), (HUNDREDTH, hundredth(server, first)))
            }
            rounds: dict[str, list[Load]] = {name: [] for name in pages}
            # In rounds over all of them, so that a slow moment of the machine does not fall on one alone.
            for _ in range(ROUNDS):
                for name, make in pages.items():
                    run(server.port, make, connections=CLIENTS, seconds=WARM_SECONDS)
                    rounds[name].append(run(server.port, make, connections=CLIENTS, seconds=PAGE_SECONDS))
                    require_ok(rounds[name][-1])
    print(f"GET {CREATE} with {CLIENTS} clients, pages of {PAGE}; one process, the generator beside it\n")
    return [
        Line(f"{name}, p99 (p50 {load.median_ms:.1f} ms)", load.percentile_ms(0.99), "ms", PAGE_P99_MS)
        for name, load in ((name, middle_of(loads)) for name, loads in rounds.items())
    ]


def lists_of(limit: int) -> dict[str, str]:
    """No filter, and each alone."""
    filters = {
        "proposals": {},
        "proposals for a portfolio": {"portfolio_id": f"pf_{PORTFOLIOS // 2:04d}"},
        "proposals in a state": {"state": "RISK_REVIEW"},
        "proposals of an adviser": {"created_by": f"advisor_{ADVISERS // 2:04d}"},
    }
    return {name: f"{CREATE}?{urlencode({**given, 'limit': limit})}" for name, given in filters.items()}


def proposals_on(dsn: str) -> dict[str, str]:
    """Runs and proposals in one database."""
    return variables_of(dsn) | {"PROPOSAL_STORE_BACKEND": "POSTGRES", "PROPOSAL_POSTGRES_DSN": dsn}
