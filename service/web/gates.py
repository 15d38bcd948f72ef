"""Feature gates: groups of endpoints an operator can switch off (HTTP contract, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

from service.errors import SupportApisDisabled


@dataclass(frozen=True, slots=True)
class Gates:
    support_apis_enabled: bool

    def require_support_apis(self) -> None:
        """Raises SupportApisDisabled."""
        if not self.support_apis_enabled:
            raise SupportApisDisabled()
