"""What may be traded, and which weights are aimed at (engine specification, 3.3 and 3.4)."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from service.domains.rebalances.results.values import InstrumentId, RunStatusText, Value
from service.domains.values.money import Money


class ExcludedInstrument(Value, frozen=True, kw_only=True):
    """An instrument that is kept out of trading, and why."""

    instrument_id: InstrumentId
    reason_code: str
    """Why the instrument is not bought, or not traded at all.

    - SHELF_STATUS_BANNED: The model wants it, but the shelf bans it; its weight stays in cash.
    - SHELF_STATUS_SUSPENDED: The model wants it, but the shelf suspends it; its weight stays in cash.
    - SHELF_STATUS_RESTRICTED: The model wants it, but it is restricted and `allow_restricted` is false.
    - SHELF_STATUS_SELL_ONLY: The model wants it, but it may only be sold; others share its model weight.
    - LOCKED_DUE_TO_BANNED: It is held and banned; the holding is kept at its weight.
    - LOCKED_DUE_TO_SUSPENDED: It is held and suspended; the holding is kept at its weight.
    - LOCKED_DUE_TO_RESTRICTED: It is held and restricted; the holding is kept at its weight.
    - LOCKED_DUE_TO_MISSING_SHELF: It is held but the shelf does not list it; it is kept at its weight.
    """
    details: str | None = None
    """Always null."""


class UniverseCoverage(Value, frozen=True, kw_only=True):
    """Published for the sake of the contract; nothing is measured."""

    price_coverage_pct: Decimal
    """1, or 0 where the run was blocked before trades; missing prices are listed in the diagnostics."""
    fx_coverage_pct: Decimal
    """1, or 0 where the run was blocked before trades; missing rates are listed in the diagnostics."""


class UniverseData(Value, frozen=True, kw_only=True):
    """Which instruments may be bought and sold in a run."""

    universe_id: str
    """`u_` and the id of the run."""
    eligible_for_buy: tuple[str, ...]
    """Ids of model targets that the shelf allows to buy, in the order of the model."""
    eligible_for_sell: tuple[str, ...]
    """Ids of instruments that the shelf allows to sell: targets first, then holdings without a target."""
    excluded: tuple[ExcludedInstrument, ...]
    """Instruments that are not bought or not traded; a held target can be listed for both reasons."""
    coverage: UniverseCoverage
    """Not measured; tells only whether the run was blocked before trades."""


class TargetInstrument(Value, frozen=True, kw_only=True):
    """The weight that the run aims at for one instrument."""

    instrument_id: InstrumentId
    model_weight: Decimal
    """Weight in the model portfolio as a fraction of one; 0 for a holding that the model does not name."""
    final_weight: Decimal
    """Weight that the trades aim at, as a fraction of one, not rounded for display."""
    final_value: Money
    """Final weight times the total value before trades, in the base currency."""
    tags: tuple[str, ...]
    """What became of the model weight; empty where the final weight is the model's.

    - CAPPED_BY_MAX_WEIGHT: The final weight is below the model's, whichever limit cut it.
    - REDISTRIBUTED_RECIPIENT: The final weight is above the model's: it took over weight of others.
    - IMPLICIT_SELL_TO_ZERO: It is held but not in the model, and is sold.
    - LOCKED_POSITION: It is held but may not be traded, and keeps its weight.
    """


class TargetData(Value, frozen=True, kw_only=True):
    """The weights that the run aims at."""

    target_id: str
    """`t_` and the id of the run."""
    strategy: dict[str, str]
    """Always empty."""
    targets: tuple[TargetInstrument, ...]
    """Model targets in their order, then other holdings; empty where the limits cannot be met."""


class TargetMethodComparison(Value, frozen=True, kw_only=True):
    """How the two target methods differ on the same request."""

    primary_method: str
    """Method that the options ask for; the trades follow it.

    - HEURISTIC: Limits are applied one after the other.
    - SOLVER: The weights nearest to the model under all limits at once.
    """
    primary_status: RunStatusText
    """What the primary method came to."""
    alternate_method: str
    """The other method; it was run for the comparison only.

    - HEURISTIC: Limits are applied one after the other.
    - SOLVER: The weights nearest to the model under all limits at once.
    """
    alternate_status: RunStatusText
    """What the other method came to."""
    tolerance: str
    """Difference of weights up to which two are taken as equal, as a fraction of one."""
    differing_instruments: tuple[str, ...]
    """Ids of the instruments whose weights differ by more than the tolerance, in ascending order."""
    alternate_warnings: tuple[str, ...]
    """Warnings of the other method, each once, in ascending order; see the warnings of the diagnostics."""


class Explanation(Value, frozen=True, kw_only=True):
    """Summary and method comparison; blocks A and B carry the summary only (section 8)."""

    summary: str
    """Status of the run as text; `Blocked` where a rebalance was blocked before trades."""
    target_method_comparison: TargetMethodComparison | msgspec.UnsetType | None = msgspec.UNSET
    """How the other target method differs; null where no comparison was asked for, absent where a run was
    blocked before trades and in proposals."""
