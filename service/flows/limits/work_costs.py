"""What is read and computed on the event loop, and what elsewhere.

Problem: whatever the loop does, every other caller waits for, health probes included; to have it done
elsewhere costs a fraction of a millisecond. Example: 30 weights under 30 caps are 8 KB and take 7 ms.
Method: a body is looked at from outside first. Each value but the first of an object or a list has a comma
before it, however it is spelled, so commas bound what there can be to find fault with; a body of more is read
here only as far as the typed decoder takes it, which is quick, and explained elsewhere. Then what was read is
counted: rows, constraints, currencies. A step is about a tenth of a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, Self, TypeVar, TypeVarTuple, Unpack

from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.rebalances.options import TargetMethod
from service.domains.rebalances.requests import RebalanceRequest
from service.domains.rebalances.snapshots import MarketDataSnapshot, PortfolioSnapshot, ShelfEntry
from service.errors.families import NotPlain
from service.runtime.process_pool import Executor, run_inline

# Beyond it a body is read elsewhere.
LOOP_BODY_BYTES_MAX = 16 * 1024
# Beyond it a body that is not plain is read elsewhere. To say what is wrong with an object that lacks all it
# needs takes some 80 microseconds, so what is within takes some 12 ms where every value of it is at fault.
LOOP_COMMAS_MAX = 150
# Beyond it a simulation is computed elsewhere; some 5 ms.
LOOP_STEPS_MAX = 50_000
# Beyond it the artifact of a result, which is read, hashed and written again, is built elsewhere.
LOOP_ARTIFACT_BYTES_MAX = 32 * 1024

STEPS_PER_ROW = 100
STEPS_PER_ROW_AND_CONSTRAINT = 4
# A target's projection grows with the square of the constraints that can hold it back.
STEPS_OF_PROJECTION = 4
STEPS_OF_FUNDING = 4

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R", bound="PlainReaders")
Ts = TypeVarTuple("Ts")


class Read(Protocol[T_co]):
    """Reads a body; a `plain` one only, or raises NotPlain."""

    def __call__(self, body: bytes, *, plain: bool = False) -> T_co: ...


class PlainReaders(Protocol):
    """What reads several kinds of bodies."""

    def plain(self) -> Self:
        """The same for plain bodies only, which raises NotPlain for all others."""
        ...


def is_explained_on_loop(body: bytes) -> bool:
    """Whether nothing that can be wrong with a body takes long to say."""
    return len(body) <= LOOP_BODY_BYTES_MAX and body.count(b",") <= LOOP_COMMAS_MAX


def read_on_loop(body: bytes, read: Read[T]) -> T | None:
    """What a body asks for, if no time to speak of is needed to read it. Raises what reading raises."""
    if is_explained_on_loop(body):
        return read(body)
    if len(body) > LOOP_BODY_BYTES_MAX:
        return None
    try:
        return read(body, plain=True)
    except NotPlain:
        return None


async def work_on_body(
    offload: Executor, readers: R, body: bytes, work: Callable[[R, bytes, Unpack[Ts]], T], *args: *Ts
) -> T:
    """Has a body read, and nothing computed of it, where there is time; raises what the work raises."""
    if is_explained_on_loop(body):
        return run_inline(offload, work, readers, body, *args)
    if len(body) <= LOOP_BODY_BYTES_MAX:
        with suppress(NotPlain):
            return run_inline(offload, work, readers.plain(), body, *args)
    return await offload(work, readers, body, *args)


async def work_where(offload: Executor, on_loop: bool, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
    if on_loop:
        return run_inline(offload, work, *args)
    return await offload(work, *args)


def simulation_steps(request: RebalanceRequest) -> int:
    """What one simulation costs."""
    options = request.options
    constraints = len(options.group_constraints)
    targets = len(request.model_portfolio.targets)
    rows = targets + _rows_of(request.portfolio_snapshot, request.market_data_snapshot, request.shelf_entries)
    steps = rows * (STEPS_PER_ROW + STEPS_PER_ROW_AND_CONSTRAINT * constraints)
    if options.target_method is TargetMethod.SOLVER or options.compare_target_methods:
        steps += STEPS_OF_PROJECTION * targets * (1 + constraints) ** 2
    return steps


def proposal_steps(request: ProposalSimulateRequest) -> int:
    """What the simulation of one proposal costs."""
    held = len(request.portfolio_snapshot.cash_balances)
    bought = len({price.currency for price in request.market_data_snapshot.prices})
    model = request.reference_model
    rows = len(request.proposed_trades) + len(request.proposed_cash_flows)
    rows += 0 if model is None else len(model.asset_class_targets) + len(model.instrument_targets)
    rows += _rows_of(request.portfolio_snapshot, request.market_data_snapshot, request.shelf_entries)
    return STEPS_PER_ROW * rows + STEPS_OF_FUNDING * bought**2 * (held + bought)


def _rows_of(portfolio: PortfolioSnapshot, market: MarketDataSnapshot, shelf: tuple[ShelfEntry, ...]) -> int:
    lots = sum(len(position.lots) for position in portfolio.positions)
    attributes = sum(len(entry.attributes) for entry in shelf)
    lists = (portfolio.positions, portfolio.cash_balances, market.prices, market.fx_rates, shelf)
    return lots + attributes + sum(map(len, lists))
