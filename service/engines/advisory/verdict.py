"""Adds what went wrong on the way to the rules, decides the status and reconciles (advisory spec, 3.11).

Problem: trades that were refused leave no trace in the state after, and no value may appear or vanish.
Example: 1,000 before, a deposit of 100, 1,100.20 after: the difference 0.20 is within 0.5 + 0.05 % of 1,100.
Rounding: none but the 28 digits of the context.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from service.domains.rebalances.results.rebalance import Reconciliation
from service.domains.rebalances.results.rules import RuleResult
from service.domains.rebalances.results.values import RunStatusText
from service.domains.values.money import ZERO, Money
from service.engines.advisory.request_index import RequestIndex
from service.engines.portfolio.missing_data import NO_GAPS, MissingData
from service.engines.review.rules import RECONCILIATION_SHARE, RECONCILIATION_UNITS, value_mismatch


class Reconciled(msgspec.Struct, frozen=True):
    reconciliation: Reconciliation
    # The row that a mismatch adds to the rule results; success adds none.
    failure: RuleResult | None
    gaps: MissingData


def guards(failures: Sequence[str], missing_pairs: Sequence[str], *, review_forced: bool) -> list[RuleResult]:
    """One row for all hard failures, named after the first; one for funding that lacks only rates."""
    rows: list[RuleResult] = []
    if failures:
        rows.append(
            RuleResult(
                rule_id="PROPOSAL_INPUT_GUARDS",
                severity="HARD",
                status="FAIL",
                measured=Decimal(len(failures)),
                threshold={"max": ZERO},
                reason_code=failures[0],
                remediation_hint="Change the cash flows, the trades or their funding.",
            )
        )
    if review_forced:
        rows.append(
            RuleResult(
                rule_id="PROPOSAL_FUNDING_DQ",
                severity="SOFT",
                status="FAIL",
                measured=Decimal(len(missing_pairs)),
                threshold={"max": ZERO},
                reason_code="MISSING_FX_FOR_FUNDING",
                remediation_hint="Supply the rates listed under missing FX pairs.",
            )
        )
    return rows


def status_of(rules: Sequence[RuleResult]) -> RunStatusText:
    failed = {rule.severity for rule in rules if rule.status == "FAIL"}
    if "HARD" in failed:
        return "BLOCKED"
    return "PENDING_REVIEW" if "SOFT" in failed else "READY"


def reconcile(index: RequestIndex, before: Decimal, after: Decimal) -> Reconciled:
    """The value after is the value before and the cash flows; a flow without a rate counts as nothing."""
    base = index.base_currency
    change = ZERO
    rates_missing: list[str] = []
    for flow in index.cash_flows:
        rate = index.rate(flow.currency, base)
        if rate is None:
            rates_missing.append(f"{flow.currency}/{base}")
        else:
            change += flow.amount * rate
    expected = before + change
    difference = abs(after - expected)
    tolerance = RECONCILIATION_UNITS + abs(expected) * RECONCILIATION_SHARE
    matches = difference <= tolerance
    reconciliation = Reconciliation(
        before_total_value=Money(before, base),
        after_total_value=Money(after, base),
        delta=Money(after - before, base),
        tolerance=Money(tolerance, base),
        status="OK" if matches else "MISMATCH",
    )
    gaps = MissingData(rates=tuple(rates_missing)) if rates_missing else NO_GAPS
    return Reconciled(reconciliation, None if matches else value_mismatch(difference, tolerance), gaps)
