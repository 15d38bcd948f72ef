"""Decides what a reviewer does next, and why (engine specification, 7.4; advisory specification, 3.14).

Problem: a finished run goes to execution, to the client, to a review or back to the sender of the data.
Example: a cash band failed softly and nothing else did: RISK_REVIEW_REQUIRED with one MEDIUM reason.
Rounding: none; nothing is computed here but counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from service.domains.rebalances.results.diagnostics import DataQuality
from service.domains.rebalances.results.gates import (
    Gate,
    GateDecision,
    GateDecisionSummary,
    GateReason,
    GateStep,
)
from service.domains.rebalances.results.rules import RuleResult
from service.domains.rebalances.results.values import RunStatusText, Severity

SEVERITY_RANK = {"HIGH": 0, "MEDIUM": 1, "LOW": 2}


class NewIssue(NamedTuple):
    """A finding that the state before did not have; only HIGH and MEDIUM ones matter to a gate."""

    severity: Severity
    issue_id: str
    issue_key: str


def decide_gate(
    status: RunStatusText,
    rules: Sequence[RuleResult],
    missing: DataQuality,
    *,
    consent_missing: bool,
    issues: Sequence[NewIssue] = (),
) -> GateDecision:
    """The first matching row of the table of gates."""
    failed = [rule for rule in rules if rule.status == "FAIL"]
    of_rules, of_issues = [rule.severity for rule in failed], [issue.severity for issue in issues]
    hard, soft = of_rules.count("HARD"), of_rules.count("SOFT")
    high, medium = of_issues.count("HIGH"), of_issues.count("MEDIUM")
    gate: Gate
    next_step: GateStep
    if status == "BLOCKED" or hard:
        gate, next_step = "BLOCKED", "FIX_INPUT"
    elif high:
        gate, next_step = "COMPLIANCE_REVIEW_REQUIRED", "COMPLIANCE_REVIEW"
    elif soft or medium:
        gate, next_step = "RISK_REVIEW_REQUIRED", "RISK_REVIEW"
    elif consent_missing:
        gate, next_step = "CLIENT_CONSENT_REQUIRED", "REQUEST_CLIENT_CONSENT"
    else:
        gate, next_step = "EXECUTION_READY", "EXECUTE"
    return GateDecision(
        gate=gate,
        recommended_next_step=next_step,
        reasons=_reasons(failed, issues, missing),
        summary=GateDecisionSummary(
            hard_fail_count=hard,
            soft_fail_count=soft,
            new_high_suitability_count=high,
            new_medium_suitability_count=medium,
        ),
    )


def _reasons(
    failed: Sequence[RuleResult], issues: Sequence[NewIssue], missing: DataQuality
) -> tuple[GateReason, ...]:
    reasons = [_rule_reason(rule) for rule in failed]
    reasons.extend(_issue_reason(issue) for issue in issues if issue.severity != "LOW")
    for code, entries in (
        ("DATA_QUALITY_MISSING_PRICE", missing.price_missing),
        ("DATA_QUALITY_MISSING_FX", missing.fx_missing),
    ):
        if entries:
            reasons.append(
                GateReason(
                    reason_code=code,
                    severity="HIGH",
                    source="DATA_QUALITY",
                    details={"count": str(len(entries))},
                )
            )
    return tuple(sorted(reasons, key=_rank))


def _rule_reason(rule: RuleResult) -> GateReason:
    hard = rule.severity == "HARD"
    return GateReason(
        reason_code=f"{'HARD' if hard else 'SOFT'}_RULE_FAIL:{rule.rule_id}",
        severity="HIGH" if hard else "MEDIUM",
        source="RULE_ENGINE",
        details={"reason_code": rule.reason_code},
    )


def _issue_reason(issue: NewIssue) -> GateReason:
    return GateReason(
        reason_code=f"NEW_{issue.severity}_SUITABILITY_ISSUE",
        severity=issue.severity,
        source="SUITABILITY",
        details={"issue_id": issue.issue_id, "issue_key": issue.issue_key},
    )


def _rank(reason: GateReason) -> tuple[int, str, str, str]:
    return (
        SEVERITY_RANK[reason.severity],
        reason.source,
        reason.reason_code,
        reason.details.get("issue_key", reason.details.get("reason_code", "")),
    )
