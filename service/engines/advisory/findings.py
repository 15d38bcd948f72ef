"""What a state breaches of the suitability limits (advisory specification, 3.13).

Problem: concentration, illiquid products, missing data and governed products must be found by fixed limits.
Example: EQ_1 weighs 0.13 under a cap of 0.10: one finding, HIGH because 0.13 is more than 0.125.
Rounding: none but the 28 digits of the context; a limit is passed by less than 0.0000001.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from service.domains.money import ZERO
from service.domains.options import EngineOptions
from service.domains.proposal_requests import ProposedTrade
from service.domains.proposal_results import IssueDimension
from service.domains.results import Severity
from service.domains.snapshots import ShelfEntry

EPSILON = Decimal("0.0000001")
SEVERE = Decimal("1.25")

Shelf = Mapping[str, ShelfEntry]
Weights = Mapping[str, Decimal]


class Finding(NamedTuple):
    """One breach of one state; the key is the same in every state that has the breach."""

    issue_id: str
    issue_key: str
    dimension: IssueDimension
    severity: Severity
    summary: str
    details: dict[str, str]


class Scan(NamedTuple):
    """A state as the scanner sees it: its positive weights, its cash, and the weights before."""

    weights: Weights
    weights_before: Weights
    cash_weight: Decimal
    shelf: Shelf
    options: EngineOptions


def positive(weights: Sequence[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """By instrument; of repeated rows the last positive one counts."""
    return {key: weight for key, weight in weights if weight > 0}


def find(scan: Scan) -> dict[str, Finding]:
    """Everything that is wrong with the state, by key."""
    found = [
        *_positions(scan),
        *_issuers(scan),
        *_tiers(scan),
        *_missing_data(scan),
        *_governed(scan),
        *_cash(scan),
    ]
    return {finding.issue_key: finding for finding in found}


def attempted_buys(scan: Scan, trades: Sequence[ProposedTrade]) -> dict[str, Finding]:
    """Purchases of products that may not be increased, whether they were executed or not, by key."""
    found: dict[str, Finding] = {}
    for trade in trades:
        entry = scan.shelf.get(trade.instrument_id)
        if trade.side == "BUY" and entry is not None and entry.status in ("SELL_ONLY", "RESTRICTED"):
            finding = _increase(scan, entry, f"Proposal BUY attempts to increase {_named(entry)}.")
            found[finding.issue_key] = finding
    return found


def _positions(scan: Scan) -> Iterator[Finding]:
    cap = scan.options.suitability_thresholds.single_position_max_weight
    passed = cap + EPSILON
    for instrument_id, weight in scan.weights.items():
        if weight > passed:
            yield Finding(
                "SUIT_SINGLE_POSITION_MAX",
                f"SINGLE_POSITION_MAX|{instrument_id}",
                "CONCENTRATION",
                _severity(weight, cap),
                f"Single position {instrument_id} exceeds {cap:.2%} cap.",
                {"instrument_id": instrument_id, "threshold": str(cap), "measured": str(weight)},
            )


def _issuers(scan: Scan) -> Iterator[Finding]:
    cap = scan.options.suitability_thresholds.issuer_max_weight
    sums: dict[str, Decimal] = {}
    entry_of = scan.shelf.get
    for instrument_id, weight in scan.weights.items():
        entry = entry_of(instrument_id)
        if entry is not None and entry.issuer_id:
            sums[entry.issuer_id] = sums.get(entry.issuer_id, ZERO) + weight
    passed = cap + EPSILON
    for issuer_id, weight in sums.items():
        if weight > passed:
            yield Finding(
                "SUIT_ISSUER_MAX",
                f"ISSUER_MAX|{issuer_id}",
                "ISSUER",
                _severity(weight, cap),
                f"Issuer {issuer_id} exceeds {cap:.2%} exposure cap.",
                {"issuer_id": issuer_id, "threshold": str(cap), "measured": str(weight)},
            )


def _tiers(scan: Scan) -> Iterator[Finding]:
    caps = scan.options.suitability_thresholds.max_weight_by_liquidity_tier
    sums: dict[str, Decimal] = {}
    entry_of = scan.shelf.get
    for instrument_id, weight in scan.weights.items():
        entry = entry_of(instrument_id)
        if entry is not None and entry.liquidity_tier in caps:
            sums[entry.liquidity_tier] = sums.get(entry.liquidity_tier, ZERO) + weight
    for tier, weight in sums.items():
        cap = caps[tier]
        if weight > cap + EPSILON:
            yield Finding(
                "SUIT_LIQUIDITY_MAX",
                f"LIQUIDITY_MAX|{tier}",
                "LIQUIDITY",
                _severity(weight, cap),
                f"Liquidity tier {tier} exceeds {cap:.2%} exposure cap.",
                {"liquidity_tier": tier, "threshold": str(cap), "measured": str(weight)},
            )


def _missing_data(scan: Scan) -> Iterator[Finding]:
    entry_of = scan.shelf.get
    for instrument_id in scan.weights:
        entry = entry_of(instrument_id)
        if entry is None:
            yield _missing(scan, instrument_id, "Shelf", "shelf_entry")
            continue
        if not entry.issuer_id:
            yield _missing(scan, instrument_id, "Issuer", "issuer_id")
        if entry.liquidity_tier is None:
            yield _missing(scan, instrument_id, "Liquidity tier", "liquidity_tier")


def _missing(scan: Scan, instrument_id: str, what: str, fields: str) -> Finding:
    return Finding(
        "SUIT_DATA_QUALITY",
        f"DQ|MISSING_{what.upper().replace(' ', '_')}|{instrument_id}",
        "DATA_QUALITY",
        scan.options.suitability_thresholds.data_quality_issue_severity,
        f"{what} enrichment missing for {instrument_id}.",
        {"instrument_id": instrument_id, "missing_fields": fields},
    )


def _governed(scan: Scan) -> Iterator[Finding]:
    entry_of = scan.shelf.get
    for instrument_id, weight in scan.weights.items():
        entry = entry_of(instrument_id)
        if entry is None or entry.status == "APPROVED":
            continue
        if entry.status in ("BANNED", "SUSPENDED"):
            if weight > EPSILON:
                yield Finding(
                    f"SUIT_GOVERNANCE_{entry.status}",
                    f"GOVERNANCE|{instrument_id}|{entry.status}",
                    "GOVERNANCE",
                    "HIGH",
                    f"{_named(entry)} is present in the portfolio.",
                    {"instrument_id": instrument_id, "shelf_status": entry.status, "measured": str(weight)},
                )
        elif weight > scan.weights_before.get(instrument_id, ZERO) + EPSILON:
            yield _increase(scan, entry, _increase_text(scan, entry))


def _increase_text(scan: Scan, entry: ShelfEntry) -> str:
    """The reference ends this text with a full stop for SELL_ONLY only."""
    if entry.status != "RESTRICTED":
        return f"{_named(entry)} increased in proposed state."
    circumstance = "under allow_restricted" if scan.options.allow_restricted else "in proposed state"
    return f"{_named(entry)} increased {circumstance}"


def _named(entry: ShelfEntry) -> str:
    return f"{entry.status} instrument {entry.instrument_id}"


def _increase(scan: Scan, entry: ShelfEntry, summary: str) -> Finding:
    instrument_id, status = entry.instrument_id, entry.status
    details = {"instrument_id": instrument_id, "shelf_status": status}
    severity: Severity = "HIGH"
    if status == "RESTRICTED":
        allowed = scan.options.allow_restricted
        details["allow_restricted"] = "true" if allowed else "false"
        severity = "MEDIUM" if allowed else "HIGH"
    details["measured_before"] = str(scan.weights_before.get(instrument_id, ZERO))
    details["measured_after"] = str(scan.weights.get(instrument_id, ZERO))
    return Finding(
        f"SUIT_GOVERNANCE_{status}_INCREASE",
        f"GOVERNANCE|{instrument_id}|{status}",
        "GOVERNANCE",
        severity,
        summary,
        details,
    )


def _cash(scan: Scan) -> Iterator[Finding]:
    limits = scan.options.suitability_thresholds
    low, high = limits.cash_band_min_weight, limits.cash_band_max_weight
    if scan.cash_weight < low - EPSILON or scan.cash_weight > high + EPSILON:
        yield Finding(
            "SUIT_CASH_BAND",
            "CASH_BAND",
            "CASH",
            "MEDIUM",
            "Cash weight is outside advisory suitability band.",
            {"threshold_min": str(low), "threshold_max": str(high), "measured": str(scan.cash_weight)},
        )


def _severity(measured: Decimal, cap: Decimal) -> Severity:
    return "HIGH" if measured > cap * SEVERE else "MEDIUM"
