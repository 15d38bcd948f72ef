"""Feature flags: groups of operations that settings switch off (HTTP contract, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from service.errors.dpm_runs import (
    ArtifactsDisabled,
    BundleApisDisabled,
    SummaryApisDisabled,
    SupportApisDisabled,
)
from service.errors.idempotency import HistoryApisDisabled
from service.errors.lineage import LineageApisDisabled
from service.errors.operations import ManualExecutionDisabled, OperationsDisabled
from service.errors.policy_packs import PolicyAdminDisabled
from service.errors.proposals import ProposalOperationsDisabled, ProposalsDisabled, ProposalSupportDisabled
from service.errors.workflow_decisions import WorkflowDisabled


class Flag(Enum):
    """A feature flag: its field of FeatureFlags, what is raised where it is off, and its setting."""

    SUPPORT_APIS = ("support_apis_enabled", SupportApisDisabled, "support_apis_enabled")
    SUMMARY_APIS = ("summary_apis_enabled", SummaryApisDisabled, "summary_apis_enabled")
    BUNDLE_APIS = ("bundle_apis_enabled", BundleApisDisabled, "bundle_apis_enabled")
    ARTIFACTS = ("artifacts_enabled", ArtifactsDisabled, "artifacts_enabled")
    LINEAGE_APIS = ("lineage_apis_enabled", LineageApisDisabled, "lineage_apis_enabled")
    HISTORY_APIS = ("history_apis_enabled", HistoryApisDisabled, "history_apis_enabled")
    WORKFLOW = ("workflow_enabled", WorkflowDisabled, "workflow_enabled")
    OPERATIONS = ("async_operations_enabled", OperationsDisabled, "async_operations_enabled")
    MANUAL_EXECUTION = ("manual_execution_enabled", ManualExecutionDisabled, "manual_execution_enabled")
    POLICY_ADMIN = ("policy_admin_enabled", PolicyAdminDisabled, "policy.admin_apis_enabled")
    PROPOSALS = ("proposals_enabled", ProposalsDisabled, "proposals.lifecycle_enabled")
    PROPOSAL_SUPPORT = (
        "proposal_support_apis_enabled",
        ProposalSupportDisabled,
        "proposals.support_apis_enabled",
    )
    PROPOSAL_OPERATIONS = (
        "proposal_operations_enabled",
        ProposalOperationsDisabled,
        "proposals.operations_enabled",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFlags:
    """Which feature flags are on."""

    support_apis_enabled: bool = True
    summary_apis_enabled: bool = True
    bundle_apis_enabled: bool = True
    artifacts_enabled: bool = True
    lineage_apis_enabled: bool = False
    history_apis_enabled: bool = False
    workflow_enabled: bool = False
    async_operations_enabled: bool = True
    manual_execution_enabled: bool = True
    policy_admin_enabled: bool = False
    proposals_enabled: bool = True
    proposal_support_apis_enabled: bool = True
    proposal_operations_enabled: bool = True

    def are_on(self, flags: tuple[Flag, ...]) -> bool:
        return all(getattr(self, flag.value[0]) for flag in flags)

    def require(self, flags: tuple[Flag, ...]) -> None:
        """Raises the error of the first flag that is off."""
        for flag in flags:
            field, error, _ = flag.value
            if not getattr(self, field):
                raise error()
