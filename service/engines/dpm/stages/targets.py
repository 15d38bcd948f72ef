"""Finds target weights by rules of thumb, and writes down what became of each (engine specification, 6.3).

Problem: the model must respect forfeited lines, group caps, full investment, a single cap and a cash buffer.
Example: targets 0.60 and 0.40 under a single cap of 0.50 become 0.50 and 0.50; the second is a recipient.
Rounding: none but the 28 digits of the context. The steps run once, in this order, on unrounded weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from service.domains.rebalances.results.diagnostics import GroupConstraintEvent
from service.domains.rebalances.results.targets import TargetInstrument
from service.domains.rebalances.results.values import RunStatusText
from service.domains.values.money import ONE, ZERO, Money
from service.engines.dpm.request_index import RequestIndex
from service.engines.dpm.stages.groups import CapsRead, cap_groups, read_groups
from service.engines.dpm.stages.universe import NO_WEIGHT, Universe
from service.engines.limits.result_size import ResultSize

FULLY_INVESTED = Decimal("1.0001")
EXCESS_TOLERANCE = Decimal("0.001")

Weights = dict[str, Decimal]


class Targets(msgspec.Struct, frozen=True):
    """The published trace and how target generation went."""

    trace: tuple[TargetInstrument, ...] = ()
    status: RunStatusText = "READY"
    warnings: tuple[str, ...] = ()
    group_events: tuple[GroupConstraintEvent, ...] = ()
    # The caps as they were read, where they were; a comparison of methods needs them again.
    caps_read: CapsRead | None = None


class Step(msgspec.Struct, frozen=True):
    """Weights after a step, and whether someone should look at them."""

    weights: Weights
    review: bool = False


class Split(msgspec.Struct, frozen=True):
    """Keys of the eligible map in its order: those that may be bought, and all the others."""

    buyable: tuple[str, ...]
    others: tuple[str, ...]


def split_keys(universe: Universe) -> Split:
    wanted = set(universe.buyable)
    return Split(
        tuple([key for key in universe.eligible if key in wanted]),
        tuple([key for key in universe.eligible if key not in wanted]),
    )


def heuristic_targets(
    index: RequestIndex, universe: Universe, total: Decimal, size: ResultSize | None = None
) -> Targets:
    """Run the five steps; a group cap whose weight no instrument can take blocks with an empty trace.

    Raises ResultTooLarge where `size` has no room for what the caps released.
    """
    options = index.options
    split = split_keys(universe)
    given = redistribute_forfeited(universe, split)
    read = read_groups(index, universe.eligible)
    capped = cap_groups(read, given.weights, split.buyable, size)
    if capped.blocked:
        return Targets((), "BLOCKED", capped.warnings, capped.events)

    normal = normalise(capped.weights, split)
    single = cap_positions(normal.weights, split, options.single_position_max_weight)
    buffered = keep_buffer(single.weights, split, options.min_cash_buffer_pct)
    review = given.review or normal.review or single.review or buffered.review
    return Targets(
        trace_of(index, buffered.weights, total),
        "PENDING_REVIEW" if review else "READY",
        capped.warnings,
        capped.events,
    )


def redistribute_forfeited(universe: Universe, split: Split) -> Step:
    """H1: the weight of lines that may only be sold goes to the buyable ones, in proportion."""
    weights = dict(universe.eligible)
    forfeited = universe.forfeited
    if forfeited <= 0:
        return Step(weights)
    room = weight_sum(weights, split.buyable)
    if room <= 0:
        return Step(weights, review=True)
    for key in split.buyable:
        weight = weights[key]
        weights[key] = weight + (forfeited * (weight / room))
    return Step(weights)


def normalise(weights: Weights, split: Split) -> Step:
    """H3: shrink the buyable lines when everything together exceeds the portfolio."""
    if sum(weights.values(), ZERO) <= FULLY_INVESTED:
        return Step(weights)
    locked = weight_sum(weights, split.others)
    shrunk = _shrink(weights, split, max(ZERO, ONE - locked))
    return Step(shrunk.weights, shrunk.review or locked > 1)


def cap_positions(weights: Weights, split: Split, cap: Decimal | None) -> Step:
    """H4: cut every line at the cap and hand the excess to lines below it.

    The remainder shrinks while the divisor does not, so several recipients leave part of the excess in cash.
    """
    if cap is None:
        return Step(weights)
    excess = sum([max(ZERO, weight - cap) for weight in weights.values()], ZERO)
    cut = {key: min(weight, cap) for key, weight in weights.items()}
    if excess <= 0:
        return Step(cut)
    candidates = [key for key in split.buyable if cut[key] < cap]
    room = weight_sum(cut, candidates)
    if room <= 0:
        return Step(cut, review=True)
    rest = excess
    for key in candidates:
        weight = cut[key]
        share = min(rest * (weight / room), cap - weight)
        cut[key] = weight + share
        rest -= share
    return Step(cut, rest > EXCESS_TOLERANCE)


def keep_buffer(weights: Weights, split: Split, buffer: Decimal) -> Step:
    """H5: shrink the buyable lines until the wanted cash is left over."""
    if buffer <= 0:
        return Step(weights)
    locked = weight_sum(weights, split.others)
    return _shrink(weights, split, max(ZERO, (ONE - buffer) - locked))


def _shrink(weights: Weights, split: Split, allowed: Decimal) -> Step:
    wanted = weight_sum(weights, split.buyable)
    if wanted <= allowed:
        return Step(weights)
    ratio = allowed / wanted
    return Step(weights | {key: weights[key] * ratio for key in split.buyable}, review=True)


def weight_sum(weights: Mapping[str, Decimal], keys: Sequence[str]) -> Decimal:
    return sum([weights[key] for key in keys], ZERO)


def trace_of(
    index: RequestIndex, weights: Mapping[str, Decimal], total: Decimal
) -> tuple[TargetInstrument, ...]:
    """H6: one row per model target, then one per other eligible instrument."""
    currency = index.portfolio.base_currency
    trace: list[TargetInstrument] = []
    modelled: set[str] = set()
    for target in index.targets:
        instrument_id, wanted = target.instrument_id, target.weight
        modelled.add(instrument_id)
        final = weights.get(instrument_id, NO_WEIGHT)
        tags: tuple[str, ...] = ()
        if wanted > final:
            tags = ("CAPPED_BY_MAX_WEIGHT",)
        elif final > wanted:
            tags = ("REDISTRIBUTED_RECIPIENT",)
        trace.append(
            TargetInstrument(
                instrument_id=instrument_id,
                model_weight=wanted,
                final_weight=final,
                final_value=Money(total * final, currency),
                tags=tags,
            )
        )
    for instrument_id, final in weights.items():
        if instrument_id not in modelled:
            trace.append(
                TargetInstrument(
                    instrument_id=instrument_id,
                    model_weight=NO_WEIGHT,
                    final_weight=final,
                    final_value=Money(total * final, currency),
                    tags=("LOCKED_POSITION" if final else "IMPLICIT_SELL_TO_ZERO",),
                )
            )
    return tuple(trace)
