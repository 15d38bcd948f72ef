"""What fields of answers really hold, where their types say only that it is text, or stored bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from service.domains.lineage import EdgeType
from service.domains.operations import OperationStatus, OperationType
from service.domains.proposals.artifacts import ArtifactDocument as ProposalDocument
from service.domains.proposals.artifacts import (
    ArtifactSummary,
    ArtifactTrade,
    EvidenceBundle,
    EvidenceHashes,
    EvidenceOutputs,
    IssueHighlight,
)
from service.domains.proposals.results import ProposalResult, StatusChange
from service.domains.proposals.values import ApprovalType, ProposalEventType, ProposalState
from service.domains.rebalances.results import (
    BatchScenarioMetric,
    DiagnosticsData,
    GateDecision,
    Intent,
    IntentRationale,
    RebalanceResult,
    RuleResult,
    RunStatusText,
    SimulatedState,
)
from service.domains.workflow_decisions import WorkflowAction, WorkflowStatus
from service.flows.dpm_runs.analyses import BatchAnswer
from service.flows.dpm_runs.artifacts import ArtifactDocument, ArtifactHashes, ArtifactPolicy
from service.flows.dpm_runs.replays import Outcome
from service.flows.lineage import LineageEdge
from service.flows.proposals.answer_parts import (
    ApprovalRecord,
    LineageVersion,
    ProposalSummary,
    VersionDetail,
    WorkflowEvent,
)
from service.flows.proposals.answers import Created, Detail, Timeline, Transitioned
from service.web.handlers import operations
from service.web.handlers.dpm_runs.replays import ReplayAnswer
from service.web.handlers.dpm_runs.runs import RunLookup
from service.web.handlers.dpm_runs.support_bundles import SupportBundleAnswer
from service.web.handlers.operations import OperationFailure
from service.web.handlers.proposals import operations as proposal_operations
from service.web.handlers.workflow_decisions import Decision, Workflow
from service.web.middleware.problem_details import Problem

Json = dict[str, Any]
Analysis = Literal["ANALYZE_SCENARIOS"]
ProposalOperationType = Literal["CREATE_PROPOSAL", "CREATE_PROPOSAL_VERSION"]


class EvidenceInputs(msgspec.Struct, frozen=True):
    """The request as it was read, with every default filled in."""

    portfolio_snapshot: Json
    market_data_snapshot: Json
    shelf_entries: tuple[Json, ...]
    options: Json
    proposed_cash_flows: tuple[Json, ...]
    proposed_trades: tuple[Json, ...]
    reference_model: Json | None


class ValidationEntry(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request; `ctx` is there only where it says more than the message."""

    type: str
    loc: tuple[str | int, ...]
    msg: str
    input: Any
    ctx: Json | msgspec.UnsetType = msgspec.UNSET


class ProposalAsyncError(OperationFailure, frozen=True):
    """Why an operation failed."""


class ProposalArtifactTradeRationale(IntentRationale, frozen=True, kw_only=True):
    """Why the trade is there."""


class ProposalArtifactSummaryNote(msgspec.Struct, frozen=True):
    """None is written so far."""

    code: str
    text: str


TYPES: Mapping[tuple[type, str], Any] = {
    (Problem, "detail"): str | tuple[ValidationEntry, ...],
    (BatchAnswer, "results"): dict[str, RebalanceResult],
    (BatchAnswer, "comparison_metrics"): dict[str, BatchScenarioMetric],
    (RunLookup, "result"): RebalanceResult,
    (ArtifactDocument, "before_summary"): SimulatedState,
    (ArtifactDocument, "after_summary"): SimulatedState,
    (ArtifactDocument, "order_intents"): tuple[Intent, ...],
    (ArtifactDocument, "rule_outcomes"): tuple[RuleResult, ...],
    (ArtifactDocument, "diagnostics"): DiagnosticsData,
    (ArtifactDocument, "result"): RebalanceResult,
    (ArtifactHashes, "artifact_hash"): str,
    (ArtifactPolicy, "effective_options"): Json,
    (GateDecision, "gate"): Literal[
        "BLOCKED",
        "RISK_REVIEW_REQUIRED",
        "COMPLIANCE_REVIEW_REQUIRED",
        "CLIENT_CONSENT_REQUIRED",
        "EXECUTION_READY",
        "NONE",
    ],
    (GateDecision, "recommended_next_step"): Literal[
        "FIX_INPUT", "RISK_REVIEW", "COMPLIANCE_REVIEW", "REQUEST_CLIENT_CONSENT", "EXECUTE", "NONE"
    ],
    (LineageEdge, "edge_type"): EdgeType,
    (SupportBundleAnswer, "artifact"): ArtifactDocument | None,
    (ReplayAnswer, "outcome"): Outcome,
    (Decision, "action"): WorkflowAction,
    (Workflow, "workflow_status"): WorkflowStatus,
    (operations.OperationAccepted, "operation_type"): Analysis,
    (operations.OperationAccepted, "status"): OperationStatus,
    (operations.OperationListItem, "operation_type"): Analysis,
    (operations.OperationListItem, "status"): OperationStatus,
    # A bundle shows any operation; what one of an analysis came to is a BatchRebalanceResult.
    (operations.OperationStatus, "operation_type"): OperationType,
    (operations.OperationStatus, "status"): OperationStatus,
    (operations.OperationStatus, "result"): Json | None,
    (proposal_operations.ProposalOperationAccepted, "operation_type"): ProposalOperationType,
    (proposal_operations.ProposalOperationAccepted, "status"): OperationStatus,
    (proposal_operations.ProposalOperationStatus, "operation_type"): ProposalOperationType,
    (proposal_operations.ProposalOperationStatus, "status"): OperationStatus,
    (proposal_operations.ProposalOperationStatus, "result"): Created | None,
    (proposal_operations.ProposalOperationStatus, "error"): ProposalAsyncError | None,
    (ArtifactSummary, "advisor_notes"): tuple[ProposalArtifactSummaryNote, ...],
    (ArtifactTrade, "rationale"): ProposalArtifactTradeRationale,
    (IssueHighlight, "code"): StatusChange,
    (EvidenceOutputs, "proposal_result"): Json,
    (EvidenceHashes, "artifact_hash"): str,
    (EvidenceBundle, "inputs"): EvidenceInputs,
    (ProposalSummary, "current_state"): ProposalState,
    (VersionDetail, "status_at_creation"): RunStatusText,
    (VersionDetail, "proposal_result"): ProposalResult,
    (VersionDetail, "artifact"): ProposalDocument,
    (VersionDetail, "evidence_bundle"): Json,
    (VersionDetail, "gate_decision"): GateDecision | None,
    (WorkflowEvent, "event_type"): ProposalEventType,
    (WorkflowEvent, "from_state"): ProposalState | None,
    (WorkflowEvent, "to_state"): ProposalState,
    (WorkflowEvent, "reason"): Json,
    (ApprovalRecord, "approval_type"): ApprovalType,
    (ApprovalRecord, "details"): Json,
    (LineageVersion, "status_at_creation"): RunStatusText,
    (Detail, "last_gate_decision"): GateDecision | None,
    (Transitioned, "current_state"): ProposalState,
    (Timeline, "current_state"): ProposalState,
}
