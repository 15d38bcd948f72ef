"""Answers about policy packs."""

from __future__ import annotations

import msgspec

from service.domains.policy_packs import PackSource, PolicyPack
from service.domains.values.published import published


@published("DpmEffectivePolicyPackResolution")
class EffectivePolicyPack(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmEffectivePolicyPackResolution`, and whether there is such a pack; null if that is not known."""

    enabled: bool
    """Whether policy packs are switched on."""
    selected_policy_pack_id: str | None
    """Policy pack that the headers and settings select; null where they select none."""
    source: PackSource
    """Where the selection comes from."""
    selected_policy_pack_present: bool | None
    """Whether the catalog has that pack; null where none is selected or the catalog cannot be asked."""


@published("DpmPolicyPackCatalogResponse")
class PolicyPackCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmPolicyPackCatalogResponse`."""

    enabled: bool
    """Whether policy packs are switched on."""
    total: int
    """How many policy packs the catalog has."""
    selected_policy_pack_id: str | None
    """Policy pack that the headers and settings select; null where they select none."""
    selected_policy_pack_present: bool
    """Whether the catalog has that pack."""
    selected_policy_pack_source: PackSource
    """Where the selection comes from."""
    items: list[PolicyPack]
    """All policy packs in ascending order of their ids."""


@published("DpmPolicyPackMutationResponse")
class PolicyPackMutation(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmPolicyPackMutationResponse`."""

    item: PolicyPack
    """The policy pack as it is from now on."""
