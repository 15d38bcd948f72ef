"""Puts together what has to do with proposals, for a server and for a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from service.domains.operations import OperationType
from service.domains.proposals.rules import ApprovalBinding, ProposalRules
from service.errors.families import ServiceError
from service.errors.proposals import ProposalDsnRequired
from service.flows.operations.analysis_work import AnalysisWork
from service.flows.operations.attempts import AttemptRunner, Work
from service.flows.proposals.flow import ProposalFlow
from service.flows.proposals.operations import ProposalOperationFlow
from service.flows.proposals.simulations import ProposalSimulationFlow
from service.flows.proposals.support import ProposalSupportFlow
from service.flows.proposals.versions import ProposalReaders
from service.flows.proposals.work import ProposalWork
from service.flows.runtime import Runtime
from service.settings.environment import StoreBackend
from service.settings.process import ArtifactMode, ExecutionMode, Settings
from service.settings.proposals import ProposalSettings
from service.storage.ports.store import Store
from service.web.answers.dpm_runs import batch_answer
from service.web.answers.proposals.proposals import STORED
from service.wiring.readers import LENIENT_PROPOSAL_READERS as LENIENT_PROPOSAL_READERS
from service.wiring.readers import proposal_readers_of


def rules_of(settings: ProposalSettings) -> ProposalRules:
    return ProposalRules(
        expected_state_required=settings.expected_state_required,
        portfolio_may_change=settings.portfolio_may_change,
        simulation_flag_required=settings.simulation_flag_required,
        evidence_kept=settings.evidence_kept,
        blocked_refused=settings.blocked_refused,
        new_version_to_draft=settings.new_version_to_draft,
        related_version_checked=settings.related_version_checked,
        approvals_by_approval_only=settings.approvals_by_approval_only,
        approval_binding=ApprovalBinding(settings.approval_binding.value),
        four_eyes=settings.four_eyes,
    )


class ProposalFlows(TypedDict):
    """The flows that handlers of proposals ask."""

    proposals: ProposalFlow
    proposal_simulations: ProposalSimulationFlow
    proposal_operations: ProposalOperationFlow
    proposal_support: ProposalSupportFlow


def proposal_flows_of(
    settings: Settings,
    store: Store,
    runtime: Runtime,
    runner: AttemptRunner,
) -> ProposalFlows:
    proposals = proposals_of(settings, store, runtime, proposal_readers_of(settings))
    return ProposalFlows(
        proposals=proposals,
        proposal_simulations=simulations_of(settings, store, runtime),
        proposal_operations=proposal_operations_of(settings, store, runtime, proposals, runner),
        proposal_support=proposal_support_of(settings, store),
    )


def proposals_of(
    settings: Settings,
    store: Store,
    runtime: Runtime,
    readers: ProposalReaders,
) -> ProposalFlow:
    return ProposalFlow(
        store=store, runtime=runtime, readers=readers, rules=rules_of(settings.proposals), answers=STORED
    )


def simulations_of(settings: Settings, store: Store, runtime: Runtime) -> ProposalSimulationFlow:
    return ProposalSimulationFlow(
        store=store,
        runtime=runtime,
        read=proposal_readers_of(settings).simulate,
        kept_seconds=settings.proposals.simulation_kept_seconds,
    )


def proposal_operations_of(
    settings: Settings,
    store: Store,
    runtime: Runtime,
    proposals: ProposalFlow,
    runner: AttemptRunner,
) -> ProposalOperationFlow:
    """Workers serve the database of the runs; proposals that are kept elsewhere are done by the server."""
    in_workers = settings.execution_mode is ExecutionMode.WORKER and settings.proposals_beside_runs
    return ProposalOperationFlow(
        store=store, runtime=runtime, proposals=proposals, runner=runner, queued=in_workers
    )


def proposal_support_of(settings: Settings, store: Store) -> ProposalSupportFlow:
    return ProposalSupportFlow(
        store=store,
        store_backend=settings.proposals.store_backend.value,
        rules=rules_of(settings.proposals),
    )


def proposal_store_missing(settings: Settings) -> ServiceError | None:
    chosen = settings.proposals
    nowhere = chosen.store_backend is StoreBackend.POSTGRES and not chosen.postgres_dsn
    return ProposalDsnRequired() if nowhere else None


def works_of(settings: Settings, store: Store, runtime: Runtime) -> Mapping[OperationType, Work]:
    """What can be done with the operations of a store; what was accepted is read leniently."""
    proposals = ProposalWork(
        runtime=runtime, proposals=proposals_of(settings, store, runtime, LENIENT_PROPOSAL_READERS)
    )
    analyses = AnalysisWork(
        runtime=runtime,
        artifacts_persisted=settings.artifact_mode is ArtifactMode.PERSISTED,
        encode=batch_answer,
    )
    return {
        OperationType.ANALYZE_SCENARIOS: analyses,
        OperationType.CREATE_PROPOSAL: proposals,
        OperationType.CREATE_PROPOSAL_VERSION: proposals,
    }
