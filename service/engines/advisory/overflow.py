"""Finds figures that cannot be written down in the digits the arithmetic holds (ruling 10).

Problem: accepted numbers can multiply to more than 28 digits, and no client can act on such a figure.
Example: holdings of 1E+26 long and short in a portfolio worth 1 weigh 1E+26, which needs 31 digits with four
places. The run is blocked, and the instruments are listed as having no usable price.
Rounding: none.
"""

from __future__ import annotations

from decimal import Decimal

from service.domains.rebalances.results.states import SimulatedState
from service.domains.values.money import ENGINE_CONTEXT
from service.engines.portfolio.missing_data import NO_GAPS, MissingData

# A weight whose first digit stands for this power of ten has, with the four places it is published with, more
# digits than the arithmetic.
_WEIGHT_POWER = ENGINE_CONTEXT.prec - 4


def is_too_wide(*amounts: Decimal) -> bool:
    """Whether one of the amounts, already rounded to its places, has too many digits."""
    return any(len(amount.as_tuple().digits) > ENGINE_CONTEXT.prec for amount in amounts)


def unusable_prices(state: SimulatedState) -> MissingData:
    """The instruments with such a weight; if only sums of them have one, the names of these."""
    rows = [
        state.allocation_by_instrument,
        state.allocation_by_asset_class,
        *state.allocation_by_attribute.values(),
    ]
    for metrics in rows:
        keys = tuple([row.key for row in metrics if row.weight.adjusted() >= _WEIGHT_POWER])
        if keys:
            return MissingData(prices=keys, unusable_prices=len(keys))
    return NO_GAPS
