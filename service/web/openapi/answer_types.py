"""What fields of answers really hold, where their types say only that it is text, or stored bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from service.domains.lineage import EdgeType
from service.domains.operations import OperationStatus, OperationType
from service.domains.proposals.artifact_trades import ArtifactTrade
from service.domains.proposals.artifacts import ArtifactDocument as ProposalDocument
from service.domains.proposals.artifacts import (
    ArtifactSummary,
    EvidenceBundle,
    EvidenceHashes,
    EvidenceOutputs,
    IssueHighlight,
)
from service.domains.proposals.results import ProposalResult
from service.domains.proposals.states import ApprovalType, ProposalEventType, ProposalState
from service.domains.proposals.suitability import StatusChange
from service.domains.rebalances.results.diagnostics import DiagnosticsData
from service.domains.rebalances.results.gates import GateDecision
from service.domains.rebalances.results.intents import Intent, IntentRationale
from service.domains.rebalances.results.rebalance import BatchScenarioMetric, RebalanceResult
from service.domains.rebalances.results.rules import RuleResult
from service.domains.rebalances.results.states import SimulatedState
from service.domains.rebalances.results.values import RunStatusText
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
from service.web.answers import operations
from service.web.answers.operations import OperationFailure
from service.web.handlers.dpm_runs.replays import ReplayAnswer
from service.web.handlers.dpm_runs.runs import RunLookup
from service.web.handlers.dpm_runs.support_bundles import SupportBundleAnswer
from service.web.handlers.proposals import operations as proposal_operations
from service.web.handlers.workflow_decisions import Decision, Workflow
from service.web.middleware.problem_details import Problem

Json = dict[str, Any]
Analysis = Literal["ANALYZE_SCENARIOS"]
ProposalOperationType = Literal["CREATE_PROPOSAL", "CREATE_PROPOSAL_VERSION"]


class EvidenceInputs(msgspec.Struct, frozen=True):
    """The request as it was read, with every default filled in."""

    portfolio_snapshot: Json
    """Holdings and cash before the proposal."""
    market_data_snapshot: Json
    """Prices and rates."""
    shelf_entries: tuple[Json, ...]
    """What the house allows for each product."""
    options: Json
    """Switches and limits, all of them."""
    proposed_cash_flows: tuple[Json, ...]
    """Deposits and withdrawals."""
    proposed_trades: tuple[Json, ...]
    """Trades entered by the adviser."""
    reference_model: Json | None
    """Model that drift is measured against; null where none was sent."""


class ValidationEntry(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request; `ctx` is there only where it says more than the message."""

    type: str
    """Kind of the fault.

    - missing: A field is required and was not sent.
    - extra_forbidden: There is no such field or parameter, and the service is set to refuse it.
    - json_invalid: The body is not JSON.
    - model_attributes_type: An object was expected.
    - dict_type: A map was expected.
    - list_type: A list was expected.
    - string_type: A text was expected.
    - string_unicode: The text is not valid Unicode.
    - string_too_long: The text has more characters than it may.
    - string_too_short: The text has fewer characters than it must.
    - string_pattern_mismatch: The text is not written as it must be.
    - too_long: The list or map has more entries than it may.
    - int_type: A whole number was expected.
    - int_parsing: The text is no whole number.
    - int_from_float: The number has a fraction, and must be whole.
    - bool_type: True or false was expected.
    - bool_parsing: The word does not stand for true or false.
    - decimal_type: A number was expected.
    - decimal_parsing: The text is no number, or one with more digits than are taken.
    - finite_number: Infinity and NaN are not taken.
    - greater_than: The number must be above the bound.
    - greater_than_equal: The number must not be below the bound.
    - less_than_equal: The number must not be above the bound.
    - enum: The word is none of those that can stand there.
    - literal_error: The word is none of those that can stand there.
    - datetime_from_date_parsing: The text is no instant and no date.
    - value_error: A rule across fields or entries is broken; the message says which.
    - too_many_errors: More is wrong than is listed.
    """
    loc: tuple[str | int, ...]
    """Where it is: the part of the request (`body`, `query`, `path`, `header`), then names and places down to
    the value."""
    msg: str
    """The fault in words."""
    input: Any
    """What was sent there, shortened; null where nothing was."""
    ctx: Json | msgspec.UnsetType = msgspec.UNSET
    """Facts that the message is filled with, such as the limit; absent where there are none."""


class ProposalAsyncError(OperationFailure, frozen=True):
    """Why an operation failed."""


class ProposalArtifactTradeRationale(IntentRationale, frozen=True, kw_only=True):
    """Why the trade is there."""


class ProposalArtifactSummaryNote(msgspec.Struct, frozen=True):
    """None is written so far."""

    code: str
    """What the note is about; none is written so far."""
    text: str
    """The note; none is written so far."""


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
