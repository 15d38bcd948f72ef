"""Orders that a simulation proposes (engine specification, 3.5)."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from service.domains.rebalances.results.values import InstrumentId, Value
from service.domains.values.money import Money

INTENT_TYPE = "intent_type"
"""Kind of the intent; tells which other fields there are, and is always the first field.

- SECURITY_TRADE: Purchase or sale of an instrument.
- FX_SPOT: Exchange of one currency for another.
- CASH_FLOW: Deposit or withdrawal of cash.
"""

IntentId = str
"""Id of the intent within its run: `oi_<n>` for security trades, `oi_fx_<n>` for FX trades, `oi_cf_<n>` for
cash flows."""

Dependencies = tuple[str, ...]
"""Ids of the intents that have to be executed first; only purchases have any."""

TradeSide = Literal["BUY", "SELL"]
"""Side of the trade.

- BUY: Units are bought for cash.
- SELL: Units are sold for cash.
"""

TradeLimits = tuple[str, ...]
"""Limits that the size of the trade was held against.

- MIN_NOTIONAL: There is a minimum ticket for the trade, and the trade reaches it.
- TAX_BUDGET: The sale was cut to what the gains budget or the tax lots allow.
"""


class IntentRationale(Value, frozen=True, kw_only=True):
    """Why an intent is there."""

    code: str
    """Reason as a code.

    - DRIFT_REBALANCE: Brings the holding to its target weight.
    - MANUAL_PROPOSAL: The adviser entered the trade.
    - FUNDING: Buys the currency that purchases have to be paid in.
    - SWEEP: Exchanges what is left of a foreign currency into the base currency.
    """
    message: str
    """Reason in words; the wording may change, so programs must read the code."""


class SecurityTradeIntent(Value, frozen=True, kw_only=True, tag_field=INTENT_TYPE, tag="SECURITY_TRADE"):
    """Purchase or sale of an instrument."""

    intent_id: IntentId
    instrument_id: InstrumentId
    side: TradeSide
    quantity: Decimal
    """Units to trade, above 0: whole units, unless tax lots limit a sale."""
    notional: Money
    """Quantity times price, in the currency of the price; above 0 on either side."""
    notional_base: Money
    """The same in the base currency of the portfolio."""
    dependencies: Dependencies
    rationale: IntentRationale
    """Why the trade is proposed."""
    constraints_applied: TradeLimits


class FxSpotIntent(Value, frozen=True, kw_only=True, tag_field=INTENT_TYPE, tag="FX_SPOT"):
    """Exchange of one currency for another."""

    intent_id: IntentId
    pair: str
    """Currency pair `AAA/BBB`: of a rebalance the foreign and the base currency, of a proposal the bought and
    the sold one."""
    buy_currency: str
    """Currency that is bought."""
    buy_amount: Decimal
    """Amount bought, in `buy_currency`; above 0."""
    sell_currency: str
    """Currency that is sold."""
    sell_amount_estimated: Decimal
    """Amount sold, in `sell_currency`, at the rate of the market data; above 0."""
    dependencies: Dependencies = ()
    """Always empty."""
    rationale: IntentRationale
    """Why the exchange is proposed."""


Intent = SecurityTradeIntent | FxSpotIntent
