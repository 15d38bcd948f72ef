"""The published names of the values that travel, where they are not those of our types.

Client generators name classes after them, so they are those of the contract (section 8). A value that goes
both ways is published twice, for a request may spell numbers in more ways than an answer does.
"""

from __future__ import annotations

from collections.abc import Mapping

from service.domains import policy_packs
from service.domains.proposals import artifacts as proposal_artifacts
from service.domains.proposals import requests, results, suitability
from service.domains.rebalances.options import GroupConstraint
from service.domains.rebalances.results.intents import SecurityTradeIntent
from service.domains.rebalances.snapshots import CashBalance
from service.domains.values.money import Money
from service.domains.workflow_decisions import WorkflowActionRequest
from service.flows import lineage
from service.flows.dpm_runs import analyses, artifacts
from service.flows.proposals import answer_parts, answers
from service.web.answers import operations
from service.web.handlers import idempotency, shadow_differences, workflow_decisions
from service.web.handlers import lineage as lineage_handlers
from service.web.handlers import policy_packs as policy_pack_handlers
from service.web.handlers.dpm_runs import replays, runs, support_bundles, supportability
from service.web.handlers.proposals import operations as proposal_operations
from service.web.handlers.proposals import support
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
    requests.AssetClassTarget: "ReferenceAssetClassTarget",
    requests.InstrumentTarget: "ReferenceInstrumentTarget",
    requests.ProposalMetadata: "ProposalCreateMetadata",
    requests.TradeNotional: "ProposedTradeNotional",
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
    runs.RunLookup: "DpmRunLookupResponse",
    runs.RunListItem: "DpmRunListItemResponse",
    runs.RunList: "DpmRunListResponse",
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
    results.DriftBucket: "DriftBucketDetail",
    results.DriftDimension: "DriftDimensionAnalysis",
    results.DriftHighlight: "DriftHighlightEntry",
    suitability.IssueEvidence: "SuitabilityEvidence",
    results.ProposedTradeIntent: "SecurityTradeIntent",
    results.ReferenceModelSummary: "DriftReferenceModelSummary",
    suitability.SnapshotIds: "SuitabilityEvidenceSnapshotIds",
    results.UnmodeledExposure: "DriftUnmodeledExposure",
    answers.Approvals: "ProposalApprovalsResponse",
    answers.Created: "ProposalCreateResponse",
    answers.Detail: "ProposalDetailResponse",
    answers.ProposalKeyLookup: "ProposalIdempotencyLookupResponse",
    answers.ProposalLineage: "ProposalLineageResponse",
    answers.ProposalList: "ProposalListResponse",
    answers.Timeline: "ProposalWorkflowTimelineResponse",
    answers.Transitioned: "ProposalStateTransitionResponse",
    proposal_operations.ProposalOperationAccepted: "ProposalAsyncAcceptedResponse",
    proposal_operations.ProposalOperationStatus: "ProposalAsyncOperationStatusResponse",
    answer_parts.ApprovalRecord: "ProposalApprovalRecord",
    answer_parts.LineageVersion: "ProposalVersionLineageItem",
    answer_parts.VersionDetail: "ProposalVersionDetail",
    answer_parts.WorkflowEvent: "ProposalWorkflowEvent",
    support.SupportabilityConfig: "ProposalSupportabilityConfigResponse",
    replays.ReplayAnswer: "DpmRunReplayResponse",
    replays.ReplayDifference: "DpmRunReplayDifference",
    support_bundles.RelatedRun: "DpmRelatedRun",
    support_bundles.SupportBundleAnswer: "DpmRunSupportBundleResponse",
    shadow_differences.Parity: "DpmSupportabilityParityResponse",
    shadow_differences.ParityDifference: "DpmSupportabilityParityDifference",
    shadow_differences.ShadowSinceStart: "DpmSupportabilityShadowCounts",
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
PUBLISHED_AS: Mapping[type, type] = {SecurityTradeIntent: results.ProposedTradeIntent}


def answer_name(struct: type) -> str:
    return ANSWER_NAMES.get(struct, struct.__name__)
