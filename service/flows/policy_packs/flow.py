"""Which policy pack a request is under, and what is in the catalog (HTTP contract 6.1, 7.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from service.domains.callers import Caller
from service.domains.policy_packs import (
    PACKS_MAX,
    PackChange,
    PackSelection,
    PolicyPack,
    PolicyPackUpsert,
    RequestedPack,
    ResolvedPack,
    SelectionRules,
    pack_of,
)
from service.errors.policy_packs import (
    PolicyCatalogConcurrentUpdate,
    PolicyCatalogFull,
    PolicyPackNotFound,
    PolicyPackUnknown,
    policy_refusal,
)
from service.errors.storage import StoreUnavailable
from service.flows.limits.work_costs import is_explained_on_loop, work_where
from service.flows.policy_packs.catalog import Catalog, CatalogCache
from service.flows.runtime import Runtime
from service.storage.ports.store import Store

# Each time somebody else was first; a catalog is changed by hand.
AMENDS_MAX = 20

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PackResolution:
    """What comes of a requested; a pack that was selected and is not there overrides nothing (D35)."""

    selection: PackSelection
    pack: ResolvedPack | None = None

    @property
    def is_unknown(self) -> bool:
        return self.selection.policy_pack_id is not None and self.pack is None


class PolicyPackFlow:
    """`shipped` are the packs that the settings bring; what was changed since is in the store."""

    def __init__(
        self,
        *,
        store: Store,
        runtime: Runtime,
        read: Callable[[bytes], PolicyPackUpsert],
        rules: SelectionRules,
        shipped: Mapping[str, PolicyPack],
        strict: bool,
        catalog_seconds: int,
    ) -> None:
        self._store = store
        self._clock = runtime.clock
        self._offload = runtime.offload
        self._read = read
        self._rules = rules
        self._strict = strict
        self._catalog = CatalogCache(
            store=store, clock=runtime.clock, shipped=shipped, seconds=catalog_seconds
        )

    def select(self, caller: Caller, requested: RequestedPack) -> PackSelection:
        """Which pack is meant; the catalog is not asked."""
        return self._rules.select(requested)

    async def resolve(self, caller: Caller, requested: RequestedPack) -> PackResolution:
        """The pack a request is under. The catalog is asked only where a pack is selected (D26).

        Raises PolicyPackUnknown where a missing pack is refused, and StoreUnavailable of the catalog.
        """
        selection = self.select(caller, requested)
        if selection.policy_pack_id is None:
            return PackResolution(selection)
        with told_as_policies():
            catalog = await self._catalog.current(caller)
        pack = catalog.packs.get(selection.policy_pack_id)
        if pack is not None:
            return PackResolution(selection, ResolvedPack(pack, selection.source))
        logger.warning(
            "policy_pack_unknown", policy_pack_id=selection.policy_pack_id, source=selection.source.value
        )
        if self._strict:
            raise PolicyPackUnknown(policy_pack_id=selection.policy_pack_id)
        return PackResolution(selection)

    async def is_there(self, caller: Caller, selection: PackSelection) -> bool | None:
        """Whether a pack is meant, and exists; None where the catalog cannot be asked."""
        if selection.policy_pack_id is None:
            return False
        try:
            catalog = await self._catalog.current(caller)
        except StoreUnavailable as refused:
            logger.warning("policy_catalog_unavailable", cause=repr(refused.__cause__ or refused))
            return None
        return selection.policy_pack_id in catalog.packs

    async def list(self, caller: Caller) -> tuple[PolicyPack, ...]:
        """Every pack, by id."""
        with told_as_policies():
            catalog = await self._catalog.fresh(caller)
        return tuple(catalog.packs[policy_pack_id] for policy_pack_id in sorted(catalog.packs))

    async def get(self, caller: Caller, policy_pack_id: str) -> PolicyPack:
        """Raises PolicyPackNotFound."""
        with told_as_policies():
            catalog = await self._catalog.fresh(caller)
        return _found(catalog, policy_pack_id)

    async def publish(
        self, caller: Caller, policy_pack_id: str, wanted: PolicyPackUpsert, *, correlation_id: str
    ) -> PolicyPack:
        """Puts a pack into the catalog, or another in its place.

        Raises PolicyCatalogFull.
        """
        pack = pack_of(policy_pack_id, wanted)

        def decide(catalog: Catalog) -> bool:
            if catalog.packs.get(policy_pack_id) == pack:
                return False
            if policy_pack_id not in catalog.packs and len(catalog.packs) >= PACKS_MAX:
                raise PolicyCatalogFull(packs_max=PACKS_MAX)
            return True

        await self._amend(caller, policy_pack_id, pack, correlation_id, decide)
        return pack

    async def remove(self, caller: Caller, policy_pack_id: str, *, correlation_id: str) -> None:
        """Takes a pack out of the catalog; of two at once one does. Raises PolicyPackNotFound."""

        def decide(catalog: Catalog) -> bool:
            _found(catalog, policy_pack_id)
            return True

        await self._amend(caller, policy_pack_id, None, correlation_id, decide)

    async def read(self, caller: Caller, body: bytes) -> PolicyPackUpsert:
        """Raises RequestInvalid, JsonTooDeep."""
        return await work_where(self._offload, is_explained_on_loop(body), self._read, body)

    async def _amend(
        self,
        caller: Caller,
        policy_pack_id: str,
        pack: PolicyPack | None,
        correlation_id: str,
        decide: Callable[[Catalog], bool],
    ) -> None:
        with told_as_policies():
            for _ in range(AMENDS_MAX):
                catalog = await self._catalog.fresh(caller)
                if not decide(catalog):
                    return
                change = PackChange(
                    tenant_id=caller.tenant_id,
                    revision=catalog.revision + 1,
                    policy_pack_id=policy_pack_id,
                    pack=pack,
                    changed_at=self._clock.now(),
                    correlation_id=correlation_id,
                )
                try:
                    await self._store.policy_packs.amend(change)
                except PolicyCatalogConcurrentUpdate:
                    continue
                await self._catalog.fresh(caller)
                return
        raise AssertionError("a catalog that is changed faster than it can be read")


@contextmanager
def told_as_policies() -> Iterator[None]:
    """A catalog that is not there has codes of its own (contract 6.1)."""
    try:
        yield
    except StoreUnavailable as refused:
        raise policy_refusal(refused) from refused.__cause__


def _found(catalog: Catalog, policy_pack_id: str) -> PolicyPack:
    pack = catalog.packs.get(policy_pack_id)
    if pack is None:
        raise PolicyPackNotFound(policy_pack_id=policy_pack_id)
    return pack
