"""What a state breaches of the suitability limits (advisory specification, 3.13).

Problem: concentration, illiquid products, missing data and governed products must be found by fixed limits.
Example: EQ_1 weighs 0.13 under a cap of 0.10: one finding, HIGH because 0.13 is more than 0.125.
Rounding: none but the 28 digits of the context; a limit is passed by less than 0.0000001.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from service.domains.proposals.requests import ProposedTrade
from service.domains.proposals.suitability import IssueDimension
from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.results.values import Severity
from service.domains.rebalances.snapshots import LiquidityTier, ShelfEntry
from service.domains.values.money import ZERO
from service.engines.portfolio.valuation import Valuation

EPSILON = Decimal("0.0000001")
SEVERE = Decimal("1.25")

Shelf = Mapping[str, ShelfEntry]
Weights = Mapping[str, Decimal]


class Finding(msgspec.Struct, frozen=True):
    """One breach of one state; the key is the same in every state that has the breach."""

    issue_id: str
    issue_key: str
    dimension: IssueDimension
    severity: Severity
    summary: str
    details: dict[str, str]


NO_FINDINGS: Mapping[str, Finding] = {}


class Capped(NamedTuple):
    """A kind of weight that has a cap, and the words it is told with."""

    issue_id: str
    key: str
    dimension: IssueDimension
    noun: str
    limit: str
    member: str


POSITION = Capped(
    "SUIT_SINGLE_POSITION_MAX",
    "SINGLE_POSITION_MAX",
    "CONCENTRATION",
    "Single position",
    "cap",
    "instrument_id",
)
ISSUER = Capped("SUIT_ISSUER_MAX", "ISSUER_MAX", "ISSUER", "Issuer", "exposure cap", "issuer_id")
TIER = Capped(
    "SUIT_LIQUIDITY_MAX", "LIQUIDITY_MAX", "LIQUIDITY", "Liquidity tier", "exposure cap", "liquidity_tier"
)


class Scan(msgspec.Struct, frozen=True):
    """A state as the scanner sees it: its positive weights, its cash, and the weights before."""

    weights: Weights
    weights_before: Weights
    cash_weight: Decimal
    shelf: Shelf
    options: EngineOptions


def positive(state: Valuation) -> dict[str, Decimal]:
    """The positive weights of a state by instrument; of repeated rows the last positive one counts."""
    rows = zip(state.state.positions, state.weights, strict=True)
    return {row.instrument_id: weight for row, weight in rows if weight > 0}


def find(scan: Scan, told: Mapping[str, Finding] = NO_FINDINGS) -> dict[str, Finding]:
    """Everything that is wrong with the state, by key; what passes a cap is taken from `told` if there."""
    limits = scan.options.suitability_thresholds
    caps = limits.max_weight_by_liquidity_tier
    found: dict[str, Finding] = {}
    issuers: dict[str, Decimal] = {}
    tiers: dict[LiquidityTier, Decimal] = {}
    entry_of = scan.shelf.get
    for instrument_id, weight in scan.weights.items():
        entry = entry_of(instrument_id)
        if entry is None:
            _add(found, _missing(scan, instrument_id, "Shelf", "shelf_entry"))
            continue
        issuer_id, tier = entry.issuer_id, entry.liquidity_tier
        if issuer_id:
            issuers[issuer_id] = issuers.get(issuer_id, ZERO) + weight
        else:
            _add(found, _missing(scan, instrument_id, "Issuer", "issuer_id"))
        if tier is None:
            _add(found, _missing(scan, instrument_id, "Liquidity tier", "liquidity_tier"))
        elif tier in caps:
            tiers[tier] = tiers.get(tier, ZERO) + weight
        if entry.status != "APPROVED":
            _add_governed(found, scan, entry, weight)
    _add_over_cap(found, told, POSITION, limits.single_position_max_weight, scan.weights)
    _add_over_cap(found, told, ISSUER, limits.issuer_max_weight, issuers)
    for tier, weight in tiers.items():
        _add_over_cap(found, told, TIER, caps[tier], {tier: weight})
    if not limits.cash_band_min_weight - EPSILON <= scan.cash_weight <= limits.cash_band_max_weight + EPSILON:
        _add(found, _cash(scan))
    return found


def attempted_buys(scan: Scan, trades: Sequence[ProposedTrade]) -> dict[str, Finding]:
    """Purchases of products that may not be increased, whether they were executed or not, by key."""
    found: dict[str, Finding] = {}
    for trade in trades:
        entry = scan.shelf.get(trade.instrument_id)
        if trade.side == "BUY" and entry is not None and entry.status in ("SELL_ONLY", "RESTRICTED"):
            finding = _increase(scan, entry, f"Proposal BUY attempts to increase {_named(entry)}.")
            found[finding.issue_key] = finding
    return found


def _add(found: dict[str, Finding], finding: Finding) -> None:
    found[finding.issue_key] = finding


def _add_over_cap(
    found: dict[str, Finding],
    told: Mapping[str, Finding],
    kind: Capped,
    cap: Decimal,
    weights: Mapping[str, Decimal],
) -> None:
    passed = cap + EPSILON
    over = [(name, weight) for name, weight in weights.items() if weight > passed]
    if not over:
        return
    # The same in every text, and to write a share takes longer than all the rest of a finding.
    share, threshold, severe = f"{cap:.2%}", str(cap), cap * SEVERE
    for name, weight in over:
        key = f"{kind.key}|{name}"
        found[key] = told.get(key) or Finding(
            kind.issue_id,
            key,
            kind.dimension,
            "HIGH" if weight > severe else "MEDIUM",
            f"{kind.noun} {name} exceeds {share} {kind.limit}.",
            {kind.member: name, "threshold": threshold, "measured": str(weight)},
        )


def _missing(scan: Scan, instrument_id: str, what: str, fields: str) -> Finding:
    return Finding(
        "SUIT_DATA_QUALITY",
        f"DQ|MISSING_{what.upper().replace(' ', '_')}|{instrument_id}",
        "DATA_QUALITY",
        scan.options.suitability_thresholds.data_quality_issue_severity,
        f"{what} enrichment missing for {instrument_id}.",
        {"instrument_id": instrument_id, "missing_fields": fields},
    )


def _add_governed(found: dict[str, Finding], scan: Scan, entry: ShelfEntry, weight: Decimal) -> None:
    instrument_id, status = entry.instrument_id, entry.status
    if status not in ("BANNED", "SUSPENDED"):
        if weight > scan.weights_before.get(instrument_id, ZERO) + EPSILON:
            _add(found, _increase(scan, entry, _increase_text(scan, entry)))
    elif weight > EPSILON:
        key = f"GOVERNANCE|{instrument_id}|{status}"
        found[key] = Finding(
            f"SUIT_GOVERNANCE_{status}",
            key,
            "GOVERNANCE",
            "HIGH",
            f"{_named(entry)} is present in the portfolio.",
            {"instrument_id": instrument_id, "shelf_status": status, "measured": str(weight)},
        )


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


def _cash(scan: Scan) -> Finding:
    limits = scan.options.suitability_thresholds
    low, high = limits.cash_band_min_weight, limits.cash_band_max_weight
    return Finding(
        "SUIT_CASH_BAND",
        "CASH_BAND",
        "CASH",
        "MEDIUM",
        "Cash weight is outside advisory suitability band.",
        {"threshold_min": str(low), "threshold_max": str(high), "measured": str(scan.cash_weight)},
    )
