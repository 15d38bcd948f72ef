"""Who has to act next on a result (engine specification, 7.4; advisory specification, 3.14)."""

from __future__ import annotations

from typing import Literal

from service.domains.rebalances.results.values import Severity, Value

Gate = Literal[
    "BLOCKED",
    "RISK_REVIEW_REQUIRED",
    "COMPLIANCE_REVIEW_REQUIRED",
    "CLIENT_CONSENT_REQUIRED",
    "EXECUTION_READY",
    "NONE",
]
"""What stands between the result and its execution.

- BLOCKED: The run is blocked or a hard rule failed; the input has to be mended.
- RISK_REVIEW_REQUIRED: A soft rule failed, or the proposal brings a new suitability issue of medium severity.
- COMPLIANCE_REVIEW_REQUIRED: The proposal brings a new suitability issue of high severity.
- CLIENT_CONSENT_REQUIRED: Nothing is wrong, but the client has not agreed yet.
- EXECUTION_READY: Nothing stands in the way.
- NONE: Reserved; never answered.
"""

GateStep = Literal[
    "FIX_INPUT", "RISK_REVIEW", "COMPLIANCE_REVIEW", "REQUEST_CLIENT_CONSENT", "EXECUTE", "NONE"
]
"""What to do next; follows from the gate.

- FIX_INPUT: Mend the data, the limits or the trades and simulate again.
- RISK_REVIEW: Have the risk function look at it.
- COMPLIANCE_REVIEW: Have the compliance function look at it.
- REQUEST_CLIENT_CONSENT: Ask the client.
- EXECUTE: Send the orders.
- NONE: Reserved; never answered.
"""


class GateReason(Value, frozen=True, kw_only=True):
    """One finding behind a gate."""

    reason_code: str
    """What was found.

    - HARD_RULE_FAIL:<rule>: This hard rule failed.
    - SOFT_RULE_FAIL:<rule>: This soft rule failed.
    - NEW_HIGH_SUITABILITY_ISSUE: The proposal brings a suitability issue of high severity.
    - NEW_MEDIUM_SUITABILITY_ISSUE: The proposal brings a suitability issue of medium severity.
    - DATA_QUALITY_MISSING_PRICE: Prices are missing; does not change the gate by itself.
    - DATA_QUALITY_MISSING_FX: Rates are missing; does not change the gate by itself.
    """
    severity: Severity
    """How grave the finding is: a hard failure and missing data are HIGH, a soft failure is MEDIUM.

    - LOW: Never answered here.
    - MEDIUM: Asks for a risk review.
    - HIGH: Blocks, asks for a compliance review, or tells of missing data.
    """
    source: Literal["RULE_ENGINE", "SUITABILITY", "DATA_QUALITY"]
    """What found it.

    - RULE_ENGINE: A rule on the state after trades.
    - SUITABILITY: The suitability scanner of proposals.
    - DATA_QUALITY: The check of prices and rates.
    """
    details: dict[str, str]
    """Facts as text: `reason_code` of a rule, `issue_id` and `issue_key` of a suitability issue, or the
    `count` of missing entries."""


class GateDecisionSummary(Value, frozen=True, kw_only=True):
    """How many findings there are of each kind."""

    hard_fail_count: int
    """Failed hard rules; `SINGLE_POSITION_MAX` counts once for each position over its maximum."""
    soft_fail_count: int
    """Failed soft rules."""
    new_high_suitability_count: int = 0
    """Suitability issues of high severity that the proposal brings; 0 for a rebalance."""
    new_medium_suitability_count: int = 0
    """Suitability issues of medium severity that the proposal brings; 0 for a rebalance."""


class GateDecision(Value, frozen=True, kw_only=True):
    """What has to happen before a result may be executed."""

    gate: Gate
    recommended_next_step: GateStep
    reasons: tuple[GateReason, ...]
    """Findings behind the gate, the gravest first."""
    summary: GateDecisionSummary
    """The findings counted."""
