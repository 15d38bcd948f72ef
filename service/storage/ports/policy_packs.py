"""What the flows may ask of storage about the catalog of policy packs.

Every method may raise StoreUnavailable; an act that raises it kept nothing, unless its commit was cut short.
"""

from __future__ import annotations

from typing import Protocol

from service.domains.policy_packs import Amendments, PackChange


class PolicyPackStore(Protocol):
    """A catalog is its history: what is in it is the last that was said of each pack."""

    async def amend(self, change: PackChange) -> None:
        """Append one change, in one act.

        Of several at once that follow the same revision one is kept. Raises PolicyCatalogMoved when
        `change.revision` is not the one after the last; then nothing is written.
        """
        ...

    async def find_revision(self, tenant_id: str) -> int:
        """The revision of the last change; 0 when there was none."""
        ...

    async def list_amendments(self, tenant_id: str) -> Amendments:
        """The last change of every pack that was ever changed, all as of one instant."""
        ...
