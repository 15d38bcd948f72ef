"""How large a result may be; what is larger is neither stored nor answered."""

from __future__ import annotations

from typing import Any

import msgspec

from service.errors.engines import ResultTooLarge

RESULT_BYTES_MAX = 32 * 1024 * 1024
# Ids, names and times beside a result, which could be computed and so can be read.
AROUND_RESULTS_BYTES_MAX = 64 * 1024


def encoded_within(encoder: msgspec.json.Encoder, result: Any, bytes_max: int) -> bytes:
    """The bytes of a result. Raises ResultTooLarge, also where there is no memory to write it."""
    try:
        written = encoder.encode(result)
    except MemoryError:
        raise ResultTooLarge(bytes_max=bytes_max) from None
    require_within(len(written), bytes_max)
    return written


def require_within(bytes_count: int, bytes_max: int) -> None:
    """Raises ResultTooLarge for an answer of more bytes than it may have."""
    if bytes_count > bytes_max:
        raise ResultTooLarge(bytes_max=bytes_max)
