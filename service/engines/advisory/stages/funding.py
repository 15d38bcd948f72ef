"""Buys the currencies that purchases need, out of base or other cash (advisory specification, 3.8).

Problem: every purchase is paid in the currency of its price, which the portfolio may not hold enough of.
Example: buying 100.00 USD with 30.00 USD at hand buys 70.00 USD for 94.37 SGD at 1.3482; pair USD/SGD.
Rounding: amounts of a plan and of an exchange are rounded to minor units, half to even; nothing else is.

A target is funded by one exchange from one source. Nothing is reserved: what one target leaves is seen by
the next. The work grows with targets times sources, as does the list of the pairs that no rate is known for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from service.domains.proposals.results import ProposedTradeIntent
from service.domains.rebalances.results.diagnostics import FundingPlanEntry, InsufficientCashEntry
from service.domains.rebalances.results.intents import FxSpotIntent, IntentRationale
from service.domains.values.money import ZERO
from service.engines.advisory.overflow import is_too_wide
from service.engines.advisory.request_index import RequestIndex
from service.engines.portfolio.missing_data import NO_GAPS, MissingData

MISSING_FX_NON_BLOCKING = "PROPOSAL_MISSING_FX_NON_BLOCKING"
MISSING_FX_FOR_FUNDING = "PROPOSAL_MISSING_FX_FOR_FUNDING"
INSUFFICIENT_FUNDING_CASH = "PROPOSAL_INSUFFICIENT_FUNDING_CASH"

_CENT = Decimal("0.01")
_WHOLE = Decimal(1)
_MILLE = Decimal("0.001")
_MINOR_UNITS = {"JPY": _WHOLE, "KRW": _WHOLE, "VND": _WHOLE, "BHD": _MILLE, "KWD": _MILLE, "OMR": _MILLE}

# Wide enough for the largest amount that accepted numbers can give.
_WIDE = Context(prec=600, rounding=ROUND_HALF_EVEN)


class Funding(msgspec.Struct, frozen=True):
    """What was planned and exchanged, and which currencies stayed without the cash their purchases need."""

    amounts: Mapping[str, Decimal] = msgspec.field(default_factory=dict)
    plan: tuple[FundingPlanEntry, ...] = ()
    exchanges: tuple[FxSpotIntent, ...] = ()
    missing_pairs: tuple[str, ...] = ()
    insufficient: tuple[InsufficientCashEntry, ...] = ()
    unfunded: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    review_forced: bool = False
    gaps: MissingData = NO_GAPS


class _Source(NamedTuple):
    currency: str
    pair: str
    sold: Decimal


class _Search(NamedTuple):
    source: _Source | None = None
    shortest: InsufficientCashEntry | None = None
    # An amount has more digits than the arithmetic holds.
    too_wide: bool = False


@dataclass(slots=True)
class _Work:
    """The lists of a funding that is under way."""

    index: RequestIndex
    amounts: dict[str, Decimal]
    rates_known_missing: frozenset[str]
    plan: list[FundingPlanEntry] = field(default_factory=list)
    exchanges: list[FxSpotIntent] = field(default_factory=list)
    # In the order they were missed in; a list would be searched once for every pair.
    missing_pairs: dict[str, None] = field(default_factory=dict)
    insufficient: list[InsufficientCashEntry] = field(default_factory=list)
    unfunded: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    unusable_prices: list[str] = field(default_factory=list)
    review_forced: bool = False


def fund(
    index: RequestIndex,
    amounts: Mapping[str, Decimal],
    buys: Sequence[ProposedTradeIntent],
    rates_missing: Sequence[str],
) -> Funding:
    """Fund the currencies of the purchases in ascending order; rates_missing was noticed before."""
    work = _Work(index, dict(amounts), frozenset(rates_missing))
    by_currency: dict[str, list[ProposedTradeIntent]] = {}
    for buy in buys:
        by_currency.setdefault(buy.notional.currency, []).append(buy)
    for currency in sorted(by_currency):
        _fund_currency(work, currency, by_currency[currency])
    unusable = tuple(work.unusable_prices)
    return Funding(
        amounts=work.amounts,
        plan=tuple(work.plan),
        exchanges=tuple(work.exchanges),
        missing_pairs=tuple(work.missing_pairs),
        insufficient=tuple(work.insufficient),
        unfunded=frozenset(work.unfunded),
        warnings=(MISSING_FX_NON_BLOCKING,) if work.review_forced else (),
        failures=tuple(work.failures),
        review_forced=work.review_forced,
        gaps=MissingData(
            prices=unusable,
            rates=tuple([pair for pair in work.missing_pairs if pair not in work.rates_known_missing]),
            unusable_prices=len(unusable),
        ),
    )


def in_minor_units(amount: Decimal, currency: str) -> Decimal:
    """The amount as it can be paid: whole yen, three decimals of a dinar, cents of anything else."""
    return _WIDE.quantize(amount, _MINOR_UNITS.get(currency, _CENT))


def _fund_currency(work: _Work, target: str, buys: Sequence[ProposedTradeIntent]) -> None:
    required = sum([buy.notional.amount for buy in buys], ZERO)
    available = work.amounts.setdefault(target, ZERO)
    needed = max(ZERO, required - available)
    entry = FundingPlanEntry(
        target_currency=target,
        required=in_minor_units(required, target),
        available_before_fx=in_minor_units(available, target),
        fx_needed=in_minor_units(needed, target),
    )
    search = _Search(too_wide=is_too_wide(entry.required, entry.available_before_fx, entry.fx_needed))
    if needed > 0 and not search.too_wide:
        search = _search(work, target, needed)
    if search.too_wide:
        # Nothing of that size can be paid to the minor unit: the prices behind it are of no use (ruling 10).
        work.unusable_prices.extend([buy.instrument_id for buy in buys])
        work.unfunded.add(target)
    elif search.source is not None:
        entry = _exchange(work, entry, search.source)
    elif needed > 0:
        work.unfunded.add(target)
        _give_up(work, search.shortest)
    work.plan.append(entry)


def _search(work: _Work, target: str, needed: Decimal) -> _Search:
    """The first source with enough cash, else the one that lacks least by its bare number."""
    shortest: tuple[Decimal, str] | None = None
    for candidate in _candidates(work, target):
        pair = f"{target}/{candidate}"
        rate = work.index.rate(target, candidate)
        if rate is None:
            work.missing_pairs[pair] = None
            continue
        sold = in_minor_units(needed * rate, candidate)
        if is_too_wide(sold):
            return _Search(too_wide=True)
        balance = work.amounts.setdefault(candidate, ZERO)
        if balance >= sold:
            return _Search(_Source(candidate, pair, sold))
        deficit = sold - balance
        if shortest is None or deficit < shortest[0]:
            shortest = (deficit, candidate)
    if shortest is None:
        return _Search()
    lacking = in_minor_units(*shortest)
    entry = InsufficientCashEntry(currency=shortest[1], deficit=lacking)
    # With a pair missing the deficit is not reported, so its size does not matter.
    return _Search(shortest=entry, too_wide=not work.missing_pairs and is_too_wide(lacking))


def _candidates(work: _Work, target: str) -> Iterator[str]:
    base = work.index.base_currency
    if target != base:
        yield base
    if work.index.options.fx_funding_source_currency == "ANY_CASH":
        yield from sorted(work.amounts.keys() - {base, target})


def _give_up(work: _Work, shortest: InsufficientCashEntry | None) -> None:
    # Any pair that was missing so far explains this shortage too, whichever target it was missed for.
    if not work.missing_pairs:
        if shortest is not None:
            work.insufficient.append(shortest)
        work.failures.append(INSUFFICIENT_FUNDING_CASH)
    elif work.index.options.block_on_missing_fx:
        work.failures.append(MISSING_FX_FOR_FUNDING)
    else:
        work.review_forced = True


def _exchange(work: _Work, entry: FundingPlanEntry, source: _Source) -> FundingPlanEntry:
    target, bought = entry.target_currency, entry.fx_needed
    work.exchanges.append(
        FxSpotIntent(
            intent_id=f"oi_fx_{len(work.exchanges) + 1}",
            pair=source.pair,
            buy_currency=target,
            buy_amount=bought,
            sell_currency=source.currency,
            sell_amount_estimated=source.sold,
            rationale=IntentRationale(code="FUNDING", message=f"Pays for purchases in {target}"),
        )
    )
    work.amounts[source.currency] -= source.sold
    work.amounts[target] += bought
    return replace(entry, fx_pair=source.pair, funding_currency=source.currency)
