"""The problem of the projection in whole numbers, and what a point adds up to under its limits.

Names under the same rows form a block with one shift. In a block sorted by wish those at 0 are a head and
those at the ceiling a tail, so two marks describe it; all else follows from counts and sums between them.
Counting takes a step for every two rows and sixty-four names, whatever the names lie under.

Example: of the wishes 1, 3, 5 under a shift of 1 the head is the first; 2 and 4 are free.

Rounding: none.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import mul, sub
from typing import NamedTuple


class TooManySteps(Exception):
    """Raised where an answer has taken all the steps it may take."""


@dataclass(slots=True)
class Steps:
    """What is left of the steps that an answer may take, each about a product of two whole numbers.

    They are counted from sizes, not by a clock, so the same request ends alike on every machine.
    """

    left: float = float("inf")

    def spend(self, count: float) -> None:
        self.left -= count
        if self.left < 0:
            raise TooManySteps


class Row(NamedTuple):
    """A limit on a sum of weights; low is None where nothing must be reached."""

    low: int | None
    high: int
    size: int

    def at(self, side: int) -> int:
        """The limit on that side, 1 high or -1 low."""
        limit = self.high if side > 0 else self.low
        assert limit is not None, "only a row with a low limit can lift"
        return limit


@dataclass(frozen=True, slots=True)
class Block:
    """Names under exactly the same rows, smallest wish first; sums[k] adds up the first k wishes."""

    rows: tuple[int, ...]
    names: tuple[int, ...]
    targets: tuple[int, ...]
    sums: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Every name lies in exactly one block; each block's rows are indices into rows.

    blocks_of names the blocks of each row. masks has a bit for each name of a row, block after block, so that
    what two rows share is counted a machine word at a time. steps is what its answer may still take.
    """

    blocks: tuple[Block, ...]
    rows: tuple[Row, ...]
    ceiling: int | None
    blocks_of: tuple[tuple[int, ...], ...]
    masks: tuple[int, ...]
    steps: Steps = field(default_factory=Steps, compare=False)
    # The free names by block and what they gave; at most one.
    last_count: list[tuple[list[int], list[list[int]]]] = field(default_factory=list, compare=False)

    @classmethod
    def of(
        cls,
        blocks: tuple[Block, ...],
        rows: tuple[Row, ...],
        ceiling: int | None,
        steps_max: float = float("inf"),
    ) -> Problem:
        blocks_of: list[list[int]] = [[] for _ in rows]
        for index, block in enumerate(blocks):
            for row in block.rows:
                blocks_of[row].append(index)
        starts = list(accumulate([len(block.names) for block in blocks], initial=0))
        masks = tuple([_mask_of(starts, held) for held in blocks_of])
        return cls(blocks, rows, ceiling, tuple(map(tuple, blocks_of)), masks, Steps(steps_max))

    @property
    def walk_steps(self) -> int:
        """What a walk through all blocks takes."""
        return 30 * len(self.blocks) + 2 * sum(map(len, self.blocks_of))

    @property
    def count_steps(self) -> int:
        """What it takes to count the names that each two rows share."""
        return len(self.rows) ** 2 * (5 + self.rows[0].size // 1000) // 2

    def shared_by_rows(self, heads: Sequence[int], tails: Sequence[int]) -> list[list[int]]:
        """How many names between the marks of their blocks each two rows have in common.

        Marks move little from one time to the next, so what was counted last is mostly mended.
        """
        free = list(map(sub, tails, heads))
        shared = self._mended(free) or self._counted(heads, tails)
        self.last_count[:] = [(free, shared)]
        return [line.copy() for line in shared]

    def _mended(self, free: Sequence[int]) -> list[list[int]] | None:
        if not self.last_count:
            return None
        before, shared = self.last_count[0]
        changed = [
            (self.blocks[index].rows, change) for index, change in enumerate(map(sub, free, before)) if change
        ]
        if sum([len(rows) ** 2 for rows, _ in changed]) > self.count_steps // 2:
            return None
        for rows, change in changed:
            for j in rows:
                line = shared[j]
                for k in rows:
                    line[k] += change
        return shared

    def _counted(self, heads: Sequence[int], tails: Sequence[int]) -> list[list[int]]:
        spans, start = [], 0
        for block, head, tail in zip(self.blocks, heads, tails, strict=True):
            spans.append((start + head, start + tail))
            start += len(block.names)
        free = _mask(start, spans)
        shared = [[0] * len(self.rows) for _ in self.rows]
        for j, mask in enumerate(self.masks):
            held, line = mask & free, shared[j]
            for k, count in enumerate([(held & other).bit_count() for other in self.masks[: j + 1]]):
                line[k] = shared[k][j] = count
        return shared


def _mask_of(starts: Sequence[int], blocks: Sequence[int]) -> int:
    """A bit for each name of these blocks; starts has the place of the first name of each, and the end."""
    digits = bytearray(b"0") * (starts[-1] + 1)
    for index in blocks:
        start, end = starts[index], starts[index + 1]
        if end == start + 1:
            digits[start] = 0x31
        else:
            digits[start:end] = b"1" * (end - start)
    return int(digits, 2)


def _mask(size: int, spans: Iterable[tuple[int, int]]) -> int:
    digits = bytearray(b"0") * (size + 1)
    for start, end in spans:
        digits[start:end] = b"1" * (end - start)
    return int(digits, 2)


class Answer(NamedTuple):
    """Multipliers over one positive denominator, of the nearest point or of a contradiction.

    If infeasible, multiplier * limit adds up to less than multiplier * row sum for any weights within the
    bounds; all multipliers are zero where the bounds, or the two limits of one row, are empty. One that is
    not proved is what is said after too many steps.
    """

    feasible: bool
    multipliers: tuple[int, ...]
    denominator: int
    rounds: int
    proved: bool = True


@dataclass(slots=True)
class Tally:
    """What the marks of all blocks add up to, per row.

    A name is free between its block's marks. shared[j][k] counts the free names in both rows; fixed[j]
    adds up the wishes of the free and the weights of the others. Row sums: fixed - shared @ multipliers.
    """

    shared: list[list[int]]
    fixed: list[int]

    @classmethod
    def of(cls, problem: Problem, multipliers: Sequence[int], denominator: int) -> Tally:
        """The tally of the point that belongs to these multipliers."""
        problem.steps.spend(problem.walk_steps + problem.count_steps)
        look_up, ceiling = multipliers.__getitem__, problem.ceiling or 0
        heads, tails, fixed = [], [], []
        for block in problem.blocks:
            head, tail = marks(block, problem.ceiling, sum(map(look_up, block.rows)), denominator)
            heads.append(head)
            tails.append(tail)
            fixed.append(block.sums[tail] - block.sums[head] + (len(block.targets) - tail) * ceiling)
        of_block = fixed.__getitem__
        return cls(
            problem.shared_by_rows(heads, tails),
            [sum(map(of_block, blocks)) for blocks in problem.blocks_of],
        )

    def add(self, rows: Sequence[int], free: int, fixed: int) -> None:
        for j in rows:
            self.fixed[j] += fixed
            line = self.shared[j]
            for k in rows:
                line[k] += free

    def sum_of(self, row: int, multipliers: Sequence[int], denominator: int) -> int:
        """The row sum times the denominator."""
        return self.fixed[row] * denominator - dot(self.shared[row], multipliers)


def marks(block: Block, ceiling: int | None, shift: int, denominator: int) -> tuple[int, int]:
    """Where the block's head at 0 ends and its tail at the ceiling begins; names just on a bound are free."""
    head = bisect_left(block.targets, -(-shift // denominator))
    if ceiling is None:
        return head, len(block.targets)
    # With a ceiling of 0 a name may be on both bounds at once.
    return head, max(head, bisect_right(block.targets, ceiling + shift // denominator))


def dot(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(map(mul, left, right))
