"""Measures the processor time of the dearest requests that the bounds of sizes let in, route by route."""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from service.engine_errors import ResultTooLarge
from service.errors import RequestInvalid
from service.flows import proposal_computing
from service.flows.analyses import BatchIdentity, analyze_body, batch_answer
from service.flows.dpm_computing import Readers, simulate_body
from service.flows.proposal_versions import ProposalReaders, build_documents, read_creation, simulate_asked
from service.web import bodies

ROWS = 20_000
CURRENCIES = 200
GROUPS = 200
SCENARIOS = 20
ORDERS = 2_000
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

Body = dict[str, Any]


class Corner(NamedTuple):
    """A request, the work it asks for, and its rows; fewer than ROWS where bytes are the bound."""

    route: str
    name: str
    rows: int
    body: bytes
    work: Callable[[bytes], int]
    # A batch is as many pieces of work, each with a deadline of its own, as it has scenarios.
    pieces: int = 1


def bench_worst() -> None:
    """Prints processor seconds of each corner, and which is the worst."""
    print("Processor seconds of one request at the corners of what the bounds of sizes let in, one process")
    print(f"  {'route':<28}{'corner':<46}{'rows':>7}{'body MiB':>10}{'answer MiB':>12}{'seconds':>9}")
    worst: tuple[float, str] = (0.0, "")
    for corner in corners():
        started = time.process_time()
        try:
            answer = f"{corner.work(corner.body) / MIB:.2f}"
        except ResultTooLarge:
            answer = "too large"
        spent = (time.process_time() - started) / corner.pieces
        worst = max(worst, (spent, f"{corner.route}, {corner.name}"))
        print(
            f"  {corner.route:<28}{corner.name:<46}{corner.rows:>7}{len(corner.body) / MIB:>10.2f}"
            f"{answer:>12}{spent:>9.2f}{'' if corner.pieces == 1 else ' a scenario'}",
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
    yield _corner(
        route,
        f"solver, {GROUPS} groups, heuristic compared",
        _simulate,
        lambda rows: grouped(rows, 2, target_method="SOLVER", compare_target_methods=True),
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
        yield _corner("analyze", f"{SCENARIOS} scenarios, {method.lower()}{told}", _analyze, batch, SCENARIOS)


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


def book(
    rows: int,
    *,
    currencies: int = 1,
    rates: bool = True,
    lots: int = 0,
    attributes: int = 1,
    values: int = 4,
    **options: Any,
) -> Body:
    """A rebalance of so many rows of everything."""
    chance = random.Random(7)
    ids = [f"I{number}" for number in range(rows)]
    wishes = [chance.randint(1, 1000) for _ in ids]
    whole = sum(wishes)
    positions: list[Body] = [{"instrument_id": name, "quantity": str(lots or 10)} for name in ids]
    for number, position in enumerate(positions if lots else ()):
        position["lots"] = [
            {
                "lot_id": str(lot),
                "quantity": "1",
                "unit_cost": {"amount": str(chance.randint(1, 20)), "currency": f"C{number % currencies}"},
                "purchase_date": "2026",
            }
            for lot in range(lots)
        ]
    return {
        "portfolio_snapshot": {
            "portfolio_id": "pf_bench",
            "base_currency": "C0",
            "positions": positions,
            "cash_balances": [{"currency": f"C{number}", "amount": "1000"} for number in range(currencies)],
        },
        "market_data_snapshot": {
            "prices": [
                {
                    "instrument_id": name,
                    "price": str(chance.randint(5, 20)),
                    "currency": f"C{number % currencies}",
                }
                for number, name in enumerate(ids)
            ],
            "fx_rates": [
                {"pair": f"C{number}/C0", "rate": "1.3"} for number in range(1, currencies if rates else 1)
            ],
        },
        "model_portfolio": {
            "targets": [
                {"instrument_id": name, "weight": f"{wish / whole:.9f}"}
                for name, wish in zip(ids, wishes, strict=True)
            ]
        },
        "shelf_entries": [
            {
                "instrument_id": name,
                "status": "APPROVED",
                "attributes": {f"a{kind}": f"v{chance.randrange(values)}" for kind in range(attributes)},
            }
            for name in ids
        ],
        "options": options,
    }


def grouped(rows: int, attributes: int, **options: Any) -> Body:
    """The same with a cap on every value of its attributes, most of them below what is wanted."""
    values = GROUPS // attributes
    chance = random.Random(11)
    caps = {
        f"a{kind}:v{value}": {"max_weight": f"{chance.uniform(0.8, 1.05) / values:.4f}"}
        for kind in range(attributes)
        for value in range(values)
    }
    return book(rows, attributes=attributes, values=values, group_constraints=caps, **options)


def two_attributes(rows: int) -> Body:
    return grouped(rows, 2)


def proposal(rows: int, *, rates: bool) -> Body:
    """Purchases in half of the currencies, with cash in the other half."""
    document = book(rows, currencies=CURRENCIES, rates=rates, enable_proposal_simulation=True)
    del document["model_portfolio"]
    document["portfolio_snapshot"]["cash_balances"] = [
        {"currency": f"C{number}", "amount": "100000"} for number in range(CURRENCIES // 2)
    ]
    bought = range(CURRENCIES // 2, CURRENCIES)
    document["proposed_trades"] = [
        {"side": "BUY", "instrument_id": f"I{bought[number % len(bought)]}", "quantity": "100"}
        for number in range(ORDERS)
    ]
    document["proposed_cash_flows"] = [{"currency": "C0", "amount": "1"} for _ in range(ORDERS)]
    return document


def _corner(
    route: str, name: str, work: Callable[[bytes], int], of: Callable[[int], Body], pieces: int = 1
) -> Corner:
    rows = ROWS
    body = _encoded(of(rows))
    while len(body) > BODY_BYTES_MAX:
        rows = rows * (BODY_BYTES_MAX - BODY_BYTES_MAX // 50) // len(body)
        body = _encoded(of(rows))
    return Corner(route, name, rows, body, work, pieces)


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
    identity = BatchIdentity("batch_bench", None, tuple(f"rr_{number}" for number in range(SCENARIOS)))
    return len(batch_answer(analyze_body(READERS, body, identity), AT))


def _propose(body: bytes) -> int:
    read = bodies.decode_proposal
    return len(proposal_computing.simulate_proposal_body(read, body, "corr_bench", KEY).result)


def _artifact(body: bytes) -> int:
    read = bodies.decode_proposal
    made = proposal_computing.simulate_proposal_body(read, body, "corr_bench", KEY)
    return len(proposal_computing.artifact_of_result(read, made.request_body, made.result, AT).body)


def _create(body: bytes) -> int:
    asked = read_creation(PROPOSAL_READERS, body)
    result = simulate_asked(PROPOSAL_READERS.simulate, asked, "corr_bench", KEY)
    made = build_documents(PROPOSAL_READERS.simulate, asked.request, result, AT, True)
    return len(made.result) + len(made.artifact) + len(made.evidence)
