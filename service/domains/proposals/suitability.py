"""What the suitability scan of a proposal answers (advisory specification, 3.13)."""

from __future__ import annotations

from typing import Literal

from service.domains.rebalances.results.values import Severity, Value
from service.domains.values.published import published

IssueDimension = Literal["CONCENTRATION", "ISSUER", "LIQUIDITY", "GOVERNANCE", "CASH", "DATA_QUALITY"]
"""What the issue is about.

- CONCENTRATION: One instrument weighs too much.
- ISSUER: One issuer weighs too much.
- LIQUIDITY: A liquidity tier weighs too much.
- GOVERNANCE: A product is held or bought that the shelf does not allow.
- CASH: The weight of cash is outside its band.
- DATA_QUALITY: The shelf lacks data on an instrument.
"""
StatusChange = Literal["NEW", "PERSISTENT", "RESOLVED"]
"""Whether the proposal brings the issue.

- NEW: It is there after the proposal only.
- PERSISTENT: It is there before and after.
- RESOLVED: It is there before the proposal only.
"""
RecommendedGate = Literal["NONE", "RISK_REVIEW", "COMPLIANCE_REVIEW"]
"""Review that the new issues ask for.

- NONE: No review, going by suitability.
- RISK_REVIEW: A new issue has medium severity.
- COMPLIANCE_REVIEW: A new issue has high severity.
"""


@published("SuitabilityEvidenceSnapshotIds")
class SnapshotIds(Value, frozen=True, kw_only=True):
    """The snapshots that a finding rests on."""

    portfolio_snapshot_id: str
    """Id of the portfolio snapshot, or of the portfolio where the snapshot has none."""
    market_data_snapshot_id: str
    """Id of the market data snapshot; `md` where it has none."""


@published("SuitabilityEvidence")
class IssueEvidence(Value, frozen=True, kw_only=True):
    """What a finding rests on."""

    as_of: str
    """Id of the market data snapshot that the finding was made on; `md` where it has none."""
    snapshot_ids: SnapshotIds
    """Snapshots that the finding rests on."""


class SuitabilityIssue(Value, frozen=True, kw_only=True):
    """One breach of the suitability limits."""

    issue_id: str
    """Check that found it.

    - SUIT_SINGLE_POSITION_MAX: One instrument weighs more than its maximum.
    - SUIT_ISSUER_MAX: The instruments of one issuer weigh more than their maximum.
    - SUIT_LIQUIDITY_MAX: The instruments of a liquidity tier weigh more than their maximum.
    - SUIT_GOVERNANCE_BANNED: A banned instrument is held.
    - SUIT_GOVERNANCE_SUSPENDED: A suspended instrument is held.
    - SUIT_GOVERNANCE_SELL_ONLY_INCREASE: The weight of an instrument grows that may only be sold, or a
      purchase of it is proposed.
    - SUIT_GOVERNANCE_RESTRICTED_INCREASE: The weight of a restricted instrument grows, or a purchase of it is
      proposed.
    - SUIT_CASH_BAND: The weight of cash is outside its band.
    - SUIT_DATA_QUALITY: The shelf lacks the instrument, its issuer or its liquidity tier.
    """
    issue_key: str
    """Names the breach, the same before and after the proposal.

    - SINGLE_POSITION_MAX|<instrument>: The instrument weighs more than its maximum.
    - ISSUER_MAX|<issuer>: The instruments of the issuer weigh more than their maximum.
    - LIQUIDITY_MAX|<tier>: The instruments of the tier weigh more than their maximum.
    - GOVERNANCE|<instrument>|<status>: The instrument is held or bought against its status on the shelf.
    - DQ|MISSING_SHELF|<instrument>: The shelf does not list the instrument.
    - DQ|MISSING_ISSUER|<instrument>: The shelf names no issuer of the instrument.
    - DQ|MISSING_LIQUIDITY_TIER|<instrument>: The shelf names no liquidity tier of the instrument.
    - CASH_BAND: The weight of cash is outside its band.
    """
    dimension: IssueDimension
    severity: Severity
    status_change: StatusChange
    """Whether the proposal brings the issue."""
    summary: str
    """The breach in words; the wording may change, so programs must read the id."""
    details: dict[str, str]
    """Facts as text: what is at fault, what was measured and the limit, weights as fractions of one."""
    evidence: IssueEvidence
    """What the finding rests on."""


class SuitabilitySummary(Value, frozen=True, kw_only=True):
    """The issues counted."""

    new_count: int
    """Issues that are there after the proposal only."""
    resolved_count: int
    """Issues that are there before the proposal only."""
    persistent_count: int
    """Issues that are there before and after."""
    highest_severity_new: Severity | None
    """Highest severity among the new issues; null where there are none."""


class SuitabilityResult(Value, frozen=True, kw_only=True):
    """What the suitability scan of a proposal found."""

    summary: SuitabilitySummary
    """The issues counted."""
    issues: tuple[SuitabilityIssue, ...]
    """All issues: new, persistent, then resolved ones, the gravest first in each."""
    recommended_gate: RecommendedGate
