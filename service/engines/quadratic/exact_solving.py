"""Solves a symmetric system of whole numbers exactly, without the growth of an elimination in whole numbers.

Problem: S x = b, where S counts the free names that limits share. By elimination the numbers on the way grow
with every line, so the time grows with more than the fourth power of the lines.

Example: 3 x + y = 5 and x + 2 y = 5 have x = 1, y = 2: the floats say 1.0000000000000002 and 2.0, one more
pass corrects them, and the fractions 1/1 and 2/1 are found and tried in both lines.

Method: iterative refinement (Wilkinson; for fractions Wan, 2006). Floats factorise S once. Each pass solves
for the exact residual and adds some thirty bits to all unknowns; from time to time the fractions nearest to
them are guessed by continued fractions and, in whole numbers, put into the system. So an answer is exact.

Rounding: of the floats, which decide how many passes it takes and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import add, mul

# A pivot this much smaller than its line's diagonal is taken for 0: the line depends on those before it.
PIVOT_MIN = 1e-9
# How many bits the unknowns are lengthened by at a time.
PASS_BITS = 30
# A pass that shrinks the residual by fewer bits than this: the system is too ill-conditioned for floats.
PASS_BITS_MIN = 4
FIRST_TRY_BITS = 60
# What a float can hold of a whole number.
FLOAT_BITS = 52
# How many of the last bits of an unknown may be wrong.
WRONG_BITS = 24

# Told of a number of steps; may raise.
Spend = Callable[[float], None]


def free_of_charge(_count: float) -> None:
    """For a system that may take any number of steps."""


def factor_steps(lines: int) -> int:
    """What it takes to factorise a matrix of so many lines, counted as tallies.Steps does."""
    return lines**3 // 10 + 5 * lines**2


class Factors:
    """L D L' of a symmetric positive semidefinite matrix; lines that depend on earlier ones are left out.

    lines holds the indices that are left; lower[i] the entries of L before its diagonal, upper[i] those of
    its column below the diagonal, last one first.
    """

    __slots__ = ("diagonal", "lines", "lower", "upper")

    def __init__(self, matrix: Sequence[Sequence[float]], pivot_min: float = PIVOT_MIN) -> None:
        self.lines: list[int] = []
        self.lower: list[list[float]] = []
        self.diagonal: list[float] = []
        scaled: list[list[float]] = []
        for index, line in enumerate(matrix):
            row: list[float] = []
            for place, pivot, above in zip(self.lines, self.diagonal, scaled, strict=True):
                row.append((line[place] - sum(map(mul, row, above))) / pivot)
            left = list(map(mul, row, self.diagonal))
            pivot = line[index] - sum(map(mul, row, left))
            if pivot > pivot_min * max(line[index], 1):
                self.lines.append(index)
                self.lower.append(row)
                self.diagonal.append(pivot)
                scaled.append(left)
        size = len(self.lines)
        self.upper = [[self.lower[j][i] for j in range(size - 1, i, -1)] for i in range(size)]

    def solve(self, right: Sequence[float]) -> list[float]:
        """The unknowns of the lines that are left, for right sides of these lines."""
        forward: list[float] = []
        for value, row in zip(right, self.lower, strict=True):
            forward.append(value - sum(map(mul, row, forward)))
        backward: list[float] = []
        for place in range(len(forward) - 1, -1, -1):
            backward.append(
                forward[place] / self.diagonal[place] - sum(map(mul, self.upper[place], backward))
            )
        backward.reverse()
        return backward


def solve_exactly(
    matrix: Sequence[Sequence[int]], right: Sequence[int], spend: Spend = free_of_charge
) -> tuple[list[int], int] | None:
    """Numerators of the unknowns and the denominator they share; None if floats do not lead there.

    A line that depends on earlier ones has the unknown 0 and is not looked at. Raises what `spend` raises,
    which is told of the steps before they are taken.
    """
    spend(factor_steps(len(matrix)))
    factors = Factors([list(map(float, line)) for line in matrix])
    lines = factors.lines
    system = [[matrix[j][k] for k in lines] for j in lines]
    solved = _refine(system, [right[j] for j in lines], factors, spend)
    if solved is None:
        return None
    numerators = [0] * len(matrix)
    for line, numerator in zip(lines, solved[0], strict=True):
        numerators[line] = numerator
    return numerators, solved[1]


def _refine(
    system: list[list[int]], right: list[int], factors: Factors, spend: Spend
) -> tuple[list[int], int] | None:
    """Fixed-point unknowns with more and more bits, until fractions near them solve the system."""
    weight = max([sum(map(abs, line)) for line in system], default=0).bit_length() + 1
    # Twice Hadamard's bound: what tells any two fractions apart that a solution can have.
    bits_max = 2 * (len(system) * weight + _width(right) + WRONG_BITS) + FIRST_TRY_BITS
    exact = [list(map(float, line)) for line in system]
    # Always: system @ unknowns + residual = right * 2**bits.
    unknowns, residual, bits, next_try = [0] * len(system), right, 0, FIRST_TRY_BITS
    while bits <= bits_max:
        wide = _width(residual)
        if wide == 0:
            return unknowns, 1 << bits
        if wide <= weight:
            if bits >= next_try:
                spend(len(system) * (bits * bits // 20_000 + len(system)))
                found = fractions_near(unknowns, bits)
                if found is not None and _solves(system, right, *found):
                    return found
                next_try = bits * 5 // 4
            bits, wide = bits + PASS_BITS, wide + PASS_BITS
            unknowns = [value << PASS_BITS for value in unknowns]
            residual = [value << PASS_BITS for value in residual]
        spend(len(system) ** 2)
        digits = _correction(factors, residual, max(0, wide - FLOAT_BITS))
        # Where no sum can need more bits than a float has, floats are exact and twice as fast.
        lines: Sequence[Sequence[float]] = exact if weight + _width(digits) <= FLOAT_BITS else system
        unknowns = list(map(add, unknowns, digits))
        residual = [
            value - int(sum(map(mul, line, digits))) for value, line in zip(residual, lines, strict=True)
        ]
        if _width(residual) > max(weight, wide - PASS_BITS_MIN):
            return None
    return None


def _width(numbers: Sequence[int]) -> int:
    return max(map(abs, numbers), default=0).bit_length()


def _correction(factors: Factors, residual: Sequence[int], lift: int) -> list[int]:
    """What to add to the unknowns, to the nearest whole number as far as floats can tell."""
    solved = factors.solve([float(value >> lift) for value in residual])
    if not lift:
        return list(map(round, solved))
    return [round(value * (1 << PASS_BITS)) << lift >> PASS_BITS for value in solved]


def fractions_near(numbers: Sequence[int], bits: int) -> tuple[list[int], int] | None:
    """Numerators over one denominator so near to numbers / 2**bits that fewer bits would give the same.

    None if there are none of so few digits. The denominator grows by what each number still lacks of it.
    """
    denominator, unit = 1, 1 << bits
    for number in numbers:
        rest = number * denominator % unit
        # Euclid's algorithm: q is the denominator of a convergent, and rest is how far q times it is off.
        before, q_before, q = unit, 0, 1
        while min(rest, unit - rest) >> WRONG_BITS > denominator * q:
            if rest == 0 or denominator * q >> (bits // 2 - WRONG_BITS // 2):
                return None
            times, below = divmod(before, rest)
            before, rest, q_before, q = rest, below, q, q_before + times * q
        denominator *= q
        if denominator >> (bits // 2):
            return None
    half = unit >> 1
    return [(number * denominator + half) >> bits for number in numbers], denominator


def _solves(system: list[list[int]], right: list[int], numerators: list[int], denominator: int) -> bool:
    return all(
        sum(map(mul, line, numerators)) == side * denominator
        for line, side in zip(system, right, strict=True)
    )
