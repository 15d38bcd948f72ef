"""Finds the target weights nearest to the model under hard limits (engine specification, 6.4 and 6.5).

Problem: cash band, single cap and group caps at once; rules of thumb may break one while serving another.
Example: wanted 0.60 and 0.40 with a single cap of 0.50 and a cash band of 0 to 100 % give 0.50 and 0.40.
Rounding: the optimum is an exact fraction; each weight is rounded by itself to four decimals, half to even.
Violations below 0.00001 count as feasible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from service.domains.rebalances.options import TargetMethod
from service.domains.rebalances.results.targets import TargetMethodComparison
from service.domains.rebalances.results.values import RunStatusText
from service.domains.values.money import ONE, ZERO
from service.engines.dpm.comparison.near_caps import Undecided
from service.engines.dpm.comparison.near_heuristic import near_heuristic
from service.engines.dpm.request_index import RequestIndex
from service.engines.dpm.stages.groups import CapsRead, Group, Located, read_groups
from service.engines.dpm.stages.targets import (
    Targets,
    heuristic_targets,
    redistribute_forfeited,
    split_keys,
    trace_of,
    weight_sum,
)
from service.engines.dpm.stages.universe import Universe
from service.engines.limits.result_size import ResultSize
from service.engines.quadratic.projection import Cap, project

FEASIBILITY_TOLERANCE = Decimal("0.00001")
WEIGHT_PLACES = 4
# The other method takes a few steps for each name and cap; up to so many are a fraction of a second.
FEW_STEPS = 200_000


def solver_targets(
    index: RequestIndex, universe: Universe, total: Decimal, _size: ResultSize | None = None
) -> Targets:
    """Project the model's own weights onto the limits; frozen weights are constants.

    A problem without a solution blocks with an empty trace and hints at the cause; so does one whose
    solution was not found in the steps it may take.
    """
    options = index.options
    split = split_keys(universe)
    given = redistribute_forfeited(universe, split)
    status: RunStatusText = "PENDING_REVIEW" if given.review else "READY"
    tradeable = split.buyable
    if not tradeable:
        return Targets(trace_of(index, given.weights, total), status)

    eligible = universe.eligible
    locked = weight_sum(eligible, split.others)
    total_min = ONE - options.cash_band_max_weight - locked
    total_max = ONE - options.cash_band_min_weight - locked
    read = read_groups(index, eligible)
    place = {key: position for position, key in enumerate(tradeable)}
    located = {group.key: Located.of(group.members, place) for group in read.groups}
    locked_of = {key: weight_sum(eligible, found.outside) for key, found in located.items()}
    solution = project(
        [eligible[key] for key in tradeable],
        each_max=options.single_position_max_weight,
        total_min=total_min,
        total_max=total_max,
        caps=_caps(read.groups, locked_of, located),
        tolerance=FEASIBILITY_TOLERANCE,
    )
    if solution.feasible:
        solved = {
            key: rounded_weight(numerator, solution.denominator)
            for key, numerator in zip(tradeable, solution.numerators, strict=True)
        }
        trace = trace_of(index, dict(eligible) | solved, total)
        return Targets(trace, status, read.warnings, caps_read=CapsRead(read, located))

    # In the words of the reference's library: too many steps are a limit of its user.
    hints = ["INFEASIBLE_INFEASIBLE" if solution.proved else "INFEASIBLE_USER_LIMIT"]
    if total_min > total_max:
        hints.append("INFEASIBILITY_HINT_CASH_BAND_CONTRADICTION")
    cap = options.single_position_max_weight
    if cap is not None and cap * len(tradeable) < total_min:
        hints.append("INFEASIBILITY_HINT_SINGLE_POSITION_CAPACITY")
    for group in read.groups:
        if locked_of[group.key] > group.limit:
            hints.append(f"INFEASIBILITY_HINT_LOCKED_GROUP_WEIGHT_{group.key}")
    return Targets((), "BLOCKED", (*read.warnings, *hints), caps_read=CapsRead(read, located))


def rounded_weight(numerator: int, denominator: int) -> Decimal:
    """Four decimals, half to even, never below zero; exact whatever the size of the weight."""
    whole, rest = divmod(numerator * 10**WEIGHT_PLACES, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and whole % 2):
        whole += 1
    return Decimal(f"{max(0, whole)}E-{WEIGHT_PLACES}")


def _caps(
    groups: Sequence[Group], locked_of: Mapping[str, Decimal], located: Mapping[str, Located]
) -> tuple[Cap, ...]:
    caps: list[Cap] = []
    for group in groups:
        members = tuple(located[group.key].inside)
        locked = locked_of[group.key]
        if members or locked:
            caps.append(Cap(members, group.limit - locked))
    return tuple(caps)


TARGETS_BY_METHOD = {
    TargetMethod.HEURISTIC: heuristic_targets,
    TargetMethod.SOLVER: solver_targets,
}

_OTHER_METHOD = {
    TargetMethod.HEURISTIC: TargetMethod.SOLVER,
    TargetMethod.SOLVER: TargetMethod.HEURISTIC,
}


def compare_methods(
    index: RequestIndex, universe: Universe, total: Decimal, primary: Targets
) -> TargetMethodComparison:
    """Run the method that was not asked for and say where it disagrees (6.5)."""
    method = index.options.target_method
    other = _OTHER_METHOD[method]
    tolerance = index.options.compare_target_methods_tolerance
    ours = {row.instrument_id: row.final_weight for row in primary.trace}
    near = _near_alternate(index, universe, primary.caps_read, ours)
    found = near or _alternate(index, universe, total, ours)
    return TargetMethodComparison(
        primary_method=method.value,
        primary_status=primary.status,
        alternate_method=other.value,
        alternate_status=found.status,
        tolerance=str(tolerance),
        differing_instruments=tuple(sorted(found.differing)),
        alternate_warnings=tuple(sorted(set(found.warnings))),
    )


class _Alternate(NamedTuple):
    """How the other method went, and the names whose weights it differs in."""

    status: RunStatusText
    warnings: tuple[str, ...]
    differing: Sequence[str]


def _alternate(
    index: RequestIndex, universe: Universe, total: Decimal, ours: Mapping[str, Decimal]
) -> _Alternate:
    options = index.options
    # What its caps release is not listed, so it counts towards no result.
    alternate = TARGETS_BY_METHOD[_OTHER_METHOD[options.target_method]](index, universe, total)
    theirs = {row.instrument_id: row.final_weight for row in alternate.trace}
    tolerance = options.compare_target_methods_tolerance
    differing = [
        key
        for key in ours.keys() | theirs.keys()
        if abs(ours.get(key, ZERO) - theirs.get(key, ZERO)) > tolerance
    ]
    return _Alternate(alternate.status, alternate.warnings, differing)


def _near_alternate(
    index: RequestIndex, universe: Universe, caps: CapsRead | None, ours: Mapping[str, Decimal]
) -> _Alternate | None:
    """The same without its rounded steps; None where they are few, or might decide something."""
    options = index.options
    is_heuristic = _OTHER_METHOD[options.target_method] is TargetMethod.HEURISTIC
    if not is_heuristic or len(options.group_constraints) * len(universe.eligible) < FEW_STEPS:
        return None
    try:
        near = near_heuristic(index, universe, caps)
        differing = near.differing(ours, options.compare_target_methods_tolerance)
    except Undecided:
        return None
    return _Alternate(near.status, near.warnings, differing)


def divergence_warnings(comparison: TargetMethodComparison) -> tuple[str, ...]:
    """The warnings a comparison adds to the run; they survive where the comparison itself is not shown."""
    warnings: list[str] = []
    if comparison.primary_status != comparison.alternate_status:
        warnings.append("TARGET_METHOD_STATUS_DIVERGENCE")
    if comparison.differing_instruments:
        warnings.append("TARGET_METHOD_WEIGHT_DIVERGENCE")
    return tuple(warnings)
