"""What a proposal artifact says of the portfolio before and after (advisory specification, 4.3)."""

from __future__ import annotations

from typing import Literal

from service.domains.rebalances.results.rebalance import Reconciliation
from service.domains.rebalances.results.states import AllocationMetric
from service.domains.rebalances.results.values import Value
from service.domains.values.money import Money
from service.domains.values.published import published


@published("ProposalArtifactPortfolioState")
class ArtifactState(Value, frozen=True, kw_only=True):
    """The rows of a state from the heaviest to the lightest."""

    total_value: Money
    """Positions and cash together, in the base currency."""
    allocation_by_asset_class: tuple[AllocationMetric, ...]
    """Value by asset class, the heaviest first; cash is `CASH`."""
    allocation_by_instrument: tuple[AllocationMetric, ...]
    """Value by position, the heaviest first; cash is left out."""


@published("ProposalArtifactWeightChange")
class WeightChange(Value, frozen=True, kw_only=True):
    """How the weight of one instrument changes."""

    bucket_type: Literal["INSTRUMENT"] = "INSTRUMENT"
    """Kind of bucket.

    - INSTRUMENT: One instrument, whatever its asset class.
    """
    bucket_id: str
    """Id of the instrument."""
    weight_before: str
    """Weight before the proposal, a fraction of one with four decimals."""
    weight_after: str
    """Weight after the proposal, a fraction of one with four decimals."""
    delta: str
    """Weight after less weight before, with four decimals."""


@published("ProposalArtifactPortfolioDelta")
class ArtifactDelta(Value, frozen=True, kw_only=True):
    """What the proposal changes."""

    total_value_delta: Money
    """Total value after less total value before, in the base currency."""
    largest_weight_changes: tuple[WeightChange, ...]
    """Instruments whose weights change, the largest change first."""


@published("ProposalArtifactPortfolioImpact")
class PortfolioImpact(Value, frozen=True, kw_only=True):
    """The portfolio before and after."""

    before: ArtifactState
    """Portfolio before the proposal."""
    after: ArtifactState
    """Portfolio after the proposal."""
    delta: ArtifactDelta
    """What the proposal changes."""
    reconciliation: Reconciliation
    """Value after compared with the value before and the cash flows."""
