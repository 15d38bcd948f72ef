"""Answers about the settings of proposals."""

from __future__ import annotations

import msgspec

from service.domains.values.published import published


@published("ProposalSupportabilityConfigResponse")
class SupportabilityConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalSupportabilityConfigResponse`."""

    store_backend: str
    """Store that proposals are kept in."""
    backend_ready: bool
    """Whether the store answers."""
    backend_init_error: str | None
    """Code that callers are refused with while it does not; null where it does."""
    lifecycle_enabled: bool
    """Whether proposals can be created and changed."""
    support_apis_enabled: bool
    """Whether keys, lineage and this answer can be looked up."""
    async_operations_enabled: bool
    """Whether proposals can be created in the background."""
    store_evidence_bundle: bool
    """Whether the evidence of a version is kept beside its artifact."""
    require_expected_state: bool
    """Whether a change has to name the state or the revision that its caller saw."""
    allow_portfolio_id_change_on_new_version: bool
    """Whether a version may be about another portfolio than its proposal."""
    require_proposal_simulation_flag: bool
    """Whether requests have to set `enable_proposal_simulation`."""
