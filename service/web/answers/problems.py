"""Answers that say what is wrong."""

from __future__ import annotations

from typing import Any

import msgspec

from service.domains.values.published import published


@published("ValidationError")
class ValidationEntry(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request; `ctx` is there only where it says more than the message."""

    type: str
    """Kind of the fault.

    - missing: A field is required and was not sent.
    - extra_forbidden: There is no such field or parameter, and the service is set to refuse it.
    - json_invalid: The body is not JSON.
    - model_attributes_type: An object was expected.
    - dict_type: A map was expected.
    - list_type: A list was expected.
    - string_type: A text was expected.
    - string_unicode: The text is not valid Unicode.
    - string_too_long: The text has more characters than it may.
    - string_too_short: The text has fewer characters than it must.
    - string_pattern_mismatch: The text is not written as it must be.
    - too_long: The list or map has more entries than it may.
    - int_type: A whole number was expected.
    - int_parsing: The text is no whole number.
    - int_from_float: The number has a fraction, and must be whole.
    - bool_type: True or false was expected.
    - bool_parsing: The word does not stand for true or false.
    - decimal_type: A number was expected.
    - decimal_parsing: The text is no number, or one with more digits than are taken.
    - finite_number: Infinity and NaN are not taken.
    - greater_than: The number must be above the bound.
    - greater_than_equal: The number must not be below the bound.
    - less_than_equal: The number must not be above the bound.
    - enum: The word is none of those that can stand there.
    - literal_error: The word is none of those that can stand there.
    - datetime_from_date_parsing: The text is no instant and no date.
    - value_error: A rule across fields or entries is broken; the message says which.
    - too_many_errors: More is wrong than is listed.
    """
    loc: tuple[str | int, ...]
    """Where it is: the part of the request (`body`, `query`, `path`, `header`), then names and places down to
    the value."""
    msg: str
    """The fault in words."""
    input: Any
    """What was sent there, shortened; null where nothing was."""
    ctx: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """Facts that the message is filled with, such as the limit; absent where there are none."""
