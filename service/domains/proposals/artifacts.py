"""The artifact of a proposal: what a client is shown and the evidence for it, in the published field order.

Source: section 4 of the advisory specification. Figures meant for reading are text in plain notation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from service.domains.proposals.artifact_impacts import ArtifactDelta as ArtifactDelta
from service.domains.proposals.artifact_impacts import ArtifactState as ArtifactState
from service.domains.proposals.artifact_impacts import PortfolioImpact as PortfolioImpact
from service.domains.proposals.artifact_impacts import WeightChange as WeightChange
from service.domains.proposals.artifact_trades import ArtifactExchange as ArtifactExchange
from service.domains.proposals.artifact_trades import ArtifactTrade as ArtifactTrade
from service.domains.proposals.artifact_trades import ExecutionNote as ExecutionNote
from service.domains.proposals.artifact_trades import TradesAndFunding as TradesAndFunding
from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.proposals.suitability import StatusChange, SuitabilityIssue
from service.domains.rebalances.results.gates import GateDecision
from service.domains.rebalances.results.values import RunStatusText, Severity, Value
from service.domains.values.published import document, published

NextStep = Literal["CLIENT_CONSENT", "RISK_REVIEW", "COMPLIANCE_REVIEW", "EXECUTION_READY", "NONE"]
"""What to do next.

- CLIENT_CONSENT: Ask the client.
- RISK_REVIEW: Have the risk function look at it.
- COMPLIANCE_REVIEW: Have the compliance function look at it.
- EXECUTION_READY: Send the orders.
- NONE: Reserved; never answered.
"""


@dataclass(frozen=True, slots=True)
class ProposalArtifact:
    """An artifact as it is kept and answered; `body` is its JSON, and ends with `evidence`, its bundle."""

    artifact_id: str
    artifact_hash: str
    created_at: datetime
    body: bytes
    evidence: bytes


@published("ProposalArtifactTakeaway")
class Takeaway(Value, frozen=True, kw_only=True):
    """One sentence for the reader."""

    code: str
    """What the sentence is about.

    - STATUS: What the simulation came to.
    - INTENTS: How many trades there are.
    - CASH: The weight of cash before and after.
    - DRIFT: The distance from the reference model before and after.
    - SUITABILITY: How many issues there are.
    """
    value: str
    """The sentence; the wording may change."""


class ProposalArtifactSummaryNote(msgspec.Struct, frozen=True):
    """None is written so far."""

    code: str
    """What the note is about; none is written so far."""
    text: str
    """The note; none is written so far."""


@published("ProposalArtifactSummary")
class ArtifactSummary(Value, frozen=True, kw_only=True):
    """What a reader should know first."""

    title: str
    """Heading of the artifact; it names the portfolio."""
    objective_tags: tuple[str, ...]
    """What the proposal is for, going by its contents.

    - RISK_ALIGNMENT: It trades instruments.
    - CASH_DEPLOYMENT: It has deposits or withdrawals.
    - DRIFT_REDUCTION: It leads nearer to the reference model by asset class.
    - PORTFOLIO_MAINTENANCE: None of these.
    """
    advisor_notes: Annotated[tuple[str, ...], document(tuple[ProposalArtifactSummaryNote, ...])] = ()
    """Reserved for notes of the adviser, which are not published; always empty."""
    recommended_next_step: NextStep
    key_takeaways: tuple[Takeaway, ...]
    """A sentence on each subject."""


@published("ProposalArtifactSuitabilityHighlight")
class IssueHighlight(Value, frozen=True, kw_only=True):
    """One suitability issue in short."""

    code: StatusChange
    """Whether the proposal brings the issue.

    Values as of `service.domains.proposals.suitability.StatusChange`.
    """
    text: str
    """The same, and the check that found it."""


@published("ProposalArtifactSuitabilitySummary")
class ArtifactSuitability(Value, frozen=True, kw_only=True):
    """All zero and empty when the scanner was off."""

    status: Literal["AVAILABLE", "NOT_AVAILABLE"]
    """Whether the scan was made.

    - AVAILABLE: The scan was made.
    - NOT_AVAILABLE: The scan was switched off.
    """
    new_issues: int = 0
    """Issues that are there after the proposal only."""
    resolved_issues: int = 0
    """Issues that are there before the proposal only."""
    persistent_issues: int = 0
    """Issues that are there before and after."""
    highest_severity_new: Severity | None = None
    """Highest severity among the new issues; null where there are none."""
    highlights: tuple[IssueHighlight, ...] = ()
    """The first issues in short, as many as the options allow."""
    issues: tuple[SuitabilityIssue, ...] = ()
    """All issues: new, persistent, then resolved ones, the gravest first in each."""


@published("ProposalArtifactPricingAssumptions")
class Pricing(Value, frozen=True, kw_only=True):
    """The market data that the figures rest on."""

    market_data_snapshot_id: str
    """Id of the market data snapshot; `md` where it has none."""
    prices_as_of: str
    """The same id; prices carry no instant."""
    fx_as_of: str
    """The same id; rates carry no instant."""
    valuation_mode: str
    """How the state before trades was valued.

    Values as of `service.domains.rebalances.options.ValuationMode`.
    """


@published("ProposalArtifactInclusionFlag")
class Limit(Value, frozen=True, kw_only=True):
    """Something the simulation does not model."""

    included: bool = False
    """Whether the simulation models it; always false."""
    notes: str
    """What is not modelled, in words."""


@published("ProposalArtifactAssumptionsAndLimits")
class AssumptionsAndLimits(Value, frozen=True, kw_only=True):
    """What the figures rest on, and what they leave out."""

    pricing: Pricing
    """Market data that the figures rest on."""
    costs_and_fees: Limit
    """Trading costs, fees and spreads."""
    tax: Limit
    """Taxes on gains."""
    execution: Limit
    """Timing of execution and slippage."""


@published("ProposalArtifactProductDoc")
class ProductDoc(Value, frozen=True, kw_only=True):
    """A document that a client is to be given."""

    instrument_id: str
    """Instrument that the document is about."""
    doc_ref: str
    """Where the document is; a placeholder so far."""


@published("ProposalArtifactDisclosures")
class Disclosures(Value, frozen=True, kw_only=True):
    """What a client has to be told."""

    risk_disclaimer: str
    """Disclaimer on the figures."""
    product_docs: tuple[ProductDoc, ...]
    """A document for each instrument that is traded."""


@published("ProposalArtifactEngineOutputs")
class EvidenceOutputs(Value, frozen=True, kw_only=True):
    """The result in the very bytes it is stored in."""

    proposal_result: Annotated[msgspec.Raw, document(dict[str, Any])]
    """The whole result of the simulation, as it was answered."""


@published("ProposalArtifactHashes")
class EvidenceHashes(Value, frozen=True, kw_only=True, omit_defaults=True):
    """Without its own hash it is what the hash is taken of."""

    request_hash: str
    """`sha256:` and the hash of the request with every default filled in."""
    artifact_hash: Annotated[str | None, document(str)] = None
    """`sha256:` and the hash of the artifact, but for this hash and the instant it was made at."""


@published("ProposalArtifactEvidenceInputs")
class EvidenceInputs(msgspec.Struct, frozen=True):
    """The request as it was read, with every default filled in."""

    portfolio_snapshot: dict[str, Any]
    """Holdings and cash before the proposal."""
    market_data_snapshot: dict[str, Any]
    """Prices and rates."""
    shelf_entries: tuple[dict[str, Any], ...]
    """What the house allows for each product."""
    options: dict[str, Any]
    """Switches and limits, all of them."""
    proposed_cash_flows: tuple[dict[str, Any], ...]
    """Deposits and withdrawals."""
    proposed_trades: tuple[dict[str, Any], ...]
    """Trades entered by the adviser."""
    reference_model: dict[str, Any] | None
    """Model that drift is measured against; null where none was sent."""


@published("ProposalArtifactEvidenceBundle")
class EvidenceBundle(Value, frozen=True, kw_only=True):
    # As it was read, with every default filled in.
    """What proves that the figures follow from the request."""

    inputs: Annotated[ProposalSimulateRequest, document(EvidenceInputs)]
    """The request as it was read, with every default filled in."""
    engine_outputs: EvidenceOutputs
    """What the engine answered."""
    hashes: EvidenceHashes
    """Hashes of the request and of the artifact."""
    engine_version: str
    """Version of the engine that computed the result; `unknown` where it is not recorded."""


@published("ProposalArtifact")
class ArtifactDocument(Value, frozen=True, kw_only=True):
    """`ProposalArtifact` of the published schema."""

    artifact_id: str
    """Id of the artifact: `pa_` and the digits of the simulation's id."""
    proposal_run_id: str
    """Id of the simulation."""
    correlation_id: str
    """Id that the request is filed under."""
    created_at: str
    """Instant at which the artifact was made, in UTC."""
    status: RunStatusText
    gate_decision: GateDecision
    """Who has to act next; there even where gates are switched off."""
    summary: ArtifactSummary
    """What a reader should know first."""
    portfolio_impact: PortfolioImpact
    """The portfolio before and after."""
    trades_and_funding: TradesAndFunding
    """What is traded, and what pays for it."""
    suitability_summary: ArtifactSuitability
    """What the suitability scan found."""
    assumptions_and_limits: AssumptionsAndLimits
    """What the figures rest on, and what they leave out."""
    disclosures: Disclosures
    """What a client has to be told."""
    evidence_bundle: EvidenceBundle
    """What proves that the figures follow from the request."""
