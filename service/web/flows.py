"""The flows that handlers ask, together."""

from __future__ import annotations

from dataclasses import dataclass

from service.flows.artifacts import ArtifactFlow
from service.flows.dpm_runs import DpmRunFlow
from service.flows.health import HealthFlow
from service.flows.idempotency import IdempotencyFlow
from service.flows.lineage import LineageFlow
from service.flows.operations import OperationFlow
from service.flows.parity import ParityFlow
from service.flows.policy_packs import PolicyPackFlow
from service.flows.proposal_operations import ProposalOperationFlow
from service.flows.proposal_simulations import ProposalSimulationFlow
from service.flows.proposal_support import ProposalSupportFlow
from service.flows.proposals import ProposalFlow
from service.flows.replays import ReplayFlow
from service.flows.support_bundles import SupportBundleFlow
from service.flows.supportability import SupportabilityFlow
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
    parity: ParityFlow
    workflow: WorkflowFlow
    replays: ReplayFlow
    policy_packs: PolicyPackFlow
    proposals: ProposalFlow
    proposal_simulations: ProposalSimulationFlow
    proposal_operations: ProposalOperationFlow
    proposal_support: ProposalSupportFlow
    health: HealthFlow
