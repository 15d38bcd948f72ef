"""Decides what may be held, bought or sold, and says why not (engine specification, 6.2).

Problem: the model and the holdings name instruments that the shelf may forbid to buy, to trade, or not know.
Example: a BANNED holding of 7 % that the model also targets gets two exclusion rows and is locked at 7 %.
Rounding: none; locked weights are the unrounded weights before trades.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from service.domains.rebalances.results.targets import ExcludedInstrument
from service.domains.values.money import ZERO
from service.engines.dpm.request_index import RequestIndex
from service.engines.portfolio.missing_data import NO_GAPS, MissingData
from service.engines.portfolio.valuation import Valuation

# Zero weights keep one decimal place in the published trace.
NO_WEIGHT = Decimal("0.0")


class Universe(msgspec.Struct, frozen=True):
    """Wanted weights by instrument, in the order first met, and what each may be used for."""

    eligible: Mapping[str, Decimal]
    buyable: tuple[str, ...]
    sellable: tuple[str, ...]
    excluded: tuple[ExcludedInstrument, ...]
    # Model weight of instruments that may only be sold; the heuristic gives it to the buyable ones.
    forfeited: Decimal
    gaps: MissingData


EMPTY_UNIVERSE = Universe({}, (), (), (), ZERO, NO_GAPS)


def select_universe(index: RequestIndex, before: Valuation) -> Universe:
    """Sort model targets and holdings by what the shelf allows; targets first, each in its own order."""
    eligible: dict[str, Decimal] = {}
    buyable: list[str] = []
    sellable: list[str] = []
    excluded: list[ExcludedInstrument] = []
    shelf_missing: list[str] = []
    forfeited = ZERO
    for target in index.targets:
        instrument_id = target.instrument_id
        shelf = index.shelf.get(instrument_id)
        if shelf is None:
            shelf_missing.append(instrument_id)
            continue
        status = shelf.status
        if status == "APPROVED" or (status == "RESTRICTED" and index.options.allow_restricted):
            eligible[instrument_id] = target.weight
            buyable.append(instrument_id)
            sellable.append(instrument_id)
            continue
        excluded.append(ExcludedInstrument(instrument_id=instrument_id, reason_code=f"SHELF_STATUS_{status}"))
        if status == "SELL_ONLY":
            forfeited += target.weight
            eligible[instrument_id] = NO_WEIGHT
            sellable.append(instrument_id)
    _add_holdings(index, before, eligible, sellable, excluded)
    gaps = MissingData(shelf=tuple(shelf_missing)) if shelf_missing else NO_GAPS
    return Universe(eligible, tuple(buyable), tuple(sellable), tuple(excluded), forfeited, gaps)


def _add_holdings(
    index: RequestIndex,
    before: Valuation,
    eligible: dict[str, Decimal],
    sellable: list[str],
    excluded: list[ExcludedInstrument],
) -> None:
    # A repeated position is locked at the weight of its first row, even if that row is empty (1.3).
    rows = zip(reversed(index.portfolio.positions), reversed(before.weights), strict=True)
    weight_of = {position.instrument_id: weight for position, weight in rows}
    for position in index.portfolio.positions:
        instrument_id = position.instrument_id
        if instrument_id in eligible or not position.quantity:
            continue
        shelf = index.shelf.get(instrument_id)
        if shelf is not None and shelf.status in ("APPROVED", "SELL_ONLY"):
            eligible[instrument_id] = NO_WEIGHT
            sellable.append(instrument_id)
            continue
        eligible[instrument_id] = weight_of[instrument_id]
        cause = "MISSING_SHELF" if shelf is None else shelf.status
        excluded.append(ExcludedInstrument(instrument_id=instrument_id, reason_code=f"LOCKED_DUE_TO_{cause}"))
