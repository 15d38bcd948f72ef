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

INVALID_TRADE_INPUT = "PROPOSAL_INVALID_TRADE_INPUT"

Side = Literal["BUY", "SELL"]

DEFAULT_OPTIONS = EngineOptions()


class ProposedCashFlow(Checked, frozen=True, kw_only=True, gc=False):
    """A deposit or, when negative, a withdrawal."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        NoFraction("amount", f"{INVALID_TRADE_INPUT}: amount must be a decimal string"),
    )

    intent_type: Literal["CASH_FLOW"] = "CASH_FLOW"
    currency: Annotated[str, CURRENCY, Meta(description="Currency code.", examples=["SGD"])]
    amount: Annotated[ExactText, Meta(description="Negative is a withdrawal.", examples=["-500.00"])]
    description: Annotated[str | None, COMMENT, Meta(description="Copied to the intent.")] = None


class TradeNotional(msgspec.Struct, frozen=True, gc=False):
    """The size of a trade as an amount of the currency its instrument is priced in."""

    amount: Annotated[ExactText, Meta(description="Greater than 0.", examples=["2500.00"])]
    currency: Annotated[str, CURRENCY, Meta(description="Currency of the price.", examples=["SGD"])]


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
    side: Annotated[Side, Meta(description="Direction of the trade.")]
    instrument_id: Annotated[str, ID, Meta(description="Identifier of the instrument.", examples=["EQ_1"])]
    quantity: Annotated[ExactText | None, Meta(description="Units, greater than 0.", examples=["10"])] = None
    notional: Annotated[TradeNotional | None, Meta(description="Instead of units.")] = None


class AssetClassTarget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Wanted weight of one asset class."""

    asset_class: Annotated[str, LABEL, Meta(description="Allocation bucket.", examples=["EQUITY"])]
    weight: Annotated[Exact, Meta(description="Fraction of total portfolio value.", examples=["0.60"])]


class InstrumentTarget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Wanted weight of one instrument."""

    instrument_id: Annotated[str, ID, Meta(description="Identifier of the instrument.", examples=["EQ_1"])]
    weight: Annotated[Exact, Meta(description="Fraction of total portfolio value.", examples=["0.25"])]


class ReferenceModel(msgspec.Struct, frozen=True, kw_only=True):
    """The model that drift is measured against; the last weight of a bucket named twice counts."""

    model_id: Annotated[str, OPEN_ID, Meta(description="Identifier of the model.", examples=["mdl_1"])]
    as_of: Annotated[str, LABEL, Meta(description="Echoed, never read.", examples=["2026-02-18"])]
    base_currency: Annotated[
        str, CURRENCY, Meta(description="Must be that of the portfolio.", examples=["SGD"])
    ]
    asset_class_targets: Annotated[
        tuple[AssetClassTarget, ...], ROWS, Meta(description="By asset class.")
    ] = ()
    instrument_targets: Annotated[tuple[InstrumentTarget, ...], ROWS, Meta(description="By instrument.")] = ()


def _currency_count(request: ProposalSimulateRequest) -> int:
    priced = currencies_of(request.portfolio_snapshot, request.market_data_snapshot)
    return len(priced | {flow.currency for flow in request.proposed_cash_flows})


class ProposalSimulateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One proposal to simulate."""

    TOTALS: ClassVar[tuple[TotalBound, ...]] = (
        TotalBound(CURRENCIES_MAX, "currencies of cash, cash flows and prices together", _currency_count),
    )

    portfolio_snapshot: Annotated[PortfolioSnapshot, Meta(description="Holdings and cash before.")]
    market_data_snapshot: Annotated[MarketDataSnapshot, Meta(description="Prices and FX.")]
    shelf_entries: Annotated[
        tuple[ShelfEntry, ...], ROWS, Meta(description="Product governance; may be empty.")
    ]
    options: Annotated[EngineOptions, Meta(description="Switches and limits.")] = DEFAULT_OPTIONS
    proposed_cash_flows: Annotated[
        tuple[ProposedCashFlow, ...], MOVES, Meta(description="Applied in this order, before any trade.")
    ] = ()
    proposed_trades: Annotated[
        tuple[ProposedTrade, ...], MOVES, Meta(description="Orders entered by hand.")
    ] = ()
    reference_model: Annotated[ReferenceModel | None, Meta(description="What drift is measured against.")] = (
        None
    )


class ProposalMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What is said about a proposal when it is created, and stays as it is."""

    title: Annotated[str | None, TITLE, Meta(description="Shown in lists.")] = None
    advisor_notes: Annotated[str | None, COMMENT, Meta(description="Kept, and answered to nobody.")] = None
    jurisdiction: Annotated[str | None, LABEL, Meta(description="Booking centre.", examples=["SG"])] = None
    mandate_id: Annotated[str | None, ID, Meta(description="Identifier of the mandate.")] = None


NO_METADATA = ProposalMetadata()


class ProposalCreateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal to create with its first version."""

    created_by: Annotated[str, ID, Meta(description="Who creates it.", examples=["advisor_1"])]
    simulate_request: Annotated[ProposalSimulateRequest, Meta(description="What it proposes.")]
    metadata: Annotated[ProposalMetadata, Meta(description="What is said about it.")] = NO_METADATA


# What the stores hold as the number of a version.
VERSION_NO_MAX = 2**31 - 1
_EXPECTED_REVISION = Meta(description="Refused when the proposal has another revision.", examples=[3])

ExpectedState = Annotated[
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
    | None,
    Meta(description="Refused when the proposal is in another state."),
]
RelatedVersion = Annotated[int | None, Meta(description="The version this is about.", examples=[1])]


class ProposalVersionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The next version of a proposal."""

    created_by: Annotated[str, ID, Meta(description="Who brings it.", examples=["advisor_1"])]
    simulate_request: Annotated[ProposalSimulateRequest, Meta(description="What it proposes.")]
    expected_revision: Annotated[int | None, _EXPECTED_REVISION] = None


class ProposalStateTransitionRequest(Checked, frozen=True, kw_only=True):
    """An event that is to happen to a proposal; the reason is free."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        Bound("related_version_no", ge=-VERSION_NO_MAX, le=VERSION_NO_MAX),
    )

    event_type: Annotated[
        Literal[
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
        ],
        Meta(description="What happens."),
    ]
    actor_id: Annotated[str, ID, Meta(description="Who says so.", examples=["advisor_1"])]
    related_version_no: RelatedVersion = None
    reason: Annotated[dict[str, Any], FREE, Meta(description="Kept with the event.")] = msgspec.field(
        default_factory=dict
    )
    expected_state: ExpectedState = None
    expected_revision: Annotated[int | None, _EXPECTED_REVISION] = None


class ProposalApprovalRequest(Checked, frozen=True, kw_only=True):
    """An approval that is given, or refused; the details are free."""

    CHECKS: ClassVar[tuple[Check, ...]] = (
        Bound("related_version_no", ge=-VERSION_NO_MAX, le=VERSION_NO_MAX),
    )

    approval_type: Annotated[
        Literal["RISK", "COMPLIANCE", "CLIENT_CONSENT"], Meta(description="Whose approval it is.")
    ]
    approved: Annotated[bool, Meta(description="False refuses the proposal.")]
    actor_id: Annotated[str, ID, Meta(description="Who says so.", examples=["risk_officer_1"])]
    related_version_no: RelatedVersion = None
    details: Annotated[dict[str, Any], FREE, Meta(description="Kept with the approval and its event.")] = (
        msgspec.field(default_factory=dict)
    )
    expected_state: ExpectedState = None
    expected_revision: Annotated[int | None, _EXPECTED_REVISION] = None
