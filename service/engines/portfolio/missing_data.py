"""What the stages of an engine report beside their values: the data they did not find."""

from __future__ import annotations

import msgspec

from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.results.diagnostics import DataQuality


class MissingData(msgspec.Struct, frozen=True):
    """Missing data in the order it was noticed; repeats are kept, for every stage reports what it missed."""

    prices: tuple[str, ...] = ()
    rates: tuple[str, ...] = ()
    shelf: tuple[str, ...] = ()
    # Prices that give figures too wide to write; they are listed under prices too and always block.
    unusable_prices: int = 0

    def __add__(self, other: MissingData) -> MissingData:
        if self is NO_GAPS:
            return other
        if other is NO_GAPS:
            return self
        return MissingData(
            self.prices + other.prices,
            self.rates + other.rates,
            self.shelf + other.shelf,
            self.unusable_prices + other.unusable_prices,
        )

    def blocking(self, options: EngineOptions) -> int:
        """How many entries these options do not let pass."""
        return (
            (len(self.prices) if options.block_on_missing_prices else self.unusable_prices)
            + (len(self.rates) if options.block_on_missing_fx else 0)
            + len(self.shelf)
        )

    def published(self) -> DataQuality:
        return DataQuality(price_missing=self.prices, fx_missing=self.rates, shelf_missing=self.shelf)


NO_GAPS = MissingData()
