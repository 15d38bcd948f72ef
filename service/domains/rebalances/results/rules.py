"""What the rules found on a state (engine specification, 3.6 and 7.1; advisory specification, 3.10)."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from service.domains.rebalances.results.values import Value

RuleId = str
"""Rule that was evaluated.

- CASH_BAND: The weight of cash lies within the band of the options.
- SINGLE_POSITION_MAX: No position weighs more than its maximum plus ten basis points; one row for each that
  does.
- DATA_QUALITY: No price, rate or shelf entry is missing that the options do not let pass.
- MIN_TRADE_SIZE: Tells how many trades were left out for being below the minimum ticket; never fails.
- NO_SHORTING: No position is negative.
- INSUFFICIENT_CASH: No cash balance is negative.
- RECONCILIATION: The total value after trades matches the one before; there is a row only where it does not.
- SETTLEMENT_CASH_LADDER: No projected balance falls below the overdraft allowed; there is a row only where
  one does, and then it is the only row.
- PROPOSAL_INPUT_GUARDS: The cash flows, trades and funding of a proposal can be carried out; there is a row
  only where they cannot.
- PROPOSAL_FUNDING_DQ: The rates to fund all purchases of a proposal are there; there is a row only where they
  are not and the options let that pass.
"""

RuleReasonCode = str
"""Why the rule passed or failed.

- OK: The rule passed.
- NO_LIMIT_SET: The rule passed because the options set no limit.
- INTENTS_SUPPRESSED: The rule passed, but trades below the minimum ticket were left out.
- THRESHOLD_BREACH: The weight of cash is outside its band.
- LIMIT_BREACH: The position weighs more than its maximum.
- MISSING_DATA: Prices, rates or shelf entries are missing; the diagnostics list them.
- SELL_EXCEEDS_HOLDINGS: More units would be sold than are held.
- CASH_BALANCE_NEGATIVE: A cash balance would be overdrawn.
- VALUE_MISMATCH: The total value after trades differs from what was expected by more than the tolerance.
- OVERDRAFT_ON_T_PLUS_<day>: The balance of a currency falls below its floor on this day after the trade.
- PROPOSAL_WITHDRAWAL_NEGATIVE_CASH: The balance of a currency is negative after a cash flow.
- PROPOSAL_TRADE_NOT_SUPPORTED_BY_SHELF: The shelf does not allow to buy the instrument of a trade.
- PROPOSAL_INVALID_TRADE_INPUT: The amount of a trade is in another currency than the price.
- PROPOSAL_MISSING_FX_FOR_FUNDING: A purchase cannot be funded because a rate is missing.
- PROPOSAL_INSUFFICIENT_FUNDING_CASH: A purchase cannot be funded because no currency has enough cash.
- MISSING_FX_FOR_FUNDING: A purchase was left out because a rate is missing, which the options let pass.
"""


class RuleResult(Value, frozen=True, kw_only=True):
    """What one rule found."""

    rule_id: RuleId
    severity: Literal["HARD", "SOFT", "INFO"]
    """What a failure means.

    - HARD: A failure blocks the run.
    - SOFT: A failure asks for a review.
    - INFO: A failure has no consequence; no rule is of this kind.
    """
    status: Literal["PASS", "FAIL"]
    """Outcome of the rule.

    - PASS: The rule is kept.
    - FAIL: The rule is broken.
    """
    measured: Decimal
    """What was compared, not rounded: a weight as a fraction of one, a count, units, or an amount (of
    `RECONCILIATION` in the base currency, of cash rules in the currency at fault)."""
    threshold: dict[str, Decimal]
    """What it was compared with, in the same unit: `min`, `max` or both; a `max` of -1 means that none is
    set."""
    reason_code: RuleReasonCode
    remediation_hint: str | None = None
    """What can be done about a failure, in words; null where the rule passed."""
