"""Every engine version that can still be run; a stored run is replayed on the version that made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from service.domains.rebalances.requests import RebalanceRequest
from service.domains.rebalances.results.rebalance import RebalanceResult
from service.engines.dpm import v1


class Simulate(Protocol):
    """An engine; see pipeline.simulate."""

    def __call__(
        self,
        request: RebalanceRequest,
        identity: v1.RunIdentity,
        bytes_max: int | None = None,
        /,
    ) -> RebalanceResult: ...


CURRENT_VERSION = v1.ENGINE_VERSION

ENGINES: Mapping[str, Simulate] = {v1.ENGINE_VERSION: v1.simulate}


def engine_of(version: str = CURRENT_VERSION) -> Simulate:
    """The engine of that version; a KeyError means a version this release does not carry."""
    return ENGINES[version]
