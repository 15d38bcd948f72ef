"""What the rules of a rebalance add to those every state is judged by (spec, 7.1, 7.2 and section 8, C).

Problem: a blocked run must say why, and trading must not have created or destroyed value.
Example: a total of 999.00 after and 1,000.00 before differ by 1.00, and 0.5 + 0.05 % of 1,000 allows that.
Rounding: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from service.domains.rebalances.results.diagnostics import CashLadderBreach
from service.domains.rebalances.results.rebalance import Reconciliation
from service.domains.rebalances.results.rules import RuleResult
from service.domains.values.money import Money
from service.engines.review.rules import (
    RECONCILIATION_SHARE,
    RECONCILIATION_UNITS,
    hard_failures,
    value_mismatch,
)

SAFETY_CHECK_FAILED = "SIMULATION_SAFETY_CHECK_FAILED"

_SAFETY_RULES = ("NO_SHORTING", "INSUFFICIENT_CASH")


class Reconciled(msgspec.Struct, frozen=True):
    reconciliation: Reconciliation
    # The row that a mismatch adds to the rule results; success adds none.
    failure: RuleResult | None


def safety_warnings(rules: Sequence[RuleResult]) -> tuple[str, ...]:
    """One warning for each failed safety rule, so two equal ones when both failed."""
    return tuple([SAFETY_CHECK_FAILED for rule in hard_failures(rules) if rule.rule_id in _SAFETY_RULES])


def reconcile(before: Decimal, after: Decimal, currency: str) -> Reconciled:
    """Trading moves value between rows but must not create or destroy any (7.2)."""
    difference = abs(after - before)
    tolerance = RECONCILIATION_UNITS + before * RECONCILIATION_SHARE
    matches = difference <= tolerance
    reconciliation = Reconciliation(
        before_total_value=Money(before, currency),
        after_total_value=Money(after, currency),
        delta=Money(after - before, currency),
        tolerance=Money(tolerance, currency),
        status="OK" if matches else "MISMATCH",
    )
    return Reconciled(reconciliation, None if matches else value_mismatch(difference, tolerance))


def ladder_failure(breach: CashLadderBreach) -> RuleResult:
    """The one row of a run stopped by its cash ladder (section 8, C)."""
    return RuleResult(
        rule_id="SETTLEMENT_CASH_LADDER",
        severity="HARD",
        status="FAIL",
        measured=breach.allowed_floor - breach.projected_balance,
        threshold={"min": breach.allowed_floor},
        reason_code=breach.reason_code,
        remediation_hint="Change the timing, fund the currency or allow an overdraft.",
    )
