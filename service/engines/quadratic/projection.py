"""The weights nearest to the wanted ones that keep every limit: exact, or proved impossible.

Problem: minimise the sum of (w_i - wanted_i)^2 subject to 0 <= w_i <= each_max, total_min <= sum w <=
total_max, and for each cap the sum of its members' weights <= its limit (6.4). The nearest point is
unique. It is found in whole numbers, so it does not depend on a platform, a tolerance or a start.

Example: wanted .5, .3, .2 where the first two may have .6 together. With a total of at most 1 the cap
lowers both by .1: .4, .2, .2. With a total of exactly 1 the third takes what they leave: .4, .2, .4.

Rounding: none. Decimals are scaled to integers by their least common denominator and the weights are
fractions; the caller rounds.

Method: a guess of the binding limits that is returned only with its proof (nearest); where it does not
settle, or there are many limits, another one from where a descent in floats has led (descent); and at last
a search that always ends (active_sets). Limits are called contradictory only with the proof that they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from math import lcm
from typing import NamedTuple

from service.engines.quadratic.nearest import nearest
from service.engines.quadratic.tallies import Answer, Block, Problem, Row, Steps, TooManySteps, marks

ZERO = Decimal(0)

# What an answer may take: twice what the dearest one takes that a descent leads to.
STEPS_MAX = 25_000_000
# What is left of them, and so many more, is for the problem with its tolerance.
SPARE_STEPS = 10_000_000


class Cap(NamedTuple):
    """The weights of the members, indices into wanted, add up to at most the limit."""

    members: tuple[int, ...]
    limit: Decimal


@dataclass(frozen=True, slots=True)
class Projection:
    """The nearest weights and what the limits did to the wanted ones.

    Feasible: w_i = wanted_i - total_shift - the cap_shifts of its caps, clipped to the bounds. A cap's
    shift is never negative, and zero unless the cap binds; the total's is positive where total_max binds
    and negative where total_min does. Among equal caps the shift may sit with either.

    Infeasible: no weights. Where no answer was found in as many steps as it may take, that is not proved,
    and all shifts are zero. Else the shifts are the proportions in which the limits contradict each other:
    shift * limit, added up, is less than shift * sum for any weights within the bounds. All are zero
    where each_max is negative or total_min above total_max, which needs no other proof.

    rounds counts those of the method that answered. relaxed tells that every limit and bound was widened by
    the tolerance before this verdict.
    """

    # The weights, over one denominator: to bring each of thousands to its lowest terms is not for everyone.
    numerators: tuple[int, ...]
    denominator: int
    feasible: bool
    rounds: int
    total_shift: Fraction
    cap_shifts: tuple[Fraction, ...]
    relaxed: bool
    proved: bool

    @property
    def weights(self) -> tuple[Fraction, ...]:
        return tuple([Fraction(numerator, self.denominator) for numerator in self.numerators])


def project(
    wanted: Sequence[Decimal],
    *,
    each_max: Decimal | None,
    total_min: Decimal,
    total_max: Decimal,
    caps: Sequence[Cap],
    tolerance: Decimal = ZERO,
    steps_max: float = STEPS_MAX,
) -> Projection:
    """The nearest weights; if there are none, those within the tolerance of every limit and bound.

    With the tolerance, 0 included, is widened too: weights may then lie as much below 0. What has no answer
    after so many steps counts as having none, and that is not proved.
    """
    scaled = scale_up(wanted, each_max, (total_min, total_max), caps, tolerance)
    problem = problem_of(scaled, 0, steps_max)
    answer = _answer(problem)
    if answer.feasible or scaled.tolerance <= 0:
        return projection_of(problem, answer, scaled.unit, 0)
    widened = _widen(problem, scaled, scaled.tolerance, max(0, problem.steps.left) + SPARE_STEPS)
    second = _answer(widened)
    second = second._replace(rounds=answer.rounds + second.rounds)
    return projection_of(widened, second, scaled.unit, scaled.tolerance)


def _answer(problem: Problem) -> Answer:
    try:
        return nearest(problem)
    except TooManySteps:
        return Answer(False, (0,) * len(problem.rows), 1, 0, proved=False)


class Scaled(NamedTuple):
    """What was asked, in integers; 1 has become unit."""

    targets: tuple[int, ...]
    ceiling: int | None
    total: tuple[int, int]
    caps: tuple[tuple[tuple[int, ...], int], ...]
    tolerance: int
    unit: int


def scale_up(
    wanted: Sequence[Decimal],
    each_max: Decimal | None,
    total: tuple[Decimal, Decimal],
    caps: Sequence[Cap],
    tolerance: Decimal,
) -> Scaled:
    """All numbers times their least common denominator; no decimal context gets to round."""
    numbers = [*wanted, *total, *(cap.limit for cap in caps), tolerance]
    if each_max is not None:
        numbers.append(each_max)
    ratios = [number.as_integer_ratio() for number in numbers]
    unit = lcm(*{below for _, below in ratios})

    def whole(number: Decimal) -> int:
        above, below = number.as_integer_ratio()
        return above * (unit // below)

    return Scaled(
        targets=tuple([above * (unit // below) for above, below in ratios[: len(wanted)]]),
        ceiling=None if each_max is None else whole(each_max),
        total=(whole(total[0]), whole(total[1])),
        caps=tuple([(tuple(sorted(set(cap.members))), whole(cap.limit)) for cap in caps]),
        tolerance=whole(tolerance),
        unit=unit,
    )


def problem_of(scaled: Scaled, slack: int, steps_max: float = float("inf")) -> Problem:
    """Rows and blocks; with slack, weights are counted from -slack up so that their lower bound stays 0."""
    rows_of: list[list[int]] = [[0] for _ in scaled.targets]
    for number, (members, _) in enumerate(scaled.caps, start=1):
        for member in members:
            rows_of[member].append(number)

    alike: dict[tuple[int, ...], list[int]] = {}
    for name, numbers in enumerate(rows_of):
        alike.setdefault(tuple(numbers), []).append(name)
    blocks = []
    for signature, names in alike.items():
        if len(names) == 1:
            target = scaled.targets[names[0]] + slack
            blocks.append(Block(signature, (names[0],), (target,), (0, target)))
            continue
        names.sort(key=scaled.targets.__getitem__)
        targets = tuple([scaled.targets[name] + slack for name in names])
        blocks.append(Block(signature, tuple(names), targets, tuple(accumulate(targets, initial=0))))
    return Problem.of(tuple(blocks), _rows(scaled, slack), _ceiling(scaled, slack), steps_max)


def _widen(problem: Problem, scaled: Scaled, slack: int, steps_max: float) -> Problem:
    """The same as problem_of, from the problem without slack: blocks and what rows share stay as they are."""
    blocks = []
    for block in problem.blocks:
        targets = tuple([target + slack for target in block.targets])
        blocks.append(Block(block.rows, block.names, targets, tuple(accumulate(targets, initial=0))))
    return replace(
        problem,
        blocks=tuple(blocks),
        rows=_rows(scaled, slack),
        ceiling=_ceiling(scaled, slack),
        steps=Steps(steps_max),
        last_count=[],
    )


def _rows(scaled: Scaled, slack: int) -> tuple[Row, ...]:
    size = len(scaled.targets)
    low, high = scaled.total
    total = Row(low + (size - 1) * slack, high + (size + 1) * slack, size)
    caps = [Row(None, limit + (len(members) + 1) * slack, len(members)) for members, limit in scaled.caps]
    return (total, *caps)


def _ceiling(scaled: Scaled, slack: int) -> int | None:
    return None if scaled.ceiling is None else scaled.ceiling + 2 * slack


def projection_of(problem: Problem, answer: Answer, unit: int, slack: int) -> Projection:
    """Back from integers to weights."""
    below = answer.denominator * unit
    shifts = [Fraction(value, below) for value in answer.multipliers]
    return Projection(
        numerators=_numerators(problem, answer, slack) if answer.feasible else (),
        denominator=below,
        feasible=answer.feasible,
        rounds=answer.rounds,
        total_shift=shifts[0],
        cap_shifts=tuple(shifts[1:]),
        relaxed=slack > 0,
        proved=answer.proved,
    )


def _numerators(problem: Problem, answer: Answer, slack: int) -> tuple[int, ...]:
    denominator = answer.denominator
    numerators = [-slack * denominator] * problem.rows[0].size
    ceiling = ((problem.ceiling or 0) - slack) * denominator
    for block in problem.blocks:
        shift = sum(map(answer.multipliers.__getitem__, block.rows))
        head, tail = marks(block, problem.ceiling, shift, denominator)
        lowered = shift + slack * denominator
        for name, target in zip(block.names[head:tail], block.targets[head:tail], strict=True):
            numerators[name] = target * denominator - lowered
        for name in block.names[tail:]:
            numerators[name] = ceiling
    return tuple(numerators)
