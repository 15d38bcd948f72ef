"""The requests of an adviser: what to simulate, and what is to happen to a proposal.

Source: sections 1 and 6.6 of the advisory specification. Field order is the published one; an expected
revision is ours, and comes last.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.snapshots import (
    MarketDataSnapshot,
    PortfolioSnapshot,
    ShelfEntry,
    currencies_of,
)
from service.domains.values.bounds import (
    COMMENT,
    CURRENCIES_MAX,
    CURRENCY,
    FREE,
    ID,
    LABEL,
    MOVES,
    OPEN_ID,
    ROWS,
    TITLE,
    TotalBound,
)
from service.domains.values.fields import Bound, Check, Checked, FieldRule, NoFraction, WholeRule
from service.domains.values.money import Exact, ExactText
from service.domains.values.published import published

INVALID_TRADE_INPUT = "PROPOSAL_INVALID_TRADE_INPUT"

Side = Literal["BUY", "SELL"]
"""Side of the trade.

- BUY: Units are bought for cash.
- SELL: Units are sold for cash.
"""

DEFAULT_OPTIONS = EngineOptions()


class ProposedCashFlow(Checked, frozen=True, kw_only=True, gc=False):
    """A deposit or, when negative, a withdrawal."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        NoFraction("amount", f"{INVALID_TRADE_INPUT}: amount must be a decimal string"),
    )

    intent_type: Literal["CASH_FLOW"] = "CASH_FLOW"
    """Kind of the intent.

    - CASH_FLOW: A deposit or a withdrawal.
    """
    currency: Annotated[str, CURRENCY, Meta(examples=["SGD"])]
    """Currency of the cash."""
    amount: Annotated[ExactText, Meta(examples=["-500.00"])]
    """Amount in that currency; negative is a withdrawal."""
    description: Annotated[str | None, COMMENT] = None
    """What it is for; copied to the intent. Null where nothing is said."""


@published(request="ProposedTradeNotional")
class TradeNotional(msgspec.Struct, frozen=True, gc=False):
    """The size of a trade as an amount of the currency its instrument is priced in."""

    amount: Annotated[ExactText, Meta(examples=["2500.00"])]
    """Amount to trade, greater than 0."""
    currency: Annotated[str, CURRENCY, Meta(examples=["SGD"])]
    """Currency of the amount; must be that of the price."""


class ProposedTrade(Checked, frozen=True, kw_only=True):
    """One order entered by hand, sized by units or by amount."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        NoFraction("quantity", f"{INVALID_TRADE_INPUT}: quantity must be a decimal string"),
        Bound("quantity", gt=0),
        NoFraction(
            "notional", f"{INVALID_TRADE_INPUT}: notional.amount must be a decimal string", member="amount"
        ),
        FieldRule("notional", "notional.amount must be greater than 0", lambda notional: notional.amount > 0),
        WholeRule(
            f"{INVALID_TRADE_INPUT}: quantity or notional is required",
            lambda trade: trade.quantity is not None or trade.notional is not None,
        ),
        WholeRule(
            f"{INVALID_TRADE_INPUT}: provide either quantity or notional, not both",
            lambda trade: trade.quantity is None or trade.notional is None,
        ),
    )

    intent_type: Literal["SECURITY_TRADE"] = "SECURITY_TRADE"
    """Kind of the intent.

    - SECURITY_TRADE: A purchase or a sale of an instrument.
    """
    side: Side
    """Side of the trade."""
    instrument_id: Annotated[str, ID, Meta(examples=["EQ_1"])]
    """Instrument to trade."""
    quantity: Annotated[ExactText | None, Meta(examples=["10"])] = None
    """Units, greater than 0; null where the trade is sized by its notional."""
    notional: TradeNotional | None = None
    """Amount to trade instead of units; null where the trade is sized by its quantity."""


@published(request="ReferenceAssetClassTarget")
class AssetClassTarget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Wanted weight of one asset class."""

    asset_class: Annotated[str, LABEL, Meta(examples=["EQUITY"])]
    """Asset class, as the shelf names it; `CASH` for cash."""
    weight: Annotated[Exact, Meta(examples=["0.60"])]
    """Wanted share of the total value, a fraction of one (0.25 is 25 %)."""


@published(request="ReferenceInstrumentTarget")
class InstrumentTarget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Wanted weight of one instrument."""

    instrument_id: Annotated[str, ID, Meta(examples=["EQ_1"])]
    """Instrument that is wanted."""
    weight: Annotated[Exact, Meta(examples=["0.25"])]
    """Wanted share of the total value, a fraction of one (0.25 is 25 %)."""


class ReferenceModel(msgspec.Struct, frozen=True, kw_only=True):
    """The model that drift is measured against; the last weight of a bucket named twice counts."""

    model_id: Annotated[str, OPEN_ID, Meta(examples=["mdl_1"])]
    """Id that the house gives the model; shown with the drift, and not used."""
    as_of: Annotated[str, LABEL, Meta(examples=["2026-02-18"])]
    """Date of the model; shown with the drift, and not used."""
    base_currency: Annotated[str, CURRENCY, Meta(examples=["SGD"])]
    """Base currency of the model; where it is not that of the portfolio, no drift is computed."""
    asset_class_targets: Annotated[tuple[AssetClassTarget, ...], ROWS] = ()
    """Wanted weights by asset class."""
    instrument_targets: Annotated[tuple[InstrumentTarget, ...], ROWS] = ()
    """Wanted weights by instrument; without any, drift is computed by asset class only."""


def _currency_count(request: ProposalSimulateRequest) -> int:
    priced = currencies_of(request.portfolio_snapshot, request.market_data_snapshot)
    return len(priced | {flow.currency for flow in request.proposed_cash_flows})


class ProposalSimulateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One proposal to simulate."""

    TOTALS: ClassVar[tuple[TotalBound, ...]] = (
        TotalBound(CURRENCIES_MAX, "currencies of cash, cash flows and prices together", _currency_count),
    )

    portfolio_snapshot: PortfolioSnapshot
    """Holdings and cash before the proposal."""
    market_data_snapshot: MarketDataSnapshot
    """Prices and rates."""
    shelf_entries: Annotated[tuple[ShelfEntry, ...], ROWS]
    """What the house allows for each product; may be empty."""
    options: EngineOptions = DEFAULT_OPTIONS
    """Switches and limits."""
    proposed_cash_flows: Annotated[tuple[ProposedCashFlow, ...], MOVES] = ()
    """Applied in this order, before any trade."""
    proposed_trades: Annotated[tuple[ProposedTrade, ...], MOVES] = ()
    """Orders entered by hand."""
    reference_model: ReferenceModel | None = None
    """What drift is measured against."""


@published(request="ProposalCreateMetadata")
class ProposalMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What is said about a proposal when it is created, and stays as it is."""

    title: Annotated[str | None, TITLE] = None
    """Title that lists show; null where it has none."""
    advisor_notes: Annotated[str | None, COMMENT] = None
    """Notes of the adviser; kept, and not answered. Null where there are none."""
    jurisdiction: Annotated[str | None, LABEL, Meta(examples=["SG"])] = None
    """Booking centre; shown, and not used. Null where nothing is said."""
    mandate_id: Annotated[str | None, ID] = None
    """Id of the mandate; shown, and not used. Null where nothing is said."""


NO_METADATA = ProposalMetadata()


class ProposalCreateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal to create with its first version."""

    created_by: Annotated[str, ID, Meta(examples=["advisor_1"])]
    """Who creates the proposal, as the caller names them."""
    simulate_request: ProposalSimulateRequest
    """What is proposed; it is simulated."""
    metadata: ProposalMetadata = NO_METADATA
    """What is said about the proposal."""


# What the stores hold as the number of a version.
VERSION_NO_MAX = 2**31 - 1

ExpectedState = (
    Literal[
        "DRAFT",
        "RISK_REVIEW",
        "COMPLIANCE_REVIEW",
        "AWAITING_CLIENT_CONSENT",
        "EXECUTION_READY",
        "EXECUTED",
        "REJECTED",
        "CANCELLED",
        "EXPIRED",
    ]
    | None
)
"""State that the caller saw; refused where the proposal is in another by now. By default this or the
revision has to be given.

Values as of `service.domains.proposals.states.ProposalState`.
"""
ExpectedRevision = Annotated[int | None, Meta(examples=[3])]
"""Revision that the caller saw; refused where the proposal has another by now. Null does not check."""
RelatedVersion = Annotated[int | None, Meta(examples=[1])]


class ProposalVersionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The next version of a proposal."""

    created_by: Annotated[str, ID, Meta(examples=["advisor_1"])]
    """Who brings the version, as the caller names them."""
    simulate_request: ProposalSimulateRequest
    """What is proposed; it is simulated."""
    expected_revision: ExpectedRevision = None


class ProposalStateTransitionRequest(Checked, frozen=True, kw_only=True):
    """An event that is to happen to a proposal; the reason is free."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        Bound("related_version_no", ge=-VERSION_NO_MAX, le=VERSION_NO_MAX),
    )

    event_type: Literal[
        "CREATED",
        "NEW_VERSION_CREATED",
        "SUBMITTED_FOR_RISK_REVIEW",
        "RISK_APPROVED",
        "SUBMITTED_FOR_COMPLIANCE_REVIEW",
        "COMPLIANCE_APPROVED",
        "CLIENT_CONSENT_RECORDED",
        "EXECUTION_REQUESTED",
        "EXECUTED",
        "REJECTED",
        "EXPIRED",
        "CANCELLED",
    ]
    """What happens to the proposal.

    Values as of `service.domains.proposals.states.ProposalEventType`.
    """
    actor_id: Annotated[str, ID, Meta(examples=["advisor_1"])]
    """Who says so, as the caller names them."""
    related_version_no: RelatedVersion = None
    """Number of the version that the event is about; null where none is named."""
    reason: Annotated[dict[str, Any], FREE] = msgspec.field(default_factory=dict)
    """Why, as free members; kept with the event."""
    expected_state: ExpectedState = None
    expected_revision: ExpectedRevision = None


class ProposalApprovalRequest(Checked, frozen=True, kw_only=True):
    """An approval that is given, or refused; the details are free."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        Bound("related_version_no", ge=-VERSION_NO_MAX, le=VERSION_NO_MAX),
    )

    approval_type: Literal["RISK", "COMPLIANCE", "CLIENT_CONSENT"]
    """Whose approval it is.

    Values as of `service.domains.proposals.states.ApprovalType`.
    """
    approved: bool
    """Whether it is given; false rejects the proposal."""
    actor_id: Annotated[str, ID, Meta(examples=["risk_officer_1"])]
    """Who says so, as the caller names them."""
    related_version_no: RelatedVersion = None
    """Number of the version that the approval is about; null where none is named."""
    details: Annotated[dict[str, Any], FREE] = msgspec.field(default_factory=dict)
    """Free members; kept with the approval and its event."""
    expected_state: ExpectedState = None
    expected_revision: ExpectedRevision = None
