"""The flows that handlers ask, together."""

from __future__ import annotations

from dataclasses import dataclass

from service.flows.dpm_runs.artifacts import ArtifactFlow
from service.flows.dpm_runs.flow import DpmRunFlow
from service.flows.dpm_runs.replays import ReplayFlow
from service.flows.dpm_runs.support_bundles import SupportBundleFlow
from service.flows.dpm_runs.supportability import SupportabilityFlow
from service.flows.health import HealthFlow
from service.flows.idempotency import IdempotencyFlow
from service.flows.lineage import LineageFlow
from service.flows.operations.flow import OperationFlow
from service.flows.policy_packs.flow import PolicyPackFlow
from service.flows.proposals.flow import ProposalFlow
from service.flows.proposals.operations import ProposalOperationFlow
from service.flows.proposals.simulations import ProposalSimulationFlow
from service.flows.proposals.support import ProposalSupportFlow
from service.flows.shadow_differences import ShadowDifferenceFlow
from service.flows.workflow_decisions import WorkflowFlow


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    dpm_runs: DpmRunFlow
    operations: OperationFlow
    idempotency: IdempotencyFlow
    lineage: LineageFlow
    artifacts: ArtifactFlow
    support_bundles: SupportBundleFlow
    supportability: SupportabilityFlow
    shadow_differences: ShadowDifferenceFlow
    workflow: WorkflowFlow
    replays: ReplayFlow
    policy_packs: PolicyPackFlow
    proposals: ProposalFlow
    proposal_simulations: ProposalSimulationFlow
    proposal_operations: ProposalOperationFlow
    proposal_support: ProposalSupportFlow
    health: HealthFlow
