"""Decides what a reviewer does next, and why (engine specification, 7.4).

Problem: a finished run goes to execution, to the client, to risk review or back to whoever sent the data.
Example: a cash band failed softly and nothing else did: RISK_REVIEW_REQUIRED with one MEDIUM reason.
Rounding: none; nothing is computed here but counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from service.domains.options import EngineOptions
from service.domains.results import GateDecision, GateDecisionSummary, GateReason, RuleResult, RunStatusText
from service.engines.stage import Gaps

_SEVERITY_RANK = {"HIGH": 0, "MEDIUM": 1, "LOW": 2}


def decide_gate(
    status: RunStatusText, rules: Sequence[RuleResult], gaps: Gaps, options: EngineOptions
) -> GateDecision | None:
    """The first matching row of the table in 7.4; none when gates are switched off."""
    if not options.enable_workflow_gates:
        return None
    failed = [rule for rule in rules if rule.status == "FAIL"]
    hard = sum(rule.severity == "HARD" for rule in failed)
    soft = sum(rule.severity == "SOFT" for rule in failed)
    if status == "BLOCKED" or hard:
        gate, next_step = "BLOCKED", "FIX_INPUT"
    elif soft:
        gate, next_step = "RISK_REVIEW_REQUIRED", "RISK_REVIEW"
    elif options.workflow_requires_client_consent and not options.client_consent_already_obtained:
        gate, next_step = "CLIENT_CONSENT_REQUIRED", "REQUEST_CLIENT_CONSENT"
    else:
        gate, next_step = "EXECUTION_READY", "EXECUTE"
    return GateDecision(
        gate=gate,
        recommended_next_step=next_step,
        reasons=_reasons(failed, gaps),
        summary=GateDecisionSummary(hard_fail_count=hard, soft_fail_count=soft),
    )


def _reasons(failed: Sequence[RuleResult], gaps: Gaps) -> tuple[GateReason, ...]:
    reasons = [_rule_reason(rule) for rule in failed]
    for code, entries in (
        ("DATA_QUALITY_MISSING_PRICE", gaps.prices),
        ("DATA_QUALITY_MISSING_FX", gaps.rates),
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
    severity: Literal["HIGH", "MEDIUM"] = "HIGH" if hard else "MEDIUM"
    return GateReason(
        reason_code=f"{'HARD' if hard else 'SOFT'}_RULE_FAIL:{rule.rule_id}",
        severity=severity,
        source="RULE_ENGINE",
        details={"reason_code": rule.reason_code},
    )


def _rank(reason: GateReason) -> tuple[int, str, str, str]:
    return (
        _SEVERITY_RANK[reason.severity],
        reason.source,
        reason.reason_code,
        reason.details.get("reason_code", ""),
    )
