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
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import NamedTuple


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
    wishes: tuple[int, ...]
    sums: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Every name lies in exactly one block; each block's rows are indices into rows.

    blocks_of names the blocks of each row. masks has a bit for each name of a row, block after block, so that
    what two rows share is counted a machine word at a time.
    """

    blocks: tuple[Block, ...]
    rows: tuple[Row, ...]
    ceiling: int | None
    blocks_of: tuple[tuple[int, ...], ...]
    masks: tuple[int, ...]

    @classmethod
    def of(cls, blocks: tuple[Block, ...], rows: tuple[Row, ...], ceiling: int | None) -> Problem:
        blocks_of: list[list[int]] = [[] for _ in rows]
        for index, block in enumerate(blocks):
            for row in block.rows:
                blocks_of[row].append(index)
        starts = list(accumulate([len(block.names) for block in blocks], initial=0))
        masks = tuple(
            [_mask(starts[-1], [(starts[index], starts[index + 1]) for index in held]) for held in blocks_of]
        )
        return cls(blocks, rows, ceiling, tuple(map(tuple, blocks_of)), masks)

    def shared_by_rows(self, heads: Sequence[int], tails: Sequence[int]) -> list[list[int]]:
        """How many names between the marks of their blocks each two rows have in common."""
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


def _mask(size: int, spans: Iterable[tuple[int, int]]) -> int:
    digits = bytearray(b"0") * (size + 1)
    for start, end in spans:
        digits[start:end] = b"1" * (end - start)
    return int(digits, 2)


class Answer(NamedTuple):
    """Multipliers over one positive denominator, of the nearest point or of a contradiction.

    If infeasible, multiplier * limit adds up to less than multiplier * row sum for any weights within the
    bounds; all multipliers are zero where the bounds, or the two limits of one row, are empty.
    """

    feasible: bool
    multipliers: tuple[int, ...]
    denominator: int
    rounds: int


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
        look_up, ceiling = multipliers.__getitem__, problem.ceiling or 0
        heads, tails, fixed = [], [], []
        for block in problem.blocks:
            head, tail = marks(block, problem.ceiling, sum(map(look_up, block.rows)), denominator)
            heads.append(head)
            tails.append(tail)
            fixed.append(block.sums[tail] - block.sums[head] + (len(block.wishes) - tail) * ceiling)
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
    head = bisect_left(block.wishes, -(-shift // denominator))
    if ceiling is None:
        return head, len(block.wishes)
    # With a ceiling of 0 a name may be on both bounds at once.
    return head, max(head, bisect_right(block.wishes, ceiling + shift // denominator))


def dot(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(map(mul, left, right))
