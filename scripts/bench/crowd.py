"""Measures a crowd: callers who ask again at once, and three times as much as can be done.

Everything of a round is measured on one server, so that it shares the moment of the machine; figures are
ratios.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import uvloop

from scripts.bench.postgres import migrated, variables_of
from scripts.harness.closed_loop_load import Load, generate, get_of, post_of, run
from scripts.harness.flood import Flood, run_flood
from scripts.harness.servers import ROOT, Server, children_of

DEMO = ROOT / "scripts" / "demo" / "multi_currency.json"
# Callers who ask again as soon as they are answered.
CROWDS = (32, 64, 128, 256)
LARGE_CROWD = 1000
TIMES_PEAK = 3.0
# Queues fill, and thousands of connections are opened, before an overload is what a lasting one looks like.
WARM_UP_SECONDS = 12.0
# A server that has just begun still starts its engine processes, which take the core it is measured on.
FIRST_SECONDS = 6.0
# A crowd opens its connections; the queue of a large one fills to its bound.
CROWD_WARM_UP_SECONDS = 1.0
LARGE_CROWD_WARM_UP_SECONDS = 8.0
PROBE_PAUSE_SECONDS = 0.02

CROWD_SHARE_MIN = 0.9
LARGE_CROWD_SHARE_MIN = 0.9
QUEUE_SECONDS_MAX = 5.0
GOODPUT_SHARE_MIN = 0.9
REFUSAL_MS_MAX = 50.0
PROBE_MS_MAX = 100.0


@dataclass(frozen=True, slots=True)
class Backend:
    name: str
    variables: Mapping[str, str]
    # Of `serve`; "--processes", "2" is a row of its own.
    arguments: Sequence[str] = ()
    # Whether the server has a core for itself; a database needs one too.
    pinned: bool = True


@dataclass(slots=True)
class Round:
    """What one server did; a rate is of answers with 200 in a second."""

    rates: dict[int, float] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)
    # Of the server for each answer with 200, refusals included; it does not depend on what else runs.
    cpu_ms: dict[int, float] = field(default_factory=dict)
    flood_cpu_ms: float = 0.0
    longest: float = 0.0
    probe_ms: float = 0.0
    flood: Flood = field(default_factory=Flood)

    @property
    def best(self) -> float:
        return max(self.rates[crowd] for crowd in CROWDS)

    def share(self, crowd: int) -> float:
        return self.rates[crowd] / self.best

    @property
    def goodput(self) -> float:
        return self.flood.per_second(200) / self.best


def bench_crowd(seconds: float, rounds: int) -> None:
    print("A crowd: POST /rebalance/simulate, demo; callers who ask again at once, and then")
    print(
        f"{TIMES_PEAK:.0f} times the peak by callers who come back when they are told; probes all the while"
    )
    with ExitStack() as opened:
        for backend in backends(opened):
            _show(backend, [_round(backend, seconds) for _ in range(rounds)])
    print()


def backends(opened: ExitStack) -> Iterator[Backend]:
    folder = opened.enter_context(tempfile.TemporaryDirectory())
    for store in ("IN_MEMORY", "SQL"):
        variables = {
            "DPM_SUPPORTABILITY_STORE_BACKEND": store,
            "DPM_SUPPORTABILITY_SQL_PATH": str(Path(folder) / "bench.db"),
            "DPM_LOG_LEVEL": "INFO",
        }
        yield Backend(store, variables)
    dsn = opened.enter_context(migrated())
    yield Backend("POSTGRES", variables_of(dsn), pinned=False)
    # Several processes share no memory, so proposals are in the database too.
    shared = variables_of(dsn) | {"PROPOSAL_STORE_BACKEND": "POSTGRES", "PROPOSAL_POSTGRES_DSN": dsn}
    yield Backend("POSTGRES x2", shared, arguments=("--processes", "2"), pinned=False)


def _round(backend: Backend, seconds: float) -> Round:
    make = post_of("/rebalance/simulate", DEMO.read_bytes())
    measured = Round()
    with Server(backend.variables, arguments=backend.arguments) as server, _apart(server, backend.pinned):
        run(server.port, make, connections=CROWDS[0], seconds=FIRST_SECONDS)
        warm_ups = dict.fromkeys(CROWDS, CROWD_WARM_UP_SECONDS) | {LARGE_CROWD: LARGE_CROWD_WARM_UP_SECONDS}
        whole = sum(warm_ups.values()) + WARM_UP_SECONDS + seconds * (len(warm_ups) + 1)
        with _probed(server.port, whole) as probe:
            for crowd, warm_up in warm_ups.items():
                spent = _cpu_seconds(server)
                load = run(server.port, make, connections=crowd, seconds=seconds, warm_up=warm_up)
                done = max(1.0, load.served_per_second * (seconds + warm_up))
                measured.cpu_ms[crowd] = 1000 * (_cpu_seconds(server) - spent) / done
                measured.rates[crowd] = load.served_per_second
                measured.refused[crowd] = load.statuses.get(503, 0)
            # Of the largest crowd.
            measured.longest = load.longest_served
            spent = _cpu_seconds(server)
            flood = run_flood(
                server.port,
                make,
                per_second=TIMES_PEAK * measured.best,
                seconds=WARM_UP_SECONDS + seconds,
            )
            done = sum(status == 200 for _, status, _ in flood.answers)
            measured.flood_cpu_ms = 1000 * (_cpu_seconds(server) - spent) / max(1, done)
        measured.probe_ms = probe.result().percentile_ms(0.99)
    measured.flood = flood.after(WARM_UP_SECONDS)
    if not measured.flood.statuses <= {200, 503}:
        raise SystemExit(f"neither done nor refused: {measured.flood.statuses}")
    return measured


def _cpu_seconds(server: Server) -> float:
    """Processor time of the server, or of several and their supervisor, without engine processes."""
    pids = [server.process.pid, *filter(_is_server, children_of(server.process.pid))]
    return sum(_spent_seconds(pid) for pid in pids)


def _is_server(pid: int) -> bool:
    return b"--supervised" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _spent_seconds(pid: int) -> float:
    spent = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _probed(port: int, seconds: float) -> Iterator[Future[Load]]:
    """Asks for the health in a process of its own, which a busy generator does not hold up."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool.submit(_probe, port, seconds)


def _probe(port: int, seconds: float) -> Load:
    probes = generate(port, get_of("/health/live"), connections=1, seconds=seconds, pause=PROBE_PAUSE_SECONDS)
    return uvloop.run(probes)


def _show(backend: Backend, rounds: Sequence[Round]) -> None:
    def middle(of: Callable[[Round], float]) -> float:
        return median(of(one) for one in rounds)

    def row(what: str, value: str, held: bool) -> None:
        print(f"  {backend.name:<10}{what:<32}{value:<66}{'held' if held else 'NOT HELD'}")

    for crowd in CROWDS:
        share = middle(lambda one, crowd=crowd: one.share(crowd))  # type: ignore[misc]
        rate = middle(lambda one, crowd=crowd: one.rates[crowd])  # type: ignore[misc]
        refused = max(one.refused[crowd] for one in rounds)
        cpu_ms = middle(lambda one, crowd=crowd: one.cpu_ms[crowd])  # type: ignore[misc]
        row(
            f"{crowd} callers",
            f"{rate:.0f}/s, {share:.0%} of the best, {refused} refused, {cpu_ms:.2f} ms each",
            refused == 0 and share >= CROWD_SHARE_MIN,
        )
    share = middle(lambda one: one.share(LARGE_CROWD))
    longest = max(one.longest for one in rounds)
    refused = max(one.refused[LARGE_CROWD] for one in rounds)
    cpu_ms = middle(lambda one: one.cpu_ms[LARGE_CROWD])
    row(
        f"{LARGE_CROWD} callers",
        f"{share:.0%} of the best, at most {longest:.1f} s, {refused} refused, {cpu_ms:.2f} ms each",
        share >= LARGE_CROWD_SHARE_MIN and longest <= QUEUE_SECONDS_MAX,
    )
    goodput = middle(lambda one: one.goodput)
    refusal = middle(lambda one: one.flood.percentile_ms(503, 0.99))
    cpu_ms = middle(lambda one: one.flood_cpu_ms)
    asked = middle(lambda one: len(one.flood.answers) / one.flood.seconds / one.best)
    unanswered = max(one.flood.unanswered for one in rounds)
    row(
        f"{TIMES_PEAK:.0f} times the peak ({asked:.1f} came)",
        f"{goodput:.0%} done, refused within {refusal:.0f} ms (p99), {cpu_ms:.2f} ms each",
        goodput >= GOODPUT_SHARE_MIN and refusal <= REFUSAL_MS_MAX and not unanswered,
    )
    probe = middle(lambda one: one.probe_ms)
    row("health probe meanwhile", f"p99 {probe:.0f} ms", probe <= PROBE_MS_MAX)


def pinnable() -> bool:
    return hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1


@contextmanager
def _apart(server: Server, pinned: bool) -> Iterator[None]:
    """The server on one core and this generator on the others, so that neither takes the other's time."""
    if not (pinned and pinnable()):
        yield
        return
    cores = os.sched_getaffinity(0)
    own = min(cores)
    for pid in (server.process.pid, *children_of(server.process.pid)):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), {own})
    os.sched_setaffinity(0, cores - {own})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
