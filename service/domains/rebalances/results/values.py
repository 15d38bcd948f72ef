"""What the parts of a result have in common.

Decimals travel as text with the scale of the arithmetic, so readers must compare numbers and not texts.
"""

from __future__ import annotations

from typing import Literal

import msgspec

RunStatusText = Literal["READY", "PENDING_REVIEW", "BLOCKED"]
"""What the simulation came to.

- READY: Every rule passed, and the targets were found without a shortfall.
- PENDING_REVIEW: No hard rule failed, but a soft one did or the targets could only be met in part; a person
  has to look at it.
- BLOCKED: A hard rule failed, data is missing or the limits cannot be met; nothing may be executed.
"""

Severity = Literal["LOW", "MEDIUM", "HIGH"]
"""How grave it is.

- LOW: For information.
- MEDIUM: Asks for a risk review.
- HIGH: Asks for a compliance review, or blocks.
"""

InstrumentId = str
"""Instrument, by the id that the request names it with."""


class Value(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Root of the result values."""
