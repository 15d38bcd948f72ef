"""The catalog of policy packs in memory. No method awaits between its checks and its writes."""

from __future__ import annotations

from service.domains.policy_packs import Amendments, PackChange
from service.errors.policy_packs import PolicyCatalogConcurrentUpdate
from service.storage.memory.tables.state import State


class MemoryPolicyPacks:
    def __init__(self, state: State) -> None:
        self.state = state

    async def amend(self, change: PackChange) -> None:
        self.state.require_open()
        history = self.state.pack_changes.setdefault(change.tenant_id, [])
        if change.revision != len(history) + 1:
            raise PolicyCatalogConcurrentUpdate(revision=change.revision)
        history.append(change)

    async def find_revision(self, tenant_id: str) -> int:
        self.state.require_open()
        return len(self.state.pack_changes.get(tenant_id, ()))

    async def list_amendments(self, tenant_id: str) -> Amendments:
        self.state.require_open()
        history = self.state.pack_changes.get(tenant_id, ())
        return Amendments(len(history), {change.policy_pack_id: change.pack for change in history})
