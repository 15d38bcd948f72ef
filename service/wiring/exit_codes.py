"""How a command ends that cannot begin, so that a supervisor knows whether to try again."""

from __future__ import annotations

import sys

from service.errors.storage import StoreRefused, StoreUnavailable

# A wrong configuration or a store that cannot be used; starting again at once will not help.
EXIT_REFUSED = 3


def refused(reason: Exception) -> SystemExit:
    """Says in one line why, to be raised; a store does not say by itself what was wrong with it."""
    tells_itself = not isinstance(reason, StoreUnavailable | StoreRefused) or reason.__cause__ is None
    cause = "" if tells_itself else f": {reason.__cause__!r}"
    print(f"{reason}{cause}", file=sys.stderr)
    return SystemExit(EXIT_REFUSED)
