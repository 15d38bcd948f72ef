"""Says where the rules of thumb end without taking each of their rounded steps (engine specification, 6.5).

Problem: a comparison of methods shows neither the weights of the other method nor what its caps release, only
how it went and which weights differ by more than a tolerance; hundreds of caps over thousands of names take
millions of rounded divisions to say no more.

Example: a weight that is 0.0212 to within 1E-15 differs from 0.0200 by more than 0.0001, whatever its 28th
digit is.

Method: a cap multiplies all names outside of its group by the same number, so one factor stands for all of
them and only members are touched. This is done in 60 digits, and beside it goes a bound of how far the
steps of 28 digits may be from it. Where a decision lies within that bound nothing is answered, and the steps
are to be taken one by one.

Rounding: that of 60 digits; what is answered is what 28 digits answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import NamedTuple

from service.domains.rebalances.results.values import RunStatusText
from service.domains.values.money import ONE, ZERO
from service.engines.dpm.comparison.near_caps import UNIT, WIDE, NearWeights, Undecided, is_above
from service.engines.dpm.request_index import RequestIndex
from service.engines.dpm.stages.groups import NO_DESTINATION, CapsRead, Located, read_groups
from service.engines.dpm.stages.targets import (
    EXCESS_TOLERANCE,
    FULLY_INVESTED,
    Split,
    redistribute_forfeited,
    split_keys,
    weight_sum,
)
from service.engines.dpm.stages.universe import NO_WEIGHT, Universe


class NearTargets(NamedTuple):
    """How the rules of thumb went; weights are off by at most `error`, and not at all where known exactly."""

    status: RunStatusText
    warnings: tuple[str, ...]
    weights: Mapping[str, Decimal]
    exact: frozenset[str]
    error: Decimal

    def differing(self, ours: Mapping[str, Decimal], tolerance: Decimal) -> list[str]:
        """Names whose weights differ by more than the tolerance. Raises Undecided."""
        found = []
        with localcontext(WIDE):
            for key in ours.keys() | self.weights.keys():
                over = abs(ours.get(key, ZERO) - self.weights.get(key, ZERO)) - tolerance
                if is_above(over, ZERO if key in self.exact or key not in self.weights else self.error):
                    found.append(key)
        return found


def near_heuristic(index: RequestIndex, universe: Universe, caps: CapsRead | None = None) -> NearTargets:
    """The five steps of the rules of thumb, to within an error. Raises Undecided.

    Caps that have been read already, with the places of their members, need not be read again.
    """
    options = index.options
    split = split_keys(universe)
    given = redistribute_forfeited(universe, split)
    near = NearWeights(given.weights, split)
    read, located = caps or _caps_of(index, universe, near.place)
    with localcontext(WIDE):
        warnings: list[str] = []
        for entry in read.entries:
            if isinstance(entry, str):
                warnings.append(entry)
            elif entry.members and near.exceeds(entry, located[entry.key]):
                warnings.append(f"CAPPED_BY_GROUP_LIMIT_{entry.key}")
                if not near.cap(entry):
                    warnings.append(NO_DESTINATION)
                    return NearTargets("BLOCKED", tuple(warnings), {}, frozenset(), ZERO)
        if near.is_untouched:
            # The rounded steps are few then.
            raise Undecided
        last = _LastSteps(near, split)
        review = given.review | last.normalise()
        if options.single_position_max_weight is not None:
            review |= last.cap_positions(options.single_position_max_weight)
        if options.min_cash_buffer_pct > 0:
            review |= last.shrink((ONE - options.min_cash_buffer_pct) - last.locked())
        missing = {row.instrument_id: NO_WEIGHT for row in index.targets}
        exact = last.exact | (missing.keys() - last.weights.keys())
        return NearTargets(
            "PENDING_REVIEW" if review else "READY",
            tuple(warnings),
            missing | last.weights,
            frozenset(exact),
            last.error,
        )


def _caps_of(index: RequestIndex, universe: Universe, place: Mapping[str, int]) -> CapsRead:
    read = read_groups(index, universe.eligible)
    return CapsRead(read, {group.key: Located.of(group.members, place) for group in read.groups})


class _LastSteps:
    """The steps after the caps, on weights that may each be off by `error`, or not at all where `exact`."""

    def __init__(self, near: NearWeights, split: Split) -> None:
        self.weights = near.all()
        self.split = split
        self.error = near.error(self.weights)
        self.exact = near.exact(self.weights)

    def slack(self) -> Decimal:
        """How far any sum of weights may be off."""
        magnitude = sum(map(abs, self.weights.values()), ZERO)
        return len(self.weights) * (self.error + UNIT * magnitude)

    def locked(self) -> Decimal:
        return weight_sum(self.weights, self.split.others)

    def normalise(self) -> bool:
        """Whether someone should look at it; so do all steps answer. Raises Undecided, as they all do."""
        slack = self.slack()
        if not is_above(sum(self.weights.values(), ZERO) - FULLY_INVESTED, slack):
            return False
        locked = self.locked()
        is_overfull = bool(self.split.others) and is_above(locked - ONE, slack)
        return self.shrink(ONE - locked) | is_overfull

    def shrink(self, allowed: Decimal) -> bool:
        slack = self.slack()
        doubt = slack if self.split.others else UNIT
        if not (is_above(allowed, slack) if self.split.others else allowed > 0):
            allowed = doubt = ZERO
        wanted = weight_sum(self.weights, self.split.buyable)
        if not is_above(wanted - allowed, slack + doubt):
            return False
        ratio = allowed / wanted
        largest = max(map(abs, self.weights.values()))
        off = 2 * largest * ((doubt + ratio * slack) / wanted + 4 * UNIT * ratio)
        self.error = max(self.error, self.error * ratio + off)
        for key in self.split.buyable:
            self.weights[key] *= ratio
            if not self.weights[key]:
                self.exact.add(key)
            else:
                self.exact.discard(key)
        return True

    def cap_positions(self, cap: Decimal) -> bool:
        slack = self.slack()
        over = {key: weight - cap for key, weight in self.weights.items()}
        above = {key for key, excess in over.items() if is_above(excess, self._error_of(key))}
        if not above:
            return False
        excess = sum([over[key] for key in above], ZERO)
        for key in above:
            self.weights[key] = cap
        self.exact |= above
        # A name that is not above is below, or known exactly.
        candidates = [key for key in self.split.buyable if over[key] < 0]
        if not any([self.weights[key] for key in candidates]):
            return True
        room = weight_sum(self.weights, candidates)
        if not is_above(room, slack):
            return True
        rest, rest_error, error = excess, slack, self.error
        for key in candidates:
            weight = self.weights[key]
            if not weight:
                continue
            part = weight / room
            wished, free = rest * part, cap - weight
            off = rest_error * abs(part) + abs(rest) * (self.error + abs(part) * slack) / room
            share = min(wished, free)
            off = max(off, self.error) + 4 * UNIT * (abs(wished) + abs(free))
            self.weights[key] = weight + share
            rest, rest_error = rest - share, rest_error + off + UNIT * abs(rest)
            error = max(error, self.error + off + UNIT * abs(weight + share))
            self.exact.discard(key)
        self.error = error
        return is_above(rest - EXCESS_TOLERANCE, rest_error)

    def _error_of(self, key: str) -> Decimal:
        return ZERO if key in self.exact else self.error
