"""Money and the exact numbers it is made of; binary fractions never get in."""

from __future__ import annotations

import re
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from service.domains.values.bounds import CURRENCY
from service.domains.values.published import published

ZERO = Decimal(0)
ONE = Decimal(1)

# Section 1.1 of the engine specification: 28 digits, half-even, and the three traps.
ENGINE_CONTEXT = Context(
    prec=28, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow]
)

# Ruling 2: what a number may look like and how large it may be once trailing zeros are gone.
DIGITS_MAX = 38
EXPONENT_MIN = -40
EXPONENT_MAX = 18
# The arithmetic keeps its 28 digits however small a quotient is, and what it answers must be taken: a number
# of no more digits may end further back, if its first digit stands no further back than this.
FIRST_DIGIT_MIN = -39

# A zero is taken with any exponent and keeps one within this; request hashes depend on it.
_ZERO_EXPONENT_MAX = 18

# Whatever looks like this is within all bounds, so the common case needs no look at its digits.
_SMALL_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")
_is_small_number = _SMALL_NUMBER.fullmatch
# No digit can be matched in two ways, or refusing a long text would take the square of its length.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|snan|inf|infinity)[0-9]*", re.IGNORECASE | re.ASCII)


class NumberFault(Enum):
    """Why a value is not a number we accept; the wire text of ruling 2."""

    PARSING = "decimal_parsing"
    TYPE = "decimal_type"
    NOT_FINITE = "finite_number"


class NumberRefused(ValueError):
    """Raised by exact_of."""

    def __init__(self, fault: NumberFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


if TYPE_CHECKING:
    Exact = Decimal
    ExactText = Decimal
else:

    class _IsDecimal(type):
        # Asked of every number that a hook has read: a built-in answers sooner than a function.
        __instancecheck__ = staticmethod(Decimal.__instancecheck__)

    class Exact(metaclass=_IsDecimal):
        """Field type of a Decimal that a decoder must read through exact_of.

        A decoder reads plain Decimal fields by its own, laxer rules (blanks, underscores, any digit);
        a type it does not know it hands to its hook, which returns a plain Decimal.
        """

    class ExactText(metaclass=_IsDecimal):
        """The same, but a JSON fraction is refused: its writer may have rounded it to binary before."""


_NUMBERS = (Exact, ExactText)


def exact_of(value: object) -> Decimal:
    """The Decimal that a JSON string, integer or fraction stands for (ruling 2).

    A fraction must arrive as the Decimal of its literal text, never as a float.
    Raises NumberRefused.
    """
    if type(value) is str:
        if _SMALL_NUMBER.fullmatch(value) is not None:
            return Decimal(value)
        if _NUMBER.fullmatch(value) is None:
            raise NumberRefused(
                NumberFault.NOT_FINITE if _NOT_FINITE.fullmatch(value) else NumberFault.PARSING
            )
        number = Decimal(value)
    elif type(value) is Decimal:
        number = value
    elif type(value) is int:
        number = Decimal(value)
    else:
        raise NumberRefused(NumberFault.TYPE)
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise NumberRefused(NumberFault.NOT_FINITE)
    # Few digits need no normalising, unless trailing zeros could lift the exponent over its bound.
    if (
        not number
        or exponent < EXPONENT_MIN
        or len(digits) > DIGITS_MAX
        or len(digits) + exponent > EXPONENT_MAX + 1
    ):
        return _within_bounds(number, digits, exponent)
    return number


def is_exact(number: Decimal) -> bool:
    """Whether exact_of takes the number."""
    try:
        exact_of(number)
    except NumberRefused:
        return False
    return True


def _within_bounds(number: Decimal, digits: tuple[int, ...], exponent: int) -> Decimal:
    if not number:
        # A far exponent says nothing, and would make every sum it enters needlessly wide.
        return number if -_ZERO_EXPONENT_MAX <= exponent <= _ZERO_EXPONENT_MAX else ZERO
    significant = len(digits)
    while digits[significant - 1] == 0:
        significant -= 1
        exponent += 1
    if significant <= DIGITS_MAX and EXPONENT_MIN <= exponent <= EXPONENT_MAX:
        return number
    if significant <= ENGINE_CONTEXT.prec and FIRST_DIGIT_MIN < exponent + significant <= 0:
        return number
    raise NumberRefused(NumberFault.PARSING)


def decode_hook(wanted: type, value: Any) -> Any:
    """The hook of every decoder whose types hold an Exact or an ExactText; it reads what callers send."""
    # Nearly all there is to read is this, and a request has hundreds of numbers.
    if type(value) is str and wanted in _NUMBERS and _is_small_number(value) is not None:
        return Decimal(value)
    if wanted is Exact or (wanted is ExactText and type(value) is not Decimal):
        return exact_of(value)
    if wanted is ExactText:
        raise NumberRefused(NumberFault.TYPE)
    raise NotImplementedError(wanted)


def stored_hook(wanted: type, value: Any) -> Any:
    """The hook of decoders that read results back: arithmetic has made numbers that no caller may send."""
    if wanted is Exact or wanted is ExactText:
        return Decimal(value)
    raise NotImplementedError(wanted)


@published("Money-Output", request="Money-Input")
class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount of one currency; the currency is a raw code, compared as text."""

    amount: Exact
    """Amount in the currency beside it; not rounded to minor units where it is answered."""
    currency: Annotated[str, CURRENCY]
    """Currency code, compared as text; no list of currencies is consulted."""
