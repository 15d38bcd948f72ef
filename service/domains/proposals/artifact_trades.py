"""What a proposal artifact says of trades and of what pays for them (advisory specification, 4.4)."""

from __future__ import annotations

from typing import Annotated, Literal

from service.domains.proposals.requests import Side
from service.domains.rebalances.results.intents import Dependencies, IntentId, IntentRationale
from service.domains.rebalances.results.values import Value
from service.domains.values.money import Money
from service.domains.values.published import document, published


class ProposalArtifactTradeRationale(IntentRationale, frozen=True, kw_only=True):
    """Why the trade is there."""


@published("ProposalArtifactTrade")
class ArtifactTrade(Value, frozen=True, kw_only=True):
    """A purchase or a sale of an instrument."""

    intent_id: IntentId
    type: Literal["SECURITY_TRADE"] = "SECURITY_TRADE"
    """Kind of the intent.

    - SECURITY_TRADE: A purchase or a sale of an instrument.
    """
    instrument_id: str
    """Instrument to trade."""
    side: Side
    """Side of the trade."""
    quantity: str
    """Units to trade, above 0, without an exponent."""
    estimated_notional: Money
    """Quantity times price, in the currency of the price."""
    estimated_notional_base: Money | None
    """The same in the base currency; null where there is no rate."""
    dependencies: Dependencies
    rationale: Annotated[IntentRationale, document(ProposalArtifactTradeRationale)]
    """Why the trade is proposed."""


@published("ProposalArtifactFx")
class ArtifactExchange(Value, frozen=True, kw_only=True):
    """An exchange that pays for purchases."""

    intent_id: IntentId
    pair: str
    """Pair `<bought>/<sold>`."""
    buy_amount: str
    """Amount bought, in the first currency of the pair."""
    sell_amount_estimated: str
    """Amount sold, in the second currency of the pair."""
    rate: str | None
    """Rate of the pair with four decimals, as the market data has it; null where it has only the inverse
    pair."""


@published("ProposalArtifactExecutionNote")
class ExecutionNote(Value, frozen=True, kw_only=True):
    """Something to heed when the orders are sent."""

    code: str
    """What the note is about.

    - DEPENDENCY: Some purchases wait for an FX trade or a sale.
    """
    text: str
    """The note; the wording may change."""


@published("ProposalArtifactTradesAndFunding")
class TradesAndFunding(Value, frozen=True, kw_only=True):
    """What is traded, and what pays for it."""

    trade_list: tuple[ArtifactTrade, ...]
    """Sales and purchases in the sequence of execution."""
    fx_list: tuple[ArtifactExchange, ...]
    """FX trades in ascending order of their pairs."""
    ordering_policy: str
    """Sequence of execution.

    - CASH_FLOW->SELL->FX->BUY: Cash flows, sales, FX trades, purchases.
    """
    execution_notes: tuple[ExecutionNote, ...]
    """What to heed when the orders are sent."""
