"""The multipliers of the nearest point, or of a contradiction of its limits, proved in whole numbers.

Problem: which limits bind decides everything, and there may be hundreds of limits over thousands of names.

Example: wishes 5, 3, 1 with a total of at most 6: it binds with the multiplier 1, and 4, 2, 0 add up to 6.

Rounding: none in what is answered; floats say where to begin (descent) and help to solve (exact_solving).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from math import gcd

from service.engines.quadratic.active_set_qp import eliminate, elimination_steps, search
from service.engines.quadratic.descent import descend
from service.engines.quadratic.exact_solving import Factors, Spend, factor_steps, solve_exactly
from service.engines.quadratic.partitions import Tightened, contradicting_proportions
from service.engines.quadratic.tallies import Answer, Problem, Row, Tally

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


def nearest(problem: Problem) -> Answer:
    """The exact answer: what one limit alone rules out, else a guess, else the search.

    Raises TooManySteps where the problem may not take as many as that needs.
    """
    few = len(problem.rows) <= FEW_ROWS
    settled = refuse_early(problem) or (guess(problem, careful=False) if few else None)
    if settled is not None:
        return settled
    proportions = contradicting_proportions(problem)
    if proportions is not None:
        settled = contradiction(problem, proportions)
        if settled is not None:
            return settled
    tightened = Tightened.of(problem)
    tight = tightened.problem
    return tightened.original(approach(tight) or guess(tight, careful=True) or search(tight))


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
    problem.steps.spend(factor_steps(len(binding)))
    lines = Factors([list(map(float, line)) for line in table]).lines
    kept = [binding[place] for place in lines]
    for row in [row for row in binding if row not in set(kept)][:DEPENDENT_MAX]:
        solved = solve_exactly(
            [[table[j][k] for k in lines] for j in lines],
            [tally.shared[j][row] for j in kept],
            problem.steps.spend,
        )
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
    pressed = [
        max(0, value) if row.low is None else value
        for value, row in zip(multipliers, problem.rows, strict=True)
    ]
    shifts = [sum(map(pressed.__getitem__, block.rows)) for block in problem.blocks]
    if problem.ceiling is None:
        # A weight without a ceiling may have no negative shift.
        lift = -min(0, *shifts)
        pressed[0] += lift
        shifts = [shift + lift for shift in shifts]
    allowed = sum(
        [
            value * row.at(1 if value > 0 else -1)
            for value, row in zip(pressed, problem.rows, strict=True)
            if value
        ]
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
        multipliers, denominator = _tighten(problem, tally, sides)
    return None


def _tighten(problem: Problem, tally: Tally, sides: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Multipliers that make the rows tight that press on a side; a row that would have to pull is let go."""
    rows, spend = problem.rows, problem.steps.spend
    over = {row: tally.fixed[row] - rows[row].at(side) for row, side in enumerate(sides) if side}
    # A row of one allowed value presses and pulls alike.
    either = {row for row in over if rows[row].low == rows[row].high}
    binding = _pressing(tally.shared, sides, over, either, spend)
    while True:
        solved, denominator = _solve(tally.shared, binding, over, spend)
        # Every other pass leaves fewer rows.
        kept = [row for row in binding if solved[row] * sides[row] >= 0 or row in either]
        if kept == binding:
            common = gcd(denominator, *solved.values())
            multipliers = [solved.get(row, 0) // common for row in range(len(rows))]
            return tuple(multipliers), denominator // common
        binding = kept


def _pressing(
    shared: Sequence[Sequence[int]],
    sides: Sequence[int],
    over: Mapping[int, int],
    either: Set[int],
    spend: Spend,
) -> list[int]:
    """The binding rows without those that floats, which are quick, see pull; none is left out for sure."""
    binding = list(over)
    if len(binding) <= FEW_ROWS:
        return binding
    largest = max(map(abs, over.values())) or 1
    while True:
        spend(factor_steps(len(binding)))
        factors = Factors([[float(shared[j][k]) for k in binding] for j in binding])
        lines = [binding[place] for place in factors.lines]
        solved = dict(zip(lines, factors.solve([over[row] / largest for row in lines]), strict=True))
        pulled = {
            row for row, value in solved.items() if value * sides[row] < -PULL_MIN and row not in either
        }
        if not pulled:
            return binding
        binding = [row for row in binding if row not in pulled]


def _solve(
    shared: Sequence[Sequence[int]], binding: Sequence[int], over: Mapping[int, int], spend: Spend
) -> tuple[dict[int, int], int]:
    table = [[shared[j][k] for k in binding] for j in binding]
    right = [over[row] for row in binding]
    if len(binding) > FEW_ROWS:
        solved = solve_exactly(table, right, spend)
        if solved is not None:
            return dict(zip(binding, solved[0], strict=True)), solved[1]
    spend(elimination_steps(len(binding)))
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
