"""Holds the figures of a result to the numbers that requests may carry (ruling 2).

Problem: products and quotients of accepted numbers can be smaller, or larger, than any caller may send.
Example: 1E-30 units at 1.5E-10 are worth 1.5E-40, and that is answered as 2E-40.
Rounding: what is smaller than 1E-39, half to even at the 40th decimal. What is too large for its exponent,
such as 1E+19, is answered as its neighbour towards zero with 28 digits. Figures of 1E+46 and more have no
neighbour: they block the run, and their instruments are listed as having no usable price (ruling 10).

The engine works under a context that tells when a figure was out of bounds. Only then is it run again, under
the plain context, and its result held to the bounds: all other results are what they always were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import (
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    Clamped,
    Context,
    Decimal,
    Overflow,
    Subnormal,
    localcontext,
)
from typing import Any, TypeVar

import msgspec

from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.rebalances.requests import RebalanceRequest
from service.domains.values.money import (
    ENGINE_CONTEXT,
    EXPONENT_MAX,
    EXPONENT_MIN,
    FIRST_DIGIT_MIN,
    ZERO,
    is_exact,
)
from service.engines.portfolio.missing_data import NO_GAPS, MissingData

Result = TypeVar("Result", bound=msgspec.Struct)

# Wide enough for every figure of a result, published weights included.
_WIDE = Context(prec=600, rounding=ROUND_HALF_EVEN)
_TOWARDS_ZERO = Context(prec=ENGINE_CONTEXT.prec, rounding=ROUND_DOWN)
_LAST_PLACE = Decimal(1).scaleb(EXPONENT_MIN)

TOO_LARGE = Decimal(1).scaleb(EXPONENT_MAX + ENGINE_CONTEXT.prec)
LARGEST = _TOWARDS_ZERO.next_minus(TOO_LARGE)


def within_bounds(compute: Callable[[MissingData], Result], blamed: Callable[[], Iterable[str]]) -> Result:
    """The result of a computation, with figures that requests may carry.

    `compute` is called under the context of the engine, with gaps to begin with. `blamed` names the
    instruments to list when a figure is too large and belongs to none.
    """
    # It says so when a figure is smaller than its least exponent, and overflows above its largest.
    with localcontext(ENGINE_CONTEXT, Emin=FIRST_DIGIT_MIN, Emax=EXPONENT_MAX) as context:
        context.clear_flags()
        try:
            result = compute(NO_GAPS)
        except Overflow:
            pass
        else:
            if not context.flags[Subnormal] and not context.flags[Clamped]:
                return result
    with localcontext(ENGINE_CONTEXT):
        result = compute(NO_GAPS)
        if any(abs(number) >= TOO_LARGE for number in _numbers_of(result)):
            names = tuple(dict.fromkeys(_too_large(result))) or tuple(blamed())
            result = compute(MissingData(prices=names, unusable_prices=len(names)))
    bounded: Result = _bounded(result)
    return bounded


def instruments_of(request: RebalanceRequest | ProposalSimulateRequest) -> tuple[str, ...]:
    """All that is priced in a request; without a price, the base currency."""
    prices = request.market_data_snapshot.prices
    return tuple(dict.fromkeys(row.instrument_id for row in prices)) or (
        request.portfolio_snapshot.base_currency,
    )


def bounded_number(number: Decimal) -> Decimal:
    """The number itself if a request may carry it, else the nearest one that it may."""
    if is_exact(number):
        return number
    if abs(number) >= TOO_LARGE:
        return LARGEST.copy_sign(number)
    rounded = _WIDE.quantize(number, _LAST_PLACE) if _exponent_of(number) < EXPONENT_MIN else number
    if not is_exact(rounded):
        rounded = _TOWARDS_ZERO.plus(rounded)
    if not is_exact(rounded):
        rounded = _TOWARDS_ZERO.next_toward(rounded, ZERO)
    return rounded


def _exponent_of(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "the engine traps what is not finite"
    return exponent


def _bounded(value: Any) -> Any:
    match value:
        case Decimal():
            return bounded_number(value)
        case msgspec.Struct():
            names = value.__struct_fields__
            return msgspec.structs.replace(value, **{name: _bounded(getattr(value, name)) for name in names})
        case tuple():
            return tuple([_bounded(item) for item in value])
        case dict():
            return {key: _bounded(item) for key, item in value.items()}
        case _:
            return value


def _numbers_of(value: Any) -> Iterator[Decimal]:
    match value:
        case Decimal():
            yield value
        case msgspec.Struct():
            for name in value.__struct_fields__:
                yield from _numbers_of(getattr(value, name))
        case tuple():
            for item in value:
                yield from _numbers_of(item)
        case dict():
            yield from _numbers_of(tuple(value.values()))


def _too_large(value: Any) -> Iterator[str]:
    """The instruments that a figure too large is filed under."""
    if isinstance(value, tuple):
        for item in value:
            yield from _too_large(item)
    elif isinstance(value, msgspec.Struct):
        instrument_id = getattr(value, "instrument_id", None)
        if isinstance(instrument_id, str):
            if any(abs(number) >= TOO_LARGE for number in _numbers_of(value)):
                yield instrument_id
        else:
            for name in value.__struct_fields__:
                yield from _too_large(getattr(value, name))
