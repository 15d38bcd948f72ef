"""What caps that share no name have to say about the total, all together.

Problem: caps of one attribute that add up to just the least total, or to a little less, bind or contradict
it all at once. Floats cannot tell the one from the other, and a search in whole numbers takes each cap alone.

Example: caps of 0.6 and 0.4 over all names with a total of at least 1 leave no choice: both sums are just
that. Caps of 0.6 and 0.3999 contradict it.

Rounding: none, and no tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from service.engines.quadratic.tallies import Answer, Problem


class Partition(NamedTuple):
    """Caps without a common name, and what all weights can add up to under them; None for anything."""

    rows: tuple[int, ...]
    reach: int | None
    covers_all: bool


def partitions_of(problem: Problem) -> Iterator[Partition]:
    """Caps that stand side by side, as those of one attribute do, as long as they share no name."""
    run: list[int] = []
    seen = 0
    for row in range(1, len(problem.rows)):
        mask = problem.masks[row]
        if mask & seen:
            yield _partition(problem, run, seen)
            run, seen = [], 0
        run.append(row)
        seen |= mask
    if run:
        yield _partition(problem, run, seen)


def _partition(problem: Problem, run: Sequence[int], seen: int) -> Partition:
    ceiling = problem.ceiling
    kept = tuple(
        [row for row in run if ceiling is None or problem.rows[row].high < problem.rows[row].size * ceiling]
    )
    held = sum([problem.rows[row].size for row in kept])
    free = problem.rows[0].size - held
    reach = None if free and ceiling is None else free * (ceiling or 0)
    if reach is not None:
        reach += sum([problem.rows[row].high for row in kept])
    return Partition(kept, reach, not free)


def contradicting_proportions(problem: Problem) -> list[int] | None:
    """Of caps that together leave less than the least total."""
    low = problem.rows[0].low
    for partition in partitions_of(problem):
        if low is not None and partition.reach is not None and partition.reach < low:
            proportions = [0] * len(problem.rows)
            for row in partition.rows:
                proportions[row] = 1
            proportions[0] = -1
            return proportions
    return None


class Tightened(NamedTuple):
    """The same problem where caps that leave no choice are equations, which makes the least total idle."""

    problem: Problem
    partitions: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, problem: Problem) -> Tightened:
        low = problem.rows[0].low
        found = tuple(
            [
                partition.rows
                for partition in partitions_of(problem)
                if partition.covers_all and partition.reach == low
            ]
        )
        if not found:
            return cls(problem, ())
        rows = list(problem.rows)
        rows[0] = rows[0]._replace(low=None)
        for row in {row for partition in found for row in partition}:
            rows[row] = rows[row]._replace(low=rows[row].high)
        return cls(replace(problem, rows=tuple(rows)), found)

    def original(self, answer: Answer) -> Answer:
        """The same answer in multipliers of the original problem, where no cap may lift.

        What all caps of a partition are given more, the total is given less: no name feels it.
        """
        multipliers = list(answer.multipliers)
        for partition in self.partitions:
            least = min(0, *[multipliers[row] for row in partition])
            for row in partition:
                multipliers[row] -= least
            multipliers[0] += least
        return answer._replace(multipliers=tuple(multipliers))
