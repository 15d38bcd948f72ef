"""Schemas of what a caller sends to simulate and to compare scenarios."""

from __future__ import annotations

from functools import cache

from service.domains.options import EngineOptions
from service.domains.rebalances import BatchRebalanceRequest, RebalanceRequest
from service.web.schemas.derive import StructSchema, schema_of


@cache
def rebalance_request(*, refuse_unknown: bool = False) -> StructSchema:
    return schema_of(RebalanceRequest, refuse_unknown=refuse_unknown)()


@cache
def batch_rebalance_request(*, refuse_unknown: bool = False) -> StructSchema:
    return schema_of(BatchRebalanceRequest, refuse_unknown=refuse_unknown)()


@cache
def engine_options(*, refuse_unknown: bool = False) -> StructSchema:
    return schema_of(EngineOptions, refuse_unknown=refuse_unknown)()
