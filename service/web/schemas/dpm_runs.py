"""Schemas of what a caller sends to simulate and to compare scenarios."""

from __future__ import annotations

from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.requests import BatchRebalanceRequest, RebalanceRequest
from service.domains.values.bounds import DEFAULT_BOUNDS, Bounds
from service.web.schemas.derive import StructSchema, loader_of


def rebalance_request(
    *, refuse_unknown: bool = False, bounds: Bounds | None = DEFAULT_BOUNDS
) -> StructSchema:
    return loader_of(RebalanceRequest, refuse_unknown, bounds)


def batch_rebalance_request(
    *, refuse_unknown: bool = False, bounds: Bounds | None = DEFAULT_BOUNDS
) -> StructSchema:
    return loader_of(BatchRebalanceRequest, refuse_unknown, bounds)


def engine_options(*, refuse_unknown: bool = False, bounds: Bounds | None = DEFAULT_BOUNDS) -> StructSchema:
    return loader_of(EngineOptions, refuse_unknown, bounds)
