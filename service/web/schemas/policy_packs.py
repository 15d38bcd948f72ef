"""Schemas of what is put into the catalog of policy packs."""

from __future__ import annotations

from service.domains.policy_packs import PolicyPackUpsert
from service.domains.values.bounds import DEFAULT_BOUNDS, Bounds
from service.web.schemas.derive import StructSchema, loader_of


def policy_pack_upsert(
    *, refuse_unknown: bool = False, bounds: Bounds | None = DEFAULT_BOUNDS
) -> StructSchema:
    return loader_of(PolicyPackUpsert, refuse_unknown, bounds)
