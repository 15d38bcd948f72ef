"""Compares the findings before and after a proposal and recommends a review (advisory specification, 3.13).

Problem: an adviser answers for what a proposal makes worse, not for what was there before.
Example: a cap breached before and after is PERSISTENT; one breached only after is NEW and asks for a review.
Rounding: none; the scanner never changes the status of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from service.domains.proposals.suitability import (
    IssueEvidence,
    RecommendedGate,
    SnapshotIds,
    StatusChange,
    SuitabilityIssue,
    SuitabilityResult,
    SuitabilitySummary,
)
from service.engines.advisory.request_index import RequestIndex
from service.engines.advisory.stages.findings import Finding, Scan, attempted_buys, find, positive
from service.engines.portfolio.valuation import Valuation
from service.engines.review.gate import SEVERITY_RANK, NewIssue

_CHANGE_RANK = {"NEW": 0, "PERSISTENT": 1, "RESOLVED": 2}


def scan_suitability(index: RequestIndex, before: Valuation, after: Valuation) -> SuitabilityResult:
    """Both states are held against the weights before, so increases show in the second only."""
    held = positive(before)
    then = Scan(held, held, before.cash_weight, index.last_shelf, index.options)
    now = Scan(positive(after), held, after.cash_weight, index.last_shelf, index.options)
    found_after = {**find(now), **attempted_buys(now, index.trades)}
    # What is found in both is told as it is after.
    found_before = find(then, told=found_after)
    issues = _classified(index, found_before, found_after)
    return SuitabilityResult(summary=_summary(issues), issues=issues, recommended_gate=_gate(issues))


def new_issues(suitability: SuitabilityResult | None) -> tuple[NewIssue, ...]:
    """What the gate is decided by."""
    if suitability is None:
        return ()
    return tuple(
        [
            NewIssue(issue.severity, issue.issue_id, issue.issue_key)
            for issue in suitability.issues
            if issue.status_change == "NEW"
        ]
    )


def _classified(
    index: RequestIndex, before: Mapping[str, Finding], after: Mapping[str, Finding]
) -> tuple[SuitabilityIssue, ...]:
    evidence = IssueEvidence(
        as_of=index.market_data_snapshot_id,
        snapshot_ids=SnapshotIds(
            portfolio_snapshot_id=index.portfolio_snapshot_id,
            market_data_snapshot_id=index.market_data_snapshot_id,
        ),
    )
    issues = [
        _issue(finding, "PERSISTENT" if key in before else "NEW", evidence) for key, finding in after.items()
    ]
    issues.extend(
        _issue(finding, "RESOLVED", evidence) for key, finding in before.items() if key not in after
    )
    return tuple(sorted(issues, key=_rank))


def _issue(finding: Finding, change: StatusChange, evidence: IssueEvidence) -> SuitabilityIssue:
    return SuitabilityIssue(
        issue_id=finding.issue_id,
        issue_key=finding.issue_key,
        dimension=finding.dimension,
        severity=finding.severity,
        status_change=change,
        summary=finding.summary,
        details=finding.details,
        evidence=evidence,
    )


def _rank(issue: SuitabilityIssue) -> tuple[int, int, str, str]:
    return (
        _CHANGE_RANK[issue.status_change],
        SEVERITY_RANK[issue.severity],
        issue.dimension,
        issue.issue_key,
    )


def _summary(issues: Sequence[SuitabilityIssue]) -> SuitabilitySummary:
    changes = [issue.status_change for issue in issues]
    # The issues are sorted, so the first one is the gravest of the new ones if there are any.
    gravest = issues[0].severity if issues and issues[0].status_change == "NEW" else None
    return SuitabilitySummary(
        new_count=changes.count("NEW"),
        resolved_count=changes.count("RESOLVED"),
        persistent_count=changes.count("PERSISTENT"),
        highest_severity_new=gravest,
    )


def _gate(issues: Sequence[SuitabilityIssue]) -> RecommendedGate:
    new = {issue.severity for issue in issues if issue.status_change == "NEW"}
    if "HIGH" in new:
        return "COMPLIANCE_REVIEW"
    return "RISK_REVIEW" if "MEDIUM" in new else "NONE"
