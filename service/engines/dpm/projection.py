"""The weights nearest to the wanted ones that keep every limit: exact, or proved impossible.

Problem: minimise the sum of (w_i - wanted_i)^2 subject to 0 <= w_i <= each_max, total_min <= sum w <=
total_max, and for each cap the sum of its members' weights <= its limit (6.4). The nearest point is
unique. It is found in whole numbers, so it does not depend on a platform, a tolerance or a start.

Example: wanted .5, .3, .2 where the first two may have .6 together. With a total of at most 1 the cap
lowers both by .1: .4, .2, .2. With a total of exactly 1 the third takes what they leave: .4, .2, .4.

Rounding: none. Decimals are scaled to integers by their least common denominator and the weights are
fractions; the caller rounds.

Method: a guess of the binding limits that is returned only with its proof; where the guess does not settle, or
there are many limits, another one from where a descent in floats has led (descent); and at last a search
that always ends (active_sets). Limits are called contradictory only with the proof that they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from math import gcd, lcm
from typing import NamedTuple

from service.engines.dpm.active_sets import eliminate, search
from service.engines.dpm.descent import descend
from service.engines.dpm.exact_solving import Factors, solve_exactly
from service.engines.dpm.tallies import Answer, Block, Problem, Row, Tally, marks

# Two to six rounds are usual, and one per binding row if careful; what has not settled by then circles.
GUESS_ROUNDS_MAX = 25
# With more rows than this a guess that does not know where to begin costs more than to find that out.
FEW_ROWS = 16
# Multipliers of a descent are taken to so many bits.
DESCENT_BITS = 46
# A multiplier this far on the wrong side, of limits that are scaled to 1, pulls for sure.
PULL_MIN = 1e-9
# So many rows that depend on others are looked at; each costs a solution of the system.
DEPENDENT_MAX = 4

ZERO = Decimal(0)


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

    Infeasible: no weights, and the shifts are the proportions in which the limits contradict each other:
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
) -> Projection:
    """The nearest weights; if there are none, those within the tolerance of every limit and bound.

    With the tolerance, 0 included, is widened too: weights may then lie as much below 0.
    """
    scaled = scale_up(wanted, each_max, (total_min, total_max), caps, tolerance)
    problem = problem_of(scaled, 0)
    answer = nearest(problem)
    if answer.feasible or scaled.tolerance <= 0:
        return projection_of(problem, answer, scaled.unit, 0)
    widened = problem_of(scaled, scaled.tolerance)
    second = nearest(widened)
    second = second._replace(rounds=answer.rounds + second.rounds)
    return projection_of(widened, second, scaled.unit, scaled.tolerance)


class Scaled(NamedTuple):
    """What was asked, in integers; 1 has become unit."""

    wishes: tuple[int, ...]
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
    ratios = {number: number.as_integer_ratio() for number in (*numbers, each_max) if number is not None}
    unit = lcm(*{below for _, below in ratios.values()})

    def whole(number: Decimal) -> int:
        above, below = ratios[number]
        return above * (unit // below)

    return Scaled(
        wishes=tuple([whole(number) for number in wanted]),
        ceiling=None if each_max is None else whole(each_max),
        total=(whole(total[0]), whole(total[1])),
        caps=tuple([(tuple(sorted(set(cap.members))), whole(cap.limit)) for cap in caps]),
        tolerance=whole(tolerance),
        unit=unit,
    )


def problem_of(scaled: Scaled, slack: int) -> Problem:
    """Rows and blocks; with slack, weights are counted from -slack up so that their lower bound stays 0."""
    size = len(scaled.wishes)
    low, high = scaled.total
    rows = [Row(low + (size - 1) * slack, high + (size + 1) * slack, size)]
    rows_of: list[list[int]] = [[0] for _ in range(size)]
    for number, (members, limit) in enumerate(scaled.caps, start=1):
        rows.append(Row(None, limit + (len(members) + 1) * slack, len(members)))
        for member in members:
            rows_of[member].append(number)

    alike: dict[tuple[int, ...], list[int]] = {}
    for name, numbers in enumerate(rows_of):
        alike.setdefault(tuple(numbers), []).append(name)
    blocks = []
    for signature, names in alike.items():
        names.sort(key=scaled.wishes.__getitem__)
        wishes = tuple([scaled.wishes[name] + slack for name in names])
        blocks.append(Block(signature, tuple(names), wishes, tuple(accumulate(wishes, initial=0))))
    ceiling = None if scaled.ceiling is None else scaled.ceiling + 2 * slack
    return Problem.of(tuple(blocks), tuple(rows), ceiling)


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
    )


def _numerators(problem: Problem, answer: Answer, slack: int) -> tuple[int, ...]:
    denominator = answer.denominator
    numerators = [-slack * denominator] * problem.rows[0].size
    ceiling = ((problem.ceiling or 0) - slack) * denominator
    for block in problem.blocks:
        shift = sum(map(answer.multipliers.__getitem__, block.rows))
        head, tail = marks(block, problem.ceiling, shift, denominator)
        lowered = shift + slack * denominator
        for name, wish in zip(block.names[head:tail], block.wishes[head:tail], strict=True):
            numerators[name] = wish * denominator - lowered
        for name in block.names[tail:]:
            numerators[name] = ceiling
    return tuple(numerators)


def nearest(problem: Problem) -> Answer:
    """The exact answer: what one limit alone rules out, else a guess, else the search."""
    few = len(problem.rows) <= FEW_ROWS
    return (
        refuse_early(problem)
        or (guess(problem, careful=False) if few else None)
        or approach(problem)
        or guess(problem, careful=True)
        or search(problem)
    )


def refuse_early(problem: Problem) -> Answer | None:
    """Infeasible because the bounds or a single row cannot be kept; None means not known."""
    nothing = [0] * len(problem.rows)
    if problem.ceiling is not None and problem.ceiling < 0 < problem.rows[0].size:
        return Answer(False, tuple(nothing), 1, 0)
    for index, (low, high, size) in enumerate(problem.rows):
        reach = None if size and problem.ceiling is None else size * (problem.ceiling or 0)
        proof = nothing.copy()
        if high < 0:
            proof[index] = 1
        elif low is not None and reach is not None and reach < low:
            proof[index] = -1
        elif low is None or low <= high:
            continue
        return Answer(False, tuple(proof), 1, 0)
    return None


def approach(problem: Problem) -> Answer | None:
    """What a descent in floats leads to, proved; None means not known."""
    found = descend(problem)
    largest = max(map(abs, found.multipliers))
    unit = 1 << DESCENT_BITS
    if found.endless:
        return contradiction(problem, [round(value / largest * unit) for value in found.multipliers])
    # What is nothing beside the others is most likely nothing.
    least = largest / unit
    start = [round(value * unit) * found.scale if abs(value) > least else 0 for value in found.multipliers]
    settled = guess(problem, careful=False, start=tuple(start), denominator=unit)
    return settled or dependence(problem, tuple(start), unit)


def dependence(problem: Problem, multipliers: tuple[int, ...], denominator: int) -> Answer | None:
    """A contradiction too small for floats: a binding row that depends on others, which leave it no room."""
    tally = Tally.of(problem, multipliers, denominator)
    sides, _ = _sides(problem.rows, tally, multipliers, denominator)
    binding = [row for row, side in enumerate(sides) if side]
    table = [[tally.shared[j][k] for k in binding] for j in binding]
    lines = Factors([list(map(float, line)) for line in table]).lines
    kept = [binding[place] for place in lines]
    for row in [row for row in binding if row not in set(kept)][:DEPENDENT_MAX]:
        solved = solve_exactly([[table[j][k] for k in lines] for j in lines], [tally.shared[j][row] for j in kept])
        if solved is None:
            continue
        for side in (1, -1):
            proportions = [0] * len(problem.rows)
            proportions[row] = side * solved[1]
            for one, value in zip(kept, solved[0], strict=True):
                proportions[one] = -side * value
            found = contradiction(problem, proportions)
            if found is not None:
                return found
    return None


def contradiction(problem: Problem, multipliers: Sequence[int]) -> Answer | None:
    """Infeasible if the limits contradict each other in these proportions; None means that they do not."""
    pressed = [multipliers[0], *[max(0, value) for value in multipliers[1:]]]
    shifts = [sum(map(pressed.__getitem__, block.rows)) for block in problem.blocks]
    if problem.ceiling is None:
        # A weight without a ceiling may have no negative shift.
        lift = -min(0, *shifts)
        pressed[0] += lift
        shifts = [shift + lift for shift in shifts]
    allowed = sum(
        [value * row.at(1 if value > 0 else -1) for value, row in zip(pressed, problem.rows, strict=True) if value]
    )
    taken = sum(
        [
            shift * len(block.names) * (problem.ceiling or 0)
            for shift, block in zip(shifts, problem.blocks, strict=True)
            if shift < 0
        ]
    )
    return Answer(False, tuple(pressed), 1, 0) if allowed < taken else None


def guess(
    problem: Problem, *, careful: bool, start: tuple[int, ...] = (), denominator: int = 1
) -> Answer | None:
    """Newton's method on the multipliers; answers only what it has proved, None means not known.

    A round takes the marks and the binding rows from the last multipliers and solves for the multipliers
    that make those rows tight. A point belongs to its multipliers by construction, so the proof is that
    every row holds and that a row with a multiplier is tight on the side it presses. The multipliers
    decide the next round, so a repeated set of them means a circle.

    A round takes up all broken rows or, if careful, only the one broken by most, which settles rows that
    lean on each other and would otherwise be taken up and let go in turn.
    """
    multipliers = start or (0,) * len(problem.rows)
    seen = set()
    for rounds in range(1, GUESS_ROUNDS_MAX + 1):
        tally = Tally.of(problem, multipliers, denominator)
        sides, gaps = _sides(problem.rows, tally, multipliers, denominator)
        if not any(gaps):
            return Answer(True, multipliers, denominator, rounds)
        if (multipliers, denominator) in seen:
            return None
        seen.add((multipliers, denominator))
        fresh = [row for row, side in enumerate(sides) if side and not multipliers[row]]
        if careful and fresh:
            most = max(fresh, key=gaps.__getitem__)
            sides = [0 if row in fresh and row != most else side for row, side in enumerate(sides)]
        multipliers, denominator = _tighten(problem.rows, tally, sides)
    return None


def _tighten(rows: Sequence[Row], tally: Tally, sides: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Multipliers that make the rows tight that press on a side; a row that would have to pull is let go."""
    over = {row: tally.fixed[row] - rows[row].at(side) for row, side in enumerate(sides) if side}
    # A row of one allowed value presses and pulls alike.
    either = {row for row in over if rows[row].low == rows[row].high}
    binding = _pressing(tally.shared, sides, over, either)
    while True:
        solved, denominator = _solve(tally.shared, binding, over)
        # Every other pass leaves fewer rows.
        kept = [row for row in binding if solved[row] * sides[row] >= 0 or row in either]
        if kept == binding:
            common = gcd(denominator, *solved.values())
            multipliers = [solved.get(row, 0) // common for row in range(len(rows))]
            return tuple(multipliers), denominator // common
        binding = kept


def _pressing(
    shared: Sequence[Sequence[int]], sides: Sequence[int], over: Mapping[int, int], either: Set[int]
) -> list[int]:
    """The binding rows without those that floats, which are quick, see pull; none is left out for sure."""
    binding = list(over)
    if len(binding) <= FEW_ROWS:
        return binding
    largest = max(map(abs, over.values())) or 1
    while True:
        factors = Factors([[float(shared[j][k]) for k in binding] for j in binding])
        lines = [binding[place] for place in factors.lines]
        solved = dict(zip(lines, factors.solve([over[row] / largest for row in lines]), strict=True))
        pulled = {
            row
            for row, value in solved.items()
            if value * sides[row] < -PULL_MIN and row not in either
        }
        if not pulled:
            return binding
        binding = [row for row in binding if row not in pulled]


def _solve(
    shared: Sequence[Sequence[int]], binding: Sequence[int], over: Mapping[int, int]
) -> tuple[dict[int, int], int]:
    table = [[shared[j][k] for k in binding] for j in binding]
    right = [over[row] for row in binding]
    if len(binding) > FEW_ROWS:
        solved = solve_exactly(table, right)
        if solved is not None:
            return dict(zip(binding, solved[0], strict=True)), solved[1]
    for line, value in zip(table, right, strict=True):
        line.append(value)
    denominator = eliminate(table)
    return dict(zip(binding, [line[-1] for line in table], strict=True)), denominator


def _sides(
    rows: Sequence[Row], tally: Tally, multipliers: Sequence[int], denominator: int
) -> tuple[list[int], list[int]]:
    """The side each row presses on next (1 high, -1 low, 0 neither) and how far it is from holding tight."""
    sides, gaps = [], []
    for index, (low, high, _) in enumerate(rows):
        over = tally.sum_of(index, multipliers, denominator) - high * denominator
        under = -1 if low is None else (low - high) * denominator - over
        multiplier = multipliers[index]
        if over > 0 or (multiplier > 0 and under <= 0):
            side, gap = 1, abs(over)
        elif under > 0 or multiplier < 0:
            side, gap = -1, abs(under)
        else:
            side, gap = 0, 0
        sides.append(side)
        gaps.append(gap)
    return sides, gaps
