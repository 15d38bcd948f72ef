"""Feature gates: groups of endpoints an operator can switch off (HTTP contract, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

from service.errors.dpm_runs import (
    ArtifactsDisabled,
    BundleApisDisabled,
    SummaryApisDisabled,
    SupportApisDisabled,
)
from service.errors.families import ServiceError
from service.errors.idempotency import HistoryApisDisabled
from service.errors.lineage import LineageApisDisabled
from service.errors.operations import ManualExecutionDisabled, OperationsDisabled
from service.errors.policy_packs import PolicyAdminDisabled
from service.errors.proposals import ProposalOperationsDisabled, ProposalsDisabled, ProposalSupportDisabled
from service.errors.workflow_decisions import WorkflowDisabled


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFlags:
    """Each method raises the refusal of its gate when the gate is shut."""

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

    def require_support_apis(self) -> None:
        _require(self.support_apis_enabled, SupportApisDisabled)

    def require_summary_apis(self) -> None:
        _require(self.summary_apis_enabled, SummaryApisDisabled)

    def require_bundle_apis(self) -> None:
        _require(self.bundle_apis_enabled, BundleApisDisabled)

    def require_artifacts(self) -> None:
        _require(self.artifacts_enabled, ArtifactsDisabled)

    def require_lineage_apis(self) -> None:
        _require(self.lineage_apis_enabled, LineageApisDisabled)

    def require_history_apis(self) -> None:
        _require(self.history_apis_enabled, HistoryApisDisabled)

    def require_workflow(self) -> None:
        _require(self.workflow_enabled, WorkflowDisabled)

    def require_operations(self) -> None:
        _require(self.async_operations_enabled, OperationsDisabled)

    def require_manual_execution(self) -> None:
        _require(self.manual_execution_enabled, ManualExecutionDisabled)

    def require_policy_admin(self) -> None:
        _require(self.policy_admin_enabled, PolicyAdminDisabled)

    def require_proposals(self) -> None:
        _require(self.proposals_enabled, ProposalsDisabled)

    def require_proposal_support(self) -> None:
        _require(self.proposal_support_apis_enabled, ProposalSupportDisabled)

    def require_proposal_operations(self) -> None:
        _require(self.proposal_operations_enabled, ProposalOperationsDisabled)


def _require(is_open: bool, refusal: type[ServiceError]) -> None:
    if not is_open:
        raise refusal()
