"""Measures how far the portfolio is from a reference model, before and after (advisory specification, 3.12).

Problem: a proposal should bring the portfolio nearer to its model, and say where it does not.
Example: EQUITY wanted 0.60, 0.70 before, 0.65 after: drift 0.10, then 0.05; improvement 0.05.
Rounding: none but the 28 digits of the context; weights are the unrounded ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from service.domains.proposals.requests import ReferenceModel
from service.domains.proposals.results import (
    DriftAnalysis,
    DriftBucket,
    DriftDimension,
    DriftHighlight,
    DriftHighlights,
    ReferenceModelSummary,
    UnmodeledExposure,
)
from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.results.states import SimulatedState
from service.domains.values.money import ZERO
from service.engines.portfolio.valuation import CASH_CLASS, Valuation, exact_weights, weights_by_key

BASE_CURRENCY_MISMATCH = "REFERENCE_MODEL_BASE_CURRENCY_MISMATCH"

_HALF = Decimal("0.5")


def analyse_drift(
    model: ReferenceModel,
    before: Valuation,
    after: Valuation,
    traded: Iterable[str],
    options: EngineOptions,
) -> DriftAnalysis:
    """Drift by asset class, and by instrument if the model names any; traded are instruments of intents."""
    limit = options.drift_top_contributors_limit
    by_class = _dimension(
        {target.asset_class: target.weight for target in model.asset_class_targets},
        _by_class(before.state),
        _by_class(after.state),
        {CASH_CLASS},
        limit,
    )
    by_instrument = None
    if options.enable_instrument_drift and model.instrument_targets:
        by_instrument = _dimension(
            {target.instrument_id: target.weight for target in model.instrument_targets},
            weights_by_key(before.state.allocation_by_instrument, before.weights),
            weights_by_key(after.state.allocation_by_instrument, after.weights),
            traded,
            limit,
        )
    return DriftAnalysis(
        reference_model=ReferenceModelSummary(
            model_id=model.model_id, as_of=model.as_of, base_currency=model.base_currency
        ),
        asset_class=by_class,
        instrument=by_instrument,
        highlights=_highlights((by_instrument or by_class).buckets, options),
    )


def _by_class(state: SimulatedState) -> dict[str, Decimal]:
    rows = state.allocation_by_asset_class
    return weights_by_key(rows, exact_weights(rows, state))


def _dimension(
    model: Mapping[str, Decimal],
    before: Mapping[str, Decimal],
    after: Mapping[str, Decimal],
    more: Iterable[str],
    limit: int,
) -> DriftDimension:
    names = sorted({*model, *before, *after, *more})
    buckets = [
        _bucket(name, model.get(name, ZERO), before.get(name, ZERO), after.get(name, ZERO)) for name in names
    ]
    total_before = _HALF * sum([bucket.abs_drift_before for bucket in buckets], ZERO)
    total_after = _HALF * sum([bucket.abs_drift_after for bucket in buckets], ZERO)
    # Buckets are in order of their names, and sorting keeps that order among equals.
    furthest = sorted(buckets, key=lambda bucket: bucket.abs_drift_before, reverse=True)
    return DriftDimension(
        drift_total_before=total_before,
        drift_total_after=total_after,
        drift_total_delta=total_after - total_before,
        top_contributors_before=tuple(furthest[:limit]),
        buckets=tuple(buckets),
    )


def _bucket(name: str, wanted: Decimal, before: Decimal, after: Decimal) -> DriftBucket:
    drift_before, drift_after = before - wanted, after - wanted
    distance_before, distance_after = abs(drift_before), abs(drift_after)
    return DriftBucket(
        bucket=name,
        model_weight=wanted,
        portfolio_weight_before=before,
        portfolio_weight_after=after,
        drift_before=drift_before,
        drift_after=drift_after,
        abs_drift_before=distance_before,
        abs_drift_after=distance_after,
        improvement=distance_before - distance_after,
    )


def _highlights(buckets: Sequence[DriftBucket], options: EngineOptions) -> DriftHighlights:
    limit = options.drift_top_contributors_limit
    better = sorted(
        [bucket for bucket in buckets if bucket.improvement > 0],
        key=lambda bucket: bucket.improvement,
        reverse=True,
    )
    worse = sorted(
        [bucket for bucket in buckets if bucket.improvement < 0], key=lambda bucket: bucket.improvement
    )
    exposures = [
        UnmodeledExposure(
            bucket=bucket.bucket,
            portfolio_weight_before=bucket.portfolio_weight_before,
            portfolio_weight_after=bucket.portfolio_weight_after,
            max_portfolio_weight=max(bucket.portfolio_weight_before, bucket.portfolio_weight_after),
        )
        for bucket in buckets
        if not bucket.model_weight
    ]
    unmodeled = sorted(
        [row for row in exposures if row.max_portfolio_weight >= options.drift_unmodeled_exposure_threshold],
        key=lambda row: row.max_portfolio_weight,
        reverse=True,
    )
    return DriftHighlights(
        largest_improvements=_cut(better, limit),
        largest_deteriorations=_cut(worse, limit),
        unmodeled_exposures=tuple(unmodeled[:limit]),
    )


def _cut(buckets: Sequence[DriftBucket], limit: int) -> tuple[DriftHighlight, ...]:
    return tuple(
        [DriftHighlight(bucket=bucket.bucket, improvement=bucket.improvement) for bucket in buckets[:limit]]
    )
