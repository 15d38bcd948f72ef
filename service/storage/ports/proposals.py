"""What the flows may ask of storage about proposals; each write method is one act.

Every method may raise StoreUnavailable; an act that raises it kept nothing, unless its commit was cut short.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from service.domains.proposals.simulations import ProposalSimulation
from service.domains.proposals.values import (
    Proposal,
    ProposalApproval,
    ProposalChange,
    ProposalEvent,
    ProposalFilter,
    ProposalKey,
    ProposalKeyScope,
    ProposalVersion,
    VersionHead,
)
from service.domains.values.pages import Page


class ProposalStore(Protocol):
    async def change(self, change: ProposalChange) -> ProposalKey | None:
        """Keep an event with the proposal it leaves, its version, approval, key and edges, in one act.

        The key is claimed first. If it is taken with the same request hash, its row is given back and nothing
        is written; with another hash, raises IdempotencyKeyConflict. Who comes while another is at it waits.

        Raises ProposalMoved when the stored revision is not the one before, or for a creation when an id is
        taken; ProposalNotFound when there is no proposal to change. Then nothing is written, no key either.
        """
        ...

    async def get(self, tenant_id: str, proposal_id: str) -> Proposal:
        """Raises ProposalNotFound."""
        ...

    async def list(
        self, tenant_id: str, proposals: ProposalFilter, *, limit: int, cursor: str | None
    ) -> Page[Proposal]:
        """Proposals by creation and id, newest first; the cursor is the id of the last row."""
        ...

    async def get_version(self, tenant_id: str, proposal_id: str, version_no: int) -> ProposalVersion:
        """Raises ProposalVersionNotFound, also when there is no such proposal."""
        ...

    async def list_versions(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[VersionHead]:
        """In the order of their numbers; the cursor is the id of the last. None of an unknown proposal."""
        ...

    async def list_events(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[ProposalEvent]:
        """In the order of their numbers; the cursor is the id of the last. None of an unknown proposal."""
        ...

    async def list_approvals(
        self, tenant_id: str, proposal_id: str, *, limit: int, cursor: str | None
    ) -> Page[ProposalApproval]:
        """In the order of their events; the cursor is the id of the last."""
        ...

    async def list_valid_approvals(self, tenant_id: str, proposal_id: str) -> tuple[ProposalApproval, ...]:
        """Those since the current version came, in the order of their events.

        They are few: no transition leads back, so there is at most one for each state.
        """
        ...

    async def find_key(
        self, tenant_id: str, family: ProposalKeyScope, scope: str, idempotency_key: str
    ) -> ProposalKey | None: ...


class ProposalSimulationStore(Protocol):
    async def keep(
        self, simulation: ProposalSimulation, *, kept_since: datetime
    ) -> ProposalSimulation | None:
        """Keep a simulation under its key; gives None, or the one that is kept under it already.

        One created before `kept_since` counts as gone, and is replaced. Raises IdempotencyKeyConflict when
        the key is taken with another request hash. Of equal callers at once one keeps it, the others get it.
        """
        ...

    async def find(
        self, tenant_id: str, idempotency_key: str, *, kept_since: datetime
    ) -> ProposalSimulation | None: ...

    async def purge(self, tenant_id: str, *, created_before: datetime, limit: int) -> int:
        """Remove the oldest simulations created before an instant, at most so many; gives how many."""
        ...
