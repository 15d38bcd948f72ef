"""Where a shadow differs, as operators see it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from service.domains.callers import DEFAULT_TENANT
from service.domains.shadow_differences import Difference, DifferenceKind
from service.runtime.clock import SystemClock, TimeOrderedIds
from service.settings.environment import StoreBackend
from service.settings.process import read
from service.storage.memory.store import MemoryStore
from service.wiring.stores import shadow_of
from tests.integration.contract.builders import AT

PARITY = "/rebalance/supportability/parity"
NONE = {"OUTCOME": 0, "FAILED": 0, "MISSED": 0, "CONSEQUENCE": 0}


def a_difference(number, **fields):
    given = {
        "difference_id": f"diff_{number}",
        "tenant_id": DEFAULT_TENANT,
        "kind": DifferenceKind.OUTCOME,
        "act": "dpm_runs.admit",
        "entity_id": "rr_1",
        "place": "run.status",
        "primary_text": "READY",
        "shadow_text": "BLOCKED",
        "found_at": AT + timedelta(seconds=number),
    }
    return Difference(**(given | fields))


def shadow_settings(**changes):
    chosen = read()
    shadow = replace(chosen.shadow, store_backend=StoreBackend.IN_MEMORY, **changes)
    return replace(chosen, shadow=shadow)


async def test_without_a_shadow_there_is_nothing_to_tell(start):
    client = await start()

    answered = await client.get(PARITY)

    assert answered.status == 200
    assert await answered.json() == {
        "shadow_backend": None,
        "since_start": None,
        "difference_counts": NONE,
        "items": [],
        "next_cursor": None,
    }


async def test_differences_are_listed_newest_first_a_page_at_a_time(start, store):
    await store.shadow_differences.record(
        [a_difference(1), a_difference(2), a_difference(3, correlation_id="corr_1")]
    )
    client = await start()

    first = await (await client.get(PARITY, params={"limit": 2})).json()
    rest = await (await client.get(PARITY, params={"cursor": first["next_cursor"]})).json()

    assert [item["difference_id"] for item in first["items"]] == ["diff_3", "diff_2"]
    assert first["items"][0] == {
        "difference_id": "diff_3",
        "kind": "OUTCOME",
        "act": "dpm_runs.admit",
        "entity_id": "rr_1",
        "place": "run.status",
        "primary": "READY",
        "shadow": "BLOCKED",
        "found_at": (AT + timedelta(seconds=3)).isoformat(),
        "correlation_id": "corr_1",
    }
    assert [item["difference_id"] for item in rest["items"]] == ["diff_1"]
    assert (rest["next_cursor"], rest["difference_counts"]) == (None, NONE | {"OUTCOME": 3})


async def test_one_kind_between_two_instants_can_be_asked_for(start, store):
    missed = [a_difference(number, kind=DifferenceKind.MISSED) for number in (1, 2, 3)]
    await store.shadow_differences.record([*missed, a_difference(4)])
    client = await start()

    asked = {"kind": "MISSED", "from": missed[1].found_at.isoformat(), "to": missed[1].found_at.isoformat()}
    found = await (await client.get(PARITY, params=asked)).json()

    assert [item["difference_id"] for item in found["items"]] == ["diff_2"]
    assert found["difference_counts"] == NONE | {"OUTCOME": 1, "MISSED": 3}


@pytest.mark.parametrize("query", [{"kind": "OTHER"}, {"limit": "0"}, {"limit": "201"}, {"from": "soon"}])
async def test_a_query_that_cannot_be_read_is_refused(start, query):
    client = await start()

    assert (await client.get(PARITY, params=query)).status == 422


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        ("support_apis_enabled", "DPM_SUPPORT_APIS_DISABLED"),
        ("summary_apis_enabled", "DPM_SUPPORTABILITY_SUMMARY_APIS_DISABLED"),
    ],
)
async def test_it_is_behind_the_gates_of_the_summary(start, gate, code):
    client = await start(**{gate: False})

    answered = await client.get(PARITY)

    assert (answered.status, (await answered.json())["detail"]) == (404, code)


class TestWithAShadow:
    @pytest.fixture
    async def store(self):
        opened = shadow_of(shadow_settings(), MemoryStore(), SystemClock(), TimeOrderedIds())
        yield opened
        await opened.close()

    async def test_what_a_process_has_seen_since_it_started_is_told(self, start, demo, store):
        client = await start()
        await client.post("/rebalance/simulate", json=demo, headers={"Idempotency-Key": "key-1"})
        await store.replicator._waiting.emptied()

        told = await (await client.get(PARITY)).json()

        assert told["shadow_backend"] == "IN_MEMORY"
        assert told["since_start"] == {
            "applied": 1,
            "differed": 0,
            "missed": 0,
            "waiting": 0,
            "unrecorded": 0,
        }


async def test_a_store_without_a_shadow_is_left_as_it_is():
    store = MemoryStore()

    assert shadow_of(read(), store, SystemClock(), TimeOrderedIds()) is None


async def test_what_purges_is_followed_by_the_shadow_of_what_serves():
    store = shadow_of(shadow_settings(), MemoryStore(), SystemClock(), TimeOrderedIds())
    try:
        purging = store.beside(MemoryStore())
        assert purging.replicator is store.replicator
    finally:
        await store.close()


async def test_a_shadow_in_the_place_of_the_primary_is_none(tmp_path):
    chosen = read()
    path = tmp_path / "store.db"
    settings = replace(
        chosen,
        store_backend=StoreBackend.SQL,
        sql_path=path,
        shadow=replace(chosen.shadow, store_backend=StoreBackend.SQL, sql_path=path),
    )
    store = MemoryStore()

    assert shadow_of(settings, store, SystemClock(), TimeOrderedIds()) is None
