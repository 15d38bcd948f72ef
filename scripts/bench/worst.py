"""Measures the processor time of the dearest requests that the bounds of sizes let in, route by route."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from scripts.harness.worst_bodies import (
    CURRENCIES,
    GROUPS,
    ORDERS,
    Body,
    book,
    grouped,
    proposal,
    two_attributes,
)
from service.domains.operations import StagedScenario
from service.domains.rebalances.analyses import Analyzed
from service.errors.engines import ResultTooLarge
from service.errors.requests import RequestInvalid
from service.flows.dpm_runs.analyses import (
    AnswerRoom,
    BatchAnalysis,
    BatchIdentity,
    analyze_body,
    plan_body,
    run_scenario,
)
from service.flows.dpm_runs.computing import Readers, simulate_body
from service.flows.limits.result_sizes import RESULT_BYTES_MAX
from service.flows.proposals import computing
from service.flows.proposals.versions import ProposalReaders, build_documents, read_creation, simulate_asked
from service.web.answers.dpm_runs import batch_answer
from service.web.requests import bodies

ROWS = 20_000
SCENARIOS = 20
ATTRIBUTES = 50
BODY_BYTES_MAX = 8 * 1024 * 1024
SECONDS_MAX = 5.0
MIB = 1024 * 1024

READERS = Readers(bodies.decode_rebalance, bodies.decode_batch, bodies.decode_options)
PROPOSAL_READERS = ProposalReaders(
    simulate=bodies.decode_proposal,
    create=bodies.decode_creation,
    version=bodies.decode_version,
    transition=bodies.decode_transition,
    approval=bodies.decode_approval,
)
AT = datetime(2026, 11, 30, tzinfo=UTC)
KEY = "bench"
IDENTITY = BatchIdentity("batch_bench", None, tuple(f"rr_{number}" for number in range(SCENARIOS)))


class Corner(NamedTuple):
    """A request, the work it asks for, and its rows; fewer than ROWS where bytes are the bound."""

    route: str
    name: str
    rows: int
    body: bytes
    work: Callable[[bytes], int]

    @property
    def is_batch(self) -> bool:
        return self.work is _analyze


class Measured(NamedTuple):
    """Bytes of the answer, None where it is refused for them; processor seconds."""

    answered: int | None
    seconds: float
    told: str = ""


def bench_worst() -> None:
    """Prints processor seconds of each corner, and which is the worst."""
    print("Processor seconds of one request at the corners of what the bounds of sizes let in, one process")
    print(f"  {'route':<28}{'corner':<46}{'rows':>7}{'body MiB':>10}{'answer MiB':>12}{'seconds':>9}")
    worst: tuple[float, str] = (0.0, "")
    for corner in corners():
        answered, spent, told = _dearest_scenario(corner.body) if corner.is_batch else _measured(corner)
        answer = "too large" if answered is None else f"{answered / MIB:.2f}"
        worst = max(worst, (spent, f"{corner.route}, {corner.name}"))
        print(
            f"  {corner.route:<28}{corner.name:<46}{corner.rows:>7}{len(corner.body) / MIB:>10.2f}"
            f"{answer:>12}{spent:>9.2f}{told}",
            flush=True,
        )
    verdict = "within" if worst[0] <= SECONDS_MAX else "over"
    print(f"  worst: {worst[0]:.2f} s, {worst[1]}; {verdict} {SECONDS_MAX:.0f} s\n")


def corners() -> Iterator[Corner]:
    yield from _simulations()
    yield from _analyses()
    yield from _proposals()
    yield from _refusals()


def _simulations() -> Iterator[Corner]:
    route = "simulate"
    yield _corner(route, "heuristic", _simulate, lambda rows: book(rows))
    yield _corner(
        route,
        f"heuristic, {CURRENCIES} currencies, ladder, turnover",
        _simulate,
        lambda rows: book(
            rows, currencies=CURRENCIES, enable_settlement_awareness=True, max_turnover_pct="0.1"
        ),
    )
    yield _corner(
        route,
        f"heuristic, {CURRENCIES} currencies without rates",
        _simulate,
        lambda rows: book(rows, currencies=CURRENCIES, rates=False, block_on_missing_fx=False),
    )
    yield _corner(
        route,
        "heuristic, ten lots each, budget of gains",
        _simulate,
        lambda rows: book(rows, lots=10, enable_tax_awareness=True, max_realized_capital_gains="1000"),
    )
    for method in ("HEURISTIC", "SOLVER"):
        for attributes in (1, 2, 20):
            yield _corner(
                route,
                f"{method.lower()}, {GROUPS} groups of {attributes} attributes",
                _simulate,
                lambda rows, method=method, attributes=attributes: grouped(
                    rows, attributes, target_method=method
                ),
            )
    for attributes in (2, 20):
        yield _corner(
            route,
            f"solver, {GROUPS} groups of {attributes} attributes, compared",
            _simulate,
            lambda rows, attributes=attributes: grouped(
                rows, attributes, target_method="SOLVER", compare_target_methods=True
            ),
        )
    yield _corner(
        route,
        f"heuristic, {ATTRIBUTES} attributes of any value",
        _simulate,
        lambda rows: book(rows, attributes=ATTRIBUTES, values=rows * ATTRIBUTES),
    )
    yield _corner(
        route,
        f"solver, {GROUPS} groups that contradict each other",
        _simulate,
        lambda rows: grouped(rows, 2, target_method="SOLVER", cash_band_max_weight="0.01"),
    )


def _analyses() -> Iterator[Corner]:
    names = [f"s{number}" for number in range(SCENARIOS)]
    for method, made in (("HEURISTIC", book), ("SOLVER", book), ("SOLVER", two_attributes)):

        def batch(rows: int, method: str = method, made: Callable[[int], Body] = made) -> Body:
            document = made(rows)
            caps = document["options"]
            document["scenarios"] = {name: {"options": {**caps, "target_method": method}} for name in names}
            del document["options"]
            return document

        told = "" if made is book else f", {GROUPS} groups"
        yield _corner("analyze", f"{SCENARIOS} scenarios, {method.lower()}{told}", _analyze, batch)


def _proposals() -> Iterator[Corner]:
    for rates in (True, False):
        told = "with" if rates else "without"
        asked = lambda rows, rates=rates: proposal(rows, rates=rates)  # noqa: E731
        name = f"{ORDERS} trades, {CURRENCIES} currencies {told} rates"
        yield _corner("proposals/simulate", name, _propose, asked)
        yield _corner("proposals/artifact", name, _artifact, asked)
        yield _corner(
            "proposals",
            name,
            _create,
            lambda rows, asked=asked: {"created_by": "a", "simulate_request": asked(rows)},
        )


def _refusals() -> Iterator[Corner]:
    def wrong(rows: int) -> Body:
        document = book(rows)
        for row in document["portfolio_snapshot"]["positions"]:
            row["quantity"] = "one"
        return document

    yield _corner("simulate, refused", "no quantity is a number", _refused, wrong)
    packed = _corner("simulate, gzip", "heuristic", _unpacked, lambda rows: book(rows))
    yield packed._replace(body=gzip.compress(packed.body))


def _corner(route: str, name: str, work: Callable[[bytes], int], of: Callable[[int], Body]) -> Corner:
    rows = ROWS
    body = _encoded(of(rows))
    while len(body) > BODY_BYTES_MAX:
        rows = rows * (BODY_BYTES_MAX - BODY_BYTES_MAX // 50) // len(body)
        body = _encoded(of(rows))
    return Corner(route, name, rows, body, work)


def _encoded(document: Body) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _simulate(body: bytes) -> int:
    return len(simulate_body(READERS, body, "rr_bench", "corr_bench").result)


def _unpacked(body: bytes) -> int:
    return _simulate(gzip.decompress(body))


def _refused(body: bytes) -> int:
    try:
        return _simulate(body)
    except RequestInvalid as refused:
        return len(str(refused.entries))


def _analyze(body: bytes) -> int:
    return len(batch_answer(BatchAnalysis(analyze_body(READERS, body, IDENTITY), AT)))


def _measured(corner: Corner) -> Measured:
    started = time.process_time()
    answered: int | None = None
    with suppress(ResultTooLarge):
        answered = corner.work(corner.body)
    return Measured(answered, time.process_time() - started)


def _dearest_scenario(body: bytes) -> Measured:
    """A batch of much is as many pieces of work, each with a deadline of its own, as it has scenarios."""
    started = time.process_time()
    plan = plan_body(READERS, body, IDENTITY)
    written = plan.written()
    seconds = [time.process_time() - started]
    room = AnswerRoom(RESULT_BYTES_MAX)
    outcomes: list[StagedScenario] = []
    for scenario in plan.scenarios:
        started = time.process_time()
        outcomes.append(room.take(run_scenario(written, room.bytes_left, scenario.name)))
        seconds.append(time.process_time() - started)
    answered = len(batch_answer(BatchAnalysis(Analyzed(plan, tuple(outcomes)), AT)))
    return Measured(answered, max(seconds), f" the dearest scenario, {sum(seconds):.2f} all")


def _propose(body: bytes) -> int:
    read = bodies.decode_proposal
    return len(computing.simulate_proposal_body(read, body, "corr_bench", KEY).result)


def _artifact(body: bytes) -> int:
    read = bodies.decode_proposal
    made = computing.simulate_proposal_body(read, body, "corr_bench", KEY)
    return len(computing.artifact_of_result(read, made.request_body, made.result, AT).body)


def _create(body: bytes) -> int:
    asked = read_creation(PROPOSAL_READERS, body)
    outcome = simulate_asked(PROPOSAL_READERS.simulate, asked, "corr_bench", KEY)
    made = build_documents(PROPOSAL_READERS.simulate, asked, outcome, AT, True)
    return len(made.result) + len(made.artifact) + len(made.evidence)
