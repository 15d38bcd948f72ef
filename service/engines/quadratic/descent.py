"""Multipliers near those of the nearest point, or near a contradiction of the limits; in floats.

Problem: which of hundreds of limits bind cannot be guessed, and to search for it in whole numbers takes a
solution of the system for every limit that is taken up or let go.

Example: wishes 5, 3, 1 with a total of at most 6 give the multiplier 1.0, as the exact method does.

Method: the dual of the projection is a convex function of the multipliers, quadratic in pieces. Newton's
method with the bounds of the multipliers kept, and an exact search along each step, goes down until all
limits hold. If they contradict each other it has no lowest point: the multipliers grow without end, in the
proportions of the contradiction.

Rounding: of floats. What is found here is only where the proof in whole numbers begins.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import NamedTuple

from service.engines.quadratic.exact_solving import Factors, factor_steps
from service.engines.quadratic.tallies import Problem

STEPS_MAX = 60
SEARCHES_MAX = 40
EXCHANGES_MAX = 30
# So many steps may not bring the limits nearer to holding before the descent is given up.
STALLED_MAX = 4
# Limits are scaled so that the largest is 1.
HOLDS = 1e-11
RIDGE = 1e-8
PIVOT_MIN = 1e-13
# A step beyond this, where weights are at most 1, most likely has no end.
LARGE = 1.0
# How many exchanges of many multipliers at a time may not help before they go one by one.
PATIENCE = 3


class Pressure(NamedTuple):
    """A multiplier that is not negative, unless it is free: on which row it presses, how and up to where."""

    row: int
    side: int
    limit: float
    free: bool


class Approach(NamedTuple):
    """Multipliers by row, to be divided by scale; of a contradiction if endless."""

    multipliers: tuple[float, ...]
    scale: int
    endless: bool


class State(NamedTuple):
    """What some multipliers give: the row sums and, by block, where the free names begin and end."""

    sums: list[float]
    heads: list[int]
    tails: list[int]


@dataclass(frozen=True, slots=True)
class Landscape:
    """The problem in floats."""

    problem: Problem
    scale: int
    ceiling: float
    targets: tuple[tuple[float, ...], ...]
    heaps: tuple[tuple[float, ...], ...]
    pressures: tuple[Pressure, ...]

    @classmethod
    def of(cls, problem: Problem) -> Landscape:
        highest = max(
            [abs(target) for block in problem.blocks for target in (block.targets[0], block.targets[-1])],
            default=0,
        )
        scale = max(1, highest, *[abs(row.high) for row in problem.rows])
        targets = tuple([tuple([target / scale for target in block.targets]) for block in problem.blocks])
        pressures = []
        for index, (low, high, _) in enumerate(problem.rows):
            pressures.append(Pressure(index, 1, high / scale, low == high))
            if low is not None and low != high:
                pressures.append(Pressure(index, -1, -low / scale, False))
        return cls(
            problem=problem,
            scale=scale,
            ceiling=float("inf") if problem.ceiling is None else problem.ceiling / scale,
            targets=targets,
            heaps=tuple([tuple(accumulate(line, initial=0.0)) for line in targets]),
            pressures=tuple(pressures),
        )

    def by_row(self, multipliers: Sequence[float]) -> list[float]:
        rows = [0.0] * len(self.problem.rows)
        for pressure, multiplier in zip(self.pressures, multipliers, strict=True):
            rows[pressure.row] += pressure.side * multiplier
        return rows

    def at(self, multipliers: Sequence[float]) -> State:
        self.problem.steps.spend(self.problem.walk_steps)
        look_up, ceiling = self.by_row(multipliers).__getitem__, self.ceiling
        weights: list[float] = []
        heads: list[int] = []
        tails: list[int] = []
        for block, targets, heap in zip(self.problem.blocks, self.targets, self.heaps, strict=True):
            shift = sum(map(look_up, block.rows))
            head = bisect_left(targets, shift)
            size = tail = len(targets)
            if targets[-1] - shift > ceiling:
                tail = max(head, bisect_left(targets, shift + ceiling))
            weight = heap[tail] - heap[head] - (tail - head) * shift
            if tail < size:
                weight += (size - tail) * ceiling
            weights.append(weight)
            heads.append(head)
            tails.append(tail)
        of_block = weights.__getitem__
        return State([sum(map(of_block, blocks)) for blocks in self.problem.blocks_of], heads, tails)

    def gradient(self, state: State) -> list[float]:
        return [one.limit - one.side * state.sums[one.row] for one in self.pressures]

    def curvature(self, state: State) -> list[list[float]]:
        """How the gradient changes with the multipliers, and a little more, so that it always does."""
        self.problem.steps.spend(self.problem.count_steps)
        shared = self.problem.shared_by_rows(state.heads, state.tails)
        table = [
            [float(one.side * other.side * shared[one.row][other.row]) for other in self.pressures]
            for one in self.pressures
        ]
        for index, line in enumerate(table):
            line[index] = line[index] * (1 + RIDGE) or 1.0
        return table

    def is_contradiction(self, multipliers: Sequence[float]) -> bool:
        """Whether going on in the direction of these multipliers would go down for ever."""
        largest = max(map(abs, multipliers))
        if largest < LARGE:
            return False
        steep = sum(
            [one.limit * value / largest for one, value in zip(self.pressures, multipliers, strict=True)]
        )
        look_up = self.by_row([value / largest for value in multipliers]).__getitem__
        for block, targets in zip(self.problem.blocks, self.targets, strict=True):
            shift = sum(map(look_up, block.rows))
            if shift < 0:
                # Without a ceiling the proof lifts the total's multiplier until no shift is negative.
                steep -= shift * len(targets) * min(self.ceiling, 1.0)
        return steep < -HOLDS


def descend(problem: Problem) -> Approach:
    """The best multipliers found; what they are worth shows where they are used."""
    land = Landscape.of(problem)
    multipliers = [0.0] * len(land.pressures)
    state = land.at(multipliers)
    least, stalled = float("inf"), 0
    for _ in range(STEPS_MAX):
        gradient = land.gradient(state)
        worst = _worst(land, gradient, multipliers)
        least, stalled = (worst, 0) if worst < least / 2 else (least, stalled + 1)
        if worst <= HOLDS or stalled > STALLED_MAX:
            break
        curvature = land.curvature(state)
        goal = _goal(land, curvature, gradient, multipliers)
        step = [there - here for there, here in zip(goal, multipliers, strict=True)]
        # What a multiplier may fall to is bounded, so only its rise goes on.
        rising = [
            change if one.free else max(0.0, change) for one, change in zip(land.pressures, step, strict=True)
        ]
        if land.is_contradiction(rising):
            return Approach(tuple(land.by_row(rising)), land.scale, endless=True)
        multipliers, state = _go(land, multipliers, step, gradient)
    return Approach(tuple(land.by_row(multipliers)), land.scale, endless=False)


def _worst(land: Landscape, gradient: Sequence[float], multipliers: Sequence[float]) -> float:
    """By how much the limits are broken, or are not tight though they press, at most."""
    return max(
        [
            abs(slope) if multiplier > 0 or one.free else -slope
            for one, slope, multiplier in zip(land.pressures, gradient, multipliers, strict=True)
        ]
    )


def _goal(
    land: Landscape, curvature: list[list[float]], gradient: Sequence[float], multipliers: Sequence[float]
) -> list[float]:
    """The lowest point of the quadratic piece within the bounds, by exchanging many multipliers at a time."""
    sides = [
        sum(map(mul, line, multipliers)) - slope for line, slope in zip(curvature, gradient, strict=True)
    ]
    everything = range(len(sides))
    pressing = [land.pressures[i].free or multipliers[i] > 0 or gradient[i] < 0 for i in everything]
    fewest, patience = len(sides) + 1, PATIENCE
    goal: list[float] = []
    for _ in range(EXCHANGES_MAX):
        lines = [i for i in everything if pressing[i]]
        land.problem.steps.spend(factor_steps(len(lines)))
        factors = Factors([[curvature[j][k] for k in lines] for j in lines], PIVOT_MIN)
        kept = [lines[place] for place in factors.lines]
        goal = [0.0] * len(sides)
        for i, value in zip(kept, factors.solve([sides[i] for i in kept]), strict=True):
            goal[i] = value
        wrong = [
            i
            for i in everything
            if not land.pressures[i].free
            and (goal[i] < -HOLDS if pressing[i] else sum(map(mul, curvature[i], goal)) - sides[i] < -HOLDS)
        ]
        if not wrong:
            break
        if len(wrong) < fewest:
            fewest, patience = len(wrong), PATIENCE
        elif patience:
            patience -= 1
        else:
            wrong = wrong[-1:]
        for i in wrong:
            pressing[i] = not pressing[i]
    return [value if one.free else max(0.0, value) for one, value in zip(land.pressures, goal, strict=True)]


def _go(
    land: Landscape, start: Sequence[float], step: Sequence[float], gradient: Sequence[float]
) -> tuple[list[float], State]:
    """As far along the step as it goes down; the slope along it only ever rises."""

    def look(share: float) -> tuple[list[float], State, float]:
        there = [here + share * change for here, change in zip(start, step, strict=True)]
        state = land.at(there)
        return there, state, sum(map(mul, land.gradient(state), step))

    # Floats may take a step that leads nowhere for one that leads up.
    low, slope_low = 0.0, min(0.0, sum(map(mul, gradient, step)))
    there, state, slope_high = look(1.0)
    high = 1.0
    end = abs(slope_low) * 1e-3
    for _ in range(SEARCHES_MAX):
        if slope_high <= end:
            break
        share = low + (high - low) * max(0.05, min(0.95, slope_low / (slope_low - slope_high)))
        there, state, slope = look(share)
        if abs(slope) <= end:
            break
        if slope > 0:
            high, slope_high = share, slope
        else:
            low, slope_low = share, slope
    return there, state
