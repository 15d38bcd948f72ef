"""The operations on policy packs and the catalog they are in."""

from __future__ import annotations

from http import HTTPStatus

from service.domains.policy_packs import PolicyPack, PolicyPackUpsert
from service.errors.policy_packs import (
    PolicyAdminDisabled,
    PolicyCatalogFull,
    PolicyDsnRequired,
    PolicyPackNotFound,
    PolicyStoreUnavailable,
)
from service.web.answers.policy_packs import EffectivePolicyPack, PolicyPackCatalog, PolicyPackMutation
from service.web.feature_flags import Flag
from service.web.handlers import policy_packs as policy_packs_handlers
from service.web.operations.row import PACK_HEADERS, Header, Operation, Refusals, Tag

CATALOG = "/rebalance/policies/catalog"
BY_PACK = f"{CATALOG}/{{policy_pack_id}}"
STORE: Refusals = (PolicyDsnRequired, PolicyStoreUnavailable)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/rebalance/policies/effective",
        name="get_effective_dpm_policy_pack",
        handler=policy_packs_handlers.get_effective,
        needs_store=False,
        tag=Tag.SUPPORT,
        summary="The pack that headers select",
        description="Which pack a request with these headers is under, whether it exists or not.",
        answer=EffectivePolicyPack,
        headers=PACK_HEADERS,
        tells_pack=True,
        example="effective_pack",
    ),
    Operation(
        method="GET",
        path=CATALOG,
        name="get_dpm_policy_pack_catalog",
        handler=policy_packs_handlers.list_packs,
        needs_store=False,
        tag=Tag.SUPPORT,
        summary="The catalog of packs",
        description="All packs by their ids, and which of them the headers select.",
        answer=PolicyPackCatalog,
        headers=PACK_HEADERS,
        refusals=STORE,
        example="pack_catalog",
    ),
    Operation(
        method="GET",
        path=BY_PACK,
        name="get_dpm_policy_pack",
        handler=policy_packs_handlers.get_pack,
        needs_store=False,
        tag=Tag.SUPPORT,
        summary="One pack",
        description="The pack as it was published last.",
        answer=PolicyPack,
        refusals=(PolicyPackNotFound, *STORE),
        example="pack",
    ),
    Operation(
        method="PUT",
        path=BY_PACK,
        name="upsert_dpm_policy_pack",
        handler=policy_packs_handlers.publish,
        needs_store=False,
        flags=(Flag.POLICY_ADMIN,),
        tag=Tag.SUPPORT,
        summary="Publish a pack",
        description="Puts a pack into the catalog, or another in its place, whole. What is null in a pack "
        "leaves the option of a request as it is. A field that is not known is refused.",
        answer=PolicyPackMutation,
        headers=(Header.CORRELATION,),
        body=PolicyPackUpsert,
        refusals=(PolicyAdminDisabled, PolicyPackNotFound, PolicyCatalogFull, *STORE),
        example="publish_pack",
    ),
    Operation(
        method="DELETE",
        path=BY_PACK,
        name="delete_dpm_policy_pack",
        handler=policy_packs_handlers.remove,
        needs_store=False,
        flags=(Flag.POLICY_ADMIN,),
        tag=Tag.SUPPORT,
        summary="Remove a pack",
        description="Takes a pack out of the catalog; runs computed under it keep what they need of it.",
        answer=None,
        status=HTTPStatus.NO_CONTENT,
        headers=(Header.CORRELATION,),
        refusals=(PolicyAdminDisabled, PolicyPackNotFound, *STORE),
    ),
)
