"""Which limits bind at the nearest point: the search that must end, and what a guess shares with it.

Problem: minimise the sum of (w_i - wish_i)^2 subject to 0 <= w_i <= ceiling and, for each row, low <=
sum of the row's weights <= high; all in whole numbers. With one multiplier per row (positive presses
down on high, negative lifts up to low) the only candidate is

    w_i = wish_i - shift, clipped to [0, ceiling],   shift = sum of the multipliers of i's rows

so a few multipliers decide everything, and names under the same rows form a block with one shift. In a
block sorted by wish those at 0 are a head and those at the ceiling a tail; two marks describe it.

Example: wishes 5, 3, 1 with a total of at most 6 have the multiplier 1 and the weights 4, 2, 0.

Rounding: none. Multipliers share one denominator, a determinant of counts of free names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from service.engines.quadratic.tallies import Answer, Problem, Tally, dot, marks


def search(problem: Problem) -> Answer:
    """The dual active-set method of Goldfarb and Idnani (1983) in whole numbers; it always ends with a proof.

    Held are the limits that bind, bounds included, and with them the nearest point for these limits alone.
    A round takes a broken limit and raises its pressure until it holds (a full step) or until the pressure
    of a binding limit falls to zero, which is then let go (a partial step). If neither ever happens the
    pressures can grow for ever: the limits contradict each other in the proportions of that growth.

    It ends because a limit is only let go while another is pressed, so no more partial steps follow each
    other than limits bind; each full step ends at the nearest point for its binding limits and strictly
    farther from the wishes than the one before, so no set of binding limits comes back; and there are
    finitely many sets. Binding limits stay independent, because one that depends on the others cannot
    take a full step; hence no pivot on the way is zero, however tied the problem is.
    """
    binding, rounds = Binding.start(problem), 0
    while True:
        multipliers, _, denominator = binding.solve(None)
        broken = binding.most_broken(multipliers, denominator)
        if broken is None:
            return Answer(True, tuple(multipliers), denominator, rounds)
        holds = False
        while not holds:
            rounds += 1
            base, slope, denominator = binding.solve(broken)
            holds, released = binding.first_event(broken, base, slope, denominator)
            if released is not None:
                binding.move(released, -1)
            elif not holds:
                return Answer(False, tuple(-value for value in slope), denominator, rounds)
        binding.move(broken, 1)


class Limit(NamedTuple):
    """One side (1 high, -1 low) of a row, or of the bounds of the name at that side's mark of a block."""

    side: int
    place: int
    of_row: bool


@dataclass(slots=True)
class Binding:
    """The limits that bind: names before a head at 0, from a tail on at the ceiling; rows by side, or 0."""

    problem: Problem
    heads: list[int]
    tails: list[int]
    sides: list[int]
    tally: Tally

    @classmethod
    def start(cls, problem: Problem) -> Binding:
        """Only bounds bind: the wishes, clipped."""
        nothing = [0] * len(problem.rows)
        ends = [marks(block, problem.ceiling, 0, 1) for block in problem.blocks]
        heads, tails = [head for head, _ in ends], [tail for _, tail in ends]
        return cls(problem, heads, tails, nothing, Tally.of(problem, nothing, 1))

    def move(self, limit: Limit, step: int) -> None:
        """Bind a limit (step 1) or let it go (step -1)."""
        side, index, of_row = limit
        if of_row:
            self.sides[index] = side if step > 0 else 0
            return
        block = self.problem.blocks[index]
        if side < 0:
            name, bound = self.heads[index] - (step < 0), 0
            self.heads[index] += step
        else:
            name, bound = self.tails[index] - (step > 0), self.problem.ceiling or 0
            self.tails[index] -= step
        self.tally.add(block.rows, -step, step * (bound - block.targets[name]))

    def solve(self, pressed: Limit | None) -> tuple[list[int], list[int], int]:
        """Multipliers, (base - u * slope) / last, that keep binding rows tight if a limit is pressed by u."""
        shared, fixed, rows = self.tally.shared, self.tally.fixed, self.problem.rows
        push, base, slope = ([0] * len(rows) for _ in range(3))
        if pressed is not None and pressed.of_row:
            push = [pressed.side * count for count in shared[pressed.place]]
        elif pressed is not None:
            for row in self.problem.blocks[pressed.place].rows:
                push[row] = pressed.side
        bound = [row for row, side in enumerate(self.sides) if side]
        # Each round looks at all rows and at the marks of all blocks, too.
        self.problem.steps.spend(elimination_steps(len(bound)) + len(rows) ** 2 + 2 * self.problem.walk_steps)
        over = {j: fixed[j] - rows[j].at(self.sides[j]) for j in bound}
        table = [[*[shared[j][k] for k in bound], over[j], push[j]] for j in bound]
        denominator = eliminate(table)
        for row, line in zip(bound, table, strict=True):
            base[row], slope[row] = line[-2:]
        if pressed is not None and pressed.of_row:
            slope[pressed.place] = -pressed.side * denominator
        return base, slope, denominator

    def excess(self, limit: Limit, multipliers: Sequence[int], denominator: int) -> int:
        """By how much the point breaks a limit, times the denominator."""
        side, index, of_row = limit
        if of_row:
            total = self.tally.sum_of(index, multipliers, denominator)
            return side * (total - self.problem.rows[index].at(side) * denominator)
        block = self.problem.blocks[index]
        head, tail = self.heads[index], self.tails[index]
        bare = block.targets[head] if side < 0 else block.targets[tail - 1] - (self.problem.ceiling or 0)
        return side * (bare * denominator - sum([multipliers[row] for row in block.rows]))

    def most_broken(self, multipliers: Sequence[int], denominator: int) -> Limit | None:
        """The bound broken by most, else the row broken by most, else None; the first among equals."""
        sides = (-1,) if self.problem.ceiling is None else (-1, 1)
        blocks = [index for index, head in enumerate(self.heads) if head < self.tails[index]]
        bounds = [Limit(side, index, False) for index in blocks for side in sides]
        rows = [Limit(1, index, True) for index in range(len(self.sides))]
        rows += [Limit(-1, index, True) for index, row in enumerate(self.problem.rows) if row.low is not None]
        for limits in (bounds, rows):
            excesses = [self.excess(limit, multipliers, denominator) for limit in limits]
            most = max(excesses, default=0)
            if most > 0:
                return limits[excesses.index(most)]
        return None

    def first_event(
        self, pressed: Limit, base: Sequence[int], slope: Sequence[int], denominator: int
    ) -> tuple[bool, Limit | None]:
        """What comes first as u grows: the pressed limit holds, or a limit to let go; else (False, None)."""
        relief = self._relief(pressed, slope, denominator)
        holds = relief > 0
        # The first event so far is at u = above / below; fractions are compared crosswise.
        above, below = (self.excess(pressed, base, denominator), relief) if holds else (1, 0)
        released = None
        for limit, value, fall in self._pressures(base, slope, denominator):
            if fall > 0 and value * below < above * fall:
                holds, above, below, released = False, value, fall, limit
        return holds, released

    def _relief(self, pressed: Limit, slope: Sequence[int], denominator: int) -> int:
        """How much a unit of u lowers the excess of the pressed limit, times the denominator.

        Never negative; zero if the limit depends on the binding ones, so that pressing moves no weight.
        """
        if pressed.of_row:
            # The pressed row's own multiplier is part of the slope.
            return -pressed.side * dot(self.tally.shared[pressed.place], slope)
        rows = self.problem.blocks[pressed.place].rows
        return denominator - pressed.side * sum([slope[row] for row in rows])

    def _pressures(
        self, base: Sequence[int], slope: Sequence[int], denominator: int
    ) -> Iterator[tuple[Limit, int, int]]:
        """Pressures of binding limits, value - u * fall; of a block, those next to a mark fall first."""
        for row, side in enumerate(self.sides):
            if side:
                yield Limit(side, row, True), side * base[row], side * slope[row]
        ceiling = self.problem.ceiling or 0
        for index, block in enumerate(self.problem.blocks):
            fall = sum([slope[row] for row in block.rows])
            head, tail = self.heads[index], self.tails[index]
            if fall > 0 and head > 0:
                side, bare = -1, block.targets[head - 1]
            elif fall < 0 and tail < len(block.targets):
                side, bare = 1, block.targets[tail] - ceiling
            else:
                continue
            shift = sum([base[row] for row in block.rows])
            yield Limit(side, index, False), side * (bare * denominator - shift), abs(fall)


def elimination_steps(lines: int) -> int:
    """What it takes to eliminate so many lines, whose numbers grow on the way."""
    return lines**3 * (4 + lines // 8)


def eliminate(table: list[list[int]]) -> int:
    """Solve a symmetric, positive semidefinite system in place by fraction-free Gauss-Jordan elimination.

    Each line of the table is a line of the matrix followed by its right sides, which become numerators of
    the solution; the denominator they share, a determinant, is returned. In such a matrix a zero pivot means
    that the line depends on those before it: its unknown is 0 and the line is left out.
    """
    pivot = 1
    for k, line in enumerate(table):
        last, pivot = pivot, line[k] or pivot
        if line[k] == 0:
            line[:] = [0] * len(line)
            continue
        for i, other in enumerate(table):
            factor = other[k]
            if i != k:
                pairs = zip(other[k + 1 :], line[k + 1 :], strict=True)
                other[k + 1 :] = [(pivot * a - factor * b) // last for a, b in pairs]
    return pivot
