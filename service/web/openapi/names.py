"""The published names of the values that travel, where they are not those of our types.

Client generators name classes after them, so they are those of the contract (section 8). A value that goes
both ways is published twice, for a request may spell numbers in more ways than an answer does.
"""

from __future__ import annotations

from collections.abc import Mapping

from service.domains import policy_packs, proposal_artifacts, proposal_requests, proposal_results
from service.domains.money import Money
from service.domains.options import GroupConstraint
from service.domains.results import SecurityTradeIntent
from service.domains.snapshots import CashBalance
from service.domains.workflow_decisions import WorkflowActionRequest
from service.flows import analyses, artifacts, lineage, proposal_answers, proposal_parts
from service.web.handlers import (
    dpm_runs,
    idempotency,
    operations,
    parity,
    proposal_operations,
    proposal_support,
    replays,
    support_bundles,
    supportability,
    workflow_decisions,
)
from service.web.handlers import lineage as lineage_handlers
from service.web.handlers import policy_packs as policy_pack_handlers
from service.web.openapi import answer_types

REQUEST_NAMES: Mapping[type, str] = {
    Money: "Money-Input",
    CashBalance: "CashBalance-Input",
    GroupConstraint: "GroupConstraint-Input",
    policy_packs.TurnoverPolicy: "DpmPolicyPackTurnoverPolicy-Input",
    policy_packs.TaxPolicy: "DpmPolicyPackTaxPolicy-Input",
    policy_packs.SettlementPolicy: "DpmPolicyPackSettlementPolicy",
    policy_packs.ConstraintPolicy: "DpmPolicyPackConstraintPolicy-Input",
    policy_packs.WorkflowPolicy: "DpmPolicyPackWorkflowPolicy",
    policy_packs.IdempotencyPolicy: "DpmPolicyPackIdempotencyPolicy",
    policy_packs.PolicyPackUpsert: "DpmPolicyPackUpsertRequest",
    proposal_requests.AssetClassTarget: "ReferenceAssetClassTarget",
    proposal_requests.InstrumentTarget: "ReferenceInstrumentTarget",
    proposal_requests.ProposalMetadata: "ProposalCreateMetadata",
    proposal_requests.TradeNotional: "ProposedTradeNotional",
    WorkflowActionRequest: "DpmRunWorkflowActionRequest",
}

ANSWER_NAMES: Mapping[type, str] = {
    Money: "Money-Output",
    CashBalance: "CashBalance-Output",
    GroupConstraint: "GroupConstraint-Output",
    answer_types.EvidenceInputs: "ProposalArtifactEvidenceInputs",
    answer_types.ValidationEntry: "ValidationError",
    analyses.BatchAnswer: "BatchRebalanceResult",
    artifacts.ArtifactDocument: "DpmRunArtifactResponse",
    artifacts.ArtifactEvidence: "DpmRunArtifactEvidence",
    artifacts.RequestSnapshot: "DpmRunArtifactRequestSnapshot",
    artifacts.ArtifactHashes: "DpmRunArtifactHashes",
    artifacts.ArtifactPolicy: "DpmRunArtifactPolicy",
    dpm_runs.RunLookup: "DpmRunLookupResponse",
    dpm_runs.RunListItem: "DpmRunListItemResponse",
    dpm_runs.RunList: "DpmRunListResponse",
    idempotency.KeyLookup: "DpmRunIdempotencyLookupResponse",
    idempotency.KeyHistoryItem: "DpmRunIdempotencyHistoryItem",
    idempotency.KeyHistory: "DpmRunIdempotencyHistoryResponse",
    lineage.LineageEdge: "DpmLineageEdgeResponse",
    lineage_handlers.Lineage: "DpmLineageResponse",
    operations.OperationAccepted: "DpmAsyncAcceptedResponse",
    operations.AttemptFailure: "DpmAsyncAttemptError",
    operations.OperationFailure: "DpmAsyncError",
    operations.OperationProgress: "DpmAsyncProgress",
    operations.OperationStatus: "DpmAsyncOperationStatusResponse",
    operations.OperationListItem: "DpmAsyncOperationListItemResponse",
    operations.OperationList: "DpmAsyncOperationListResponse",
    policy_packs.TurnoverPolicy: "DpmPolicyPackTurnoverPolicy-Output",
    policy_packs.TaxPolicy: "DpmPolicyPackTaxPolicy-Output",
    policy_packs.SettlementPolicy: "DpmPolicyPackSettlementPolicy",
    policy_packs.ConstraintPolicy: "DpmPolicyPackConstraintPolicy-Output",
    policy_packs.WorkflowPolicy: "DpmPolicyPackWorkflowPolicy",
    policy_packs.IdempotencyPolicy: "DpmPolicyPackIdempotencyPolicy",
    policy_packs.PolicyPack: "DpmPolicyPackDefinition",
    policy_pack_handlers.EffectivePolicyPack: "DpmEffectivePolicyPackResolution",
    policy_pack_handlers.PolicyPackCatalog: "DpmPolicyPackCatalogResponse",
    policy_pack_handlers.PolicyPackMutation: "DpmPolicyPackMutationResponse",
    proposal_artifacts.ArtifactDocument: "ProposalArtifact",
    proposal_artifacts.ArtifactDelta: "ProposalArtifactPortfolioDelta",
    proposal_artifacts.ArtifactExchange: "ProposalArtifactFx",
    proposal_artifacts.ArtifactState: "ProposalArtifactPortfolioState",
    proposal_artifacts.ArtifactSuitability: "ProposalArtifactSuitabilitySummary",
    proposal_artifacts.ArtifactSummary: "ProposalArtifactSummary",
    proposal_artifacts.ArtifactTrade: "ProposalArtifactTrade",
    proposal_artifacts.AssumptionsAndLimits: "ProposalArtifactAssumptionsAndLimits",
    proposal_artifacts.Disclosures: "ProposalArtifactDisclosures",
    proposal_artifacts.EvidenceBundle: "ProposalArtifactEvidenceBundle",
    proposal_artifacts.EvidenceHashes: "ProposalArtifactHashes",
    proposal_artifacts.EvidenceOutputs: "ProposalArtifactEngineOutputs",
    proposal_artifacts.ExecutionNote: "ProposalArtifactExecutionNote",
    proposal_artifacts.IssueHighlight: "ProposalArtifactSuitabilityHighlight",
    proposal_artifacts.Limit: "ProposalArtifactInclusionFlag",
    proposal_artifacts.PortfolioImpact: "ProposalArtifactPortfolioImpact",
    proposal_artifacts.Pricing: "ProposalArtifactPricingAssumptions",
    proposal_artifacts.ProductDoc: "ProposalArtifactProductDoc",
    proposal_artifacts.Takeaway: "ProposalArtifactTakeaway",
    proposal_artifacts.TradesAndFunding: "ProposalArtifactTradesAndFunding",
    proposal_artifacts.WeightChange: "ProposalArtifactWeightChange",
    proposal_results.DriftBucket: "DriftBucketDetail",
    proposal_results.DriftDimension: "DriftDimensionAnalysis",
    proposal_results.DriftHighlight: "DriftHighlightEntry",
    proposal_results.IssueEvidence: "SuitabilityEvidence",
    proposal_results.ProposedTradeIntent: "SecurityTradeIntent",
    proposal_results.ReferenceModelSummary: "DriftReferenceModelSummary",
    proposal_results.SnapshotIds: "SuitabilityEvidenceSnapshotIds",
    proposal_results.UnmodeledExposure: "DriftUnmodeledExposure",
    proposal_answers.Approvals: "ProposalApprovalsResponse",
    proposal_answers.Created: "ProposalCreateResponse",
    proposal_answers.Detail: "ProposalDetailResponse",
    proposal_answers.ProposalKeyLookup: "ProposalIdempotencyLookupResponse",
    proposal_answers.ProposalLineage: "ProposalLineageResponse",
    proposal_answers.ProposalList: "ProposalListResponse",
    proposal_answers.Timeline: "ProposalWorkflowTimelineResponse",
    proposal_answers.Transitioned: "ProposalStateTransitionResponse",
    proposal_operations.ProposalOperationAccepted: "ProposalAsyncAcceptedResponse",
    proposal_operations.ProposalOperationStatus: "ProposalAsyncOperationStatusResponse",
    proposal_parts.ApprovalRecord: "ProposalApprovalRecord",
    proposal_parts.LineageVersion: "ProposalVersionLineageItem",
    proposal_parts.VersionDetail: "ProposalVersionDetail",
    proposal_parts.WorkflowEvent: "ProposalWorkflowEvent",
    proposal_support.SupportabilityConfig: "ProposalSupportabilityConfigResponse",
    replays.ReplayAnswer: "DpmRunReplayResponse",
    replays.ReplayDifference: "DpmRunReplayDifference",
    support_bundles.RelatedRun: "DpmRelatedRun",
    support_bundles.SupportBundleAnswer: "DpmRunSupportBundleResponse",
    parity.Parity: "DpmSupportabilityParityResponse",
    parity.ParityDifference: "DpmSupportabilityParityDifference",
    parity.ShadowSinceStart: "DpmSupportabilityShadowCounts",
    supportability.SupportabilitySummary: "DpmSupportabilitySummaryResponse",
    workflow_decisions.Decision: "DpmRunWorkflowDecisionResponse",
    workflow_decisions.DecisionList: "DpmWorkflowDecisionListResponse",
    workflow_decisions.Workflow: "DpmRunWorkflowResponse",
    workflow_decisions.WorkflowHistory: "DpmRunWorkflowHistoryResponse",
}

# What is the same both ways is published as requests have it.
PUBLISHED_ONCE = frozenset(
    {policy_packs.SettlementPolicy, policy_packs.WorkflowPolicy, policy_packs.IdempotencyPolicy}
)

# One name stands for the trades of both engines; that of the adviser leaves more open.
PUBLISHED_AS: Mapping[type, type] = {SecurityTradeIntent: proposal_results.ProposedTradeIntent}


def answer_name(struct: type) -> str:
    return ANSWER_NAMES.get(struct, struct.__name__)
