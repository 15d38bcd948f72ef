"""Schemas of what a caller sends to simulate and to compare scenarios."""

from __future__ import annotations

from service.domains.options import EngineOptions
from service.domains.rebalances import BatchRebalanceRequest, RebalanceRequest
from service.web.schemas.derive import StructSchema, loader_of


def rebalance_request(*, refuse_unknown: bool = False) -> StructSchema:
    return loader_of(RebalanceRequest, refuse_unknown)


def batch_rebalance_request(*, refuse_unknown: bool = False) -> StructSchema:
    return loader_of(BatchRebalanceRequest, refuse_unknown)


def engine_options(*, refuse_unknown: bool = False) -> StructSchema:
    return loader_of(EngineOptions, refuse_unknown)
