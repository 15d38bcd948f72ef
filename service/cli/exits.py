"""What a command exits with, so that a supervisor knows whether to try again."""

from __future__ import annotations

# A wrong configuration or a store that cannot be used; starting again at once will not help.
EXIT_REFUSED = 3
