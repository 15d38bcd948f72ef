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
from service.runtime.clock import Clock, NewId
from service.runtime.process_pool import Executor
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
    clock: Clock,
    new_id: NewId,
    offload: Executor,
    runner: AttemptRunner,
) -> ProposalFlows:
    proposals = proposals_of(settings, store, clock, new_id, offload, proposal_readers_of(settings))
    return ProposalFlows(
        proposals=proposals,
        proposal_simulations=simulations_of(settings, store, clock, offload),
        proposal_operations=proposal_operations_of(settings, store, clock, new_id, proposals, runner),
        proposal_support=proposal_support_of(settings, store),
    )


def proposals_of(
    settings: Settings,
    store: Store,
    clock: Clock,
    new_id: NewId,
    offload: Executor,
    readers: ProposalReaders,
) -> ProposalFlow:
    return ProposalFlow(
        store=store,
        clock=clock,
        new_id=new_id,
        offload=offload,
        readers=readers,
        rules=rules_of(settings.proposals),
        answers=STORED,
        result_bytes_max=settings.engines.result_bytes_max,
    )


def simulations_of(
    settings: Settings, store: Store, clock: Clock, offload: Executor
) -> ProposalSimulationFlow:
    return ProposalSimulationFlow(
        store=store,
        clock=clock,
        offload=offload,
        read=proposal_readers_of(settings).simulate,
        kept_seconds=settings.proposals.simulation_kept_seconds,
        result_bytes_max=settings.engines.result_bytes_max,
    )


def proposal_operations_of(
    settings: Settings,
    store: Store,
    clock: Clock,
    new_id: NewId,
    proposals: ProposalFlow,
    runner: AttemptRunner,
) -> ProposalOperationFlow:
    """Workers serve the database of the runs; proposals that are kept elsewhere are done by the server."""
    in_workers = settings.execution_mode is ExecutionMode.WORKER and settings.proposals_beside_runs
    return ProposalOperationFlow(
        store=store, clock=clock, new_id=new_id, proposals=proposals, runner=runner, queued=in_workers
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


def works_of(
    settings: Settings, store: Store, clock: Clock, new_id: NewId, offload: Executor
) -> Mapping[OperationType, Work]:
    """What can be done with the operations of a store; what was accepted is read leniently."""
    proposals = ProposalWork(
        clock=clock,
        proposals=proposals_of(settings, store, clock, new_id, offload, LENIENT_PROPOSAL_READERS),
    )
    analyses = AnalysisWork(
        clock=clock,
        offload=offload,
        artifacts_persisted=settings.artifact_mode is ArtifactMode.PERSISTED,
        encode=batch_answer,
        result_bytes_max=settings.engines.result_bytes_max,
    )
    return {
        OperationType.ANALYZE_SCENARIOS: analyses,
        OperationType.CREATE_PROPOSAL: proposals,
        OperationType.CREATE_PROPOSAL_VERSION: proposals,
    }
