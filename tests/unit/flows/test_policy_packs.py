"""The catalog as a process knows it: how often the store is asked, and who wins when two change it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from service.domains.callers import Caller
from service.domains.policy_packs import (
    NO_PACK_REQUESTED,
    PolicyPackUpsert,
    RequestedPack,
    SelectionRules,
    pack_of,
)
from service.errors.policy_packs import PolicyCatalogConcurrentUpdate, PolicyCatalogFull, PolicyPackNotFound
from service.flows.policy_packs import flow
from service.flows.policy_packs.flow import PolicyPackFlow
from service.storage.memory.store import MemoryStore
from service.web.requests import bodies
from tests.runtimes import a_runtime

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
TIGHT = RequestedPack(request_pack_id="tight")


class Catalog:
    """A flow over a store that counts what it is asked, with a clock that is set by hand."""

    def __init__(self, shipped=(), catalog_seconds=5, store=None):
        self.store = store or MemoryStore()
        self.at = AT
        self.asked = []
        self.flow = PolicyPackFlow(
            store=self,
            runtime=a_runtime(clock=self, offload=self.offload),
            read=bodies.decode_policy_pack,
            rules=SelectionRules(enabled=True),
            shipped={name: pack_of(name, PolicyPackUpsert(version="1")) for name in shipped},
            strict=False,
            catalog_seconds=catalog_seconds,
        )

    @property
    def policy_packs(self):
        return self

    def now(self):
        return self.at

    async def offload(self, work, *args):
        return work(*args)

    async def find_revision(self, tenant_id):
        self.asked.append("revision")
        await asyncio.sleep(0)
        return await self.store.policy_packs.find_revision(tenant_id)

    async def list_amendments(self, tenant_id):
        self.asked.append("amendments")
        return await self.store.policy_packs.list_amendments(tenant_id)

    async def amend(self, change):
        self.asked.append("amend")
        await self.store.policy_packs.amend(change)

    async def publish(self, name, version="1"):
        wanted = PolicyPackUpsert(version=version)
        return await self.flow.publish(Caller.local(), name, wanted, correlation_id="corr-1")


async def test_nobody_asks_the_store_where_no_pack_is_selected():
    catalog = Catalog()

    resolution = await catalog.flow.resolve(Caller.local(), NO_PACK_REQUESTED)

    assert (resolution.pack, resolution.is_unknown, catalog.asked) == (None, False, [])


async def test_callers_within_some_seconds_share_one_question():
    catalog = Catalog(shipped=["tight"])

    found = await asyncio.gather(*(catalog.flow.resolve(Caller.local(), TIGHT) for _ in range(50)))
    catalog.at += timedelta(seconds=4)
    await catalog.flow.resolve(Caller.local(), TIGHT)

    assert {one.pack.pack.policy_pack_id for one in found} == {"tight"}
    assert catalog.asked == ["revision", "amendments"]


async def test_an_unchanged_catalog_is_not_read_again():
    catalog = Catalog(shipped=["tight"])
    await catalog.flow.resolve(Caller.local(), TIGHT)

    catalog.at += timedelta(seconds=5)
    await catalog.flow.resolve(Caller.local(), TIGHT)

    assert catalog.asked == ["revision", "amendments", "revision"]


@pytest.mark.parametrize("step", [timedelta(seconds=5), -timedelta(seconds=1)])
async def test_what_another_process_changes_is_seen_after_some_seconds_or_when_the_clock_is_set_back(step):
    here = Catalog(shipped=["tight"])
    elsewhere = Catalog(store=here.store)
    await here.flow.resolve(Caller.local(), TIGHT)
    await elsewhere.publish("tight", "2")

    before = await here.flow.resolve(Caller.local(), TIGHT)
    here.at += step
    after = await here.flow.resolve(Caller.local(), TIGHT)

    assert (before.pack.pack.version, after.pack.pack.version) == ("1", "2")


async def test_what_a_process_changes_itself_it_sees_at_once():
    catalog = Catalog()
    await catalog.flow.resolve(Caller.local(), TIGHT)

    await catalog.publish("tight", "2")

    assert (await catalog.flow.resolve(Caller.local(), TIGHT)).pack.pack.version == "2"


async def test_a_pack_that_is_published_again_as_it_is_changes_nothing():
    catalog = Catalog()
    await catalog.publish("tight", "2")
    catalog.asked.clear()

    await catalog.publish("tight", "2")

    assert "amend" not in catalog.asked


async def test_who_is_overtaken_decides_anew():
    catalog = Catalog()
    await catalog.publish("tight")
    other = Catalog(store=catalog.store)

    ended = await asyncio.gather(
        catalog.flow.remove(Caller.local(), "tight", correlation_id="c"),
        other.flow.remove(Caller.local(), "tight", correlation_id="c"),
        return_exceptions=True,
    )

    assert sorted(map(type, ended), key=str) == sorted([type(None), PolicyPackNotFound], key=str)
    assert await catalog.store.policy_packs.find_revision("default") == 2


async def test_many_who_publish_at_once_are_all_kept_one_after_the_other():
    store = MemoryStore()
    names = [f"pack-{number:02}" for number in range(12)]

    await asyncio.gather(*(Catalog(store=store).publish(name) for name in names))

    amendments = await store.policy_packs.list_amendments("default")
    assert (amendments.revision, sorted(amendments.packs)) == (12, names)


async def test_a_catalog_that_always_moves_is_given_up(monkeypatch):
    catalog = Catalog()

    async def moved(_):
        raise PolicyCatalogConcurrentUpdate()

    monkeypatch.setattr(catalog, "amend", moved)
    with pytest.raises(AssertionError):
        await catalog.publish("tight")


async def test_a_catalog_has_an_end(monkeypatch):
    monkeypatch.setattr(flow, "PACKS_MAX", 2)
    catalog = Catalog(shipped=["a", "b"])

    with pytest.raises(PolicyCatalogFull):
        await catalog.publish("c")
    assert (await catalog.publish("b", "2")).version == "2"
