"""What callers and probes are told of a store that does not take a write."""

import asyncio
from random import Random

import pytest
import structlog

from service.errors.requests import Overloaded
from service.errors.storage import StoreBusy, StoreRefused, StoreUnavailable
from service.errors.storage_causes import StoreCause
from service.flows.health import HealthFlow
from service.storage.memory.store import MemoryStore
from service.web.middleware import problem_details

SIMULATE = "/rebalance/simulate"


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (StoreCause.CONNECTION, "DPM_SUPPORTABILITY_STORE_UNAVAILABLE"),
        (StoreCause.READ_ONLY, "DPM_SUPPORTABILITY_STORE_READ_ONLY"),
        (StoreCause.IN_RECOVERY, "DPM_SUPPORTABILITY_STORE_IN_RECOVERY"),
        (StoreCause.DISK_FULL, "DPM_SUPPORTABILITY_STORE_DISK_FULL"),
        (StoreCause.DISK_FAILED, "DPM_SUPPORTABILITY_STORE_DISK_FAILED"),
        (StoreCause.LOCKED, "DPM_SUPPORTABILITY_STORE_LOCKED"),
        (StoreCause.DAMAGED, "DPM_SUPPORTABILITY_STORE_DAMAGED"),
        (StoreCause.EXHAUSTED, "DPM_SUPPORTABILITY_STORE_EXHAUSTED"),
        (StoreCause.SCHEMA_MISMATCH, "DPM_SUPPORTABILITY_STORE_SCHEMA_MISMATCH"),
    ],
)
async def test_readiness_tells_why_nothing_can_be_written(start, store, monkeypatch, cause, code):
    client = await start()

    async def refuse():
        raise StoreUnavailable(cause=cause)

    monkeypatch.setattr(store, "check_writable", refuse, raising=False)
    refused = await client.get("/health/ready")

    assert (refused.status, (await refused.json())["code"]) == (503, code)
    assert refused.headers["Retry-After"] == "1"


async def test_readiness_does_not_wait_for_a_store_that_does_not_answer():
    store = MemoryStore()
    looks = []

    async def never():
        looks.append("begun")
        await asyncio.Event().wait()

    store.check_writable = never
    health = HealthFlow(store, seconds_max=0.01)

    answers = await asyncio.gather(*(health.check_ready() for _ in range(50)), return_exceptions=True)

    assert {type(answer) for answer in answers} == {StoreUnavailable}
    # Who asks together shares one look, so that a crowd of probes is no crowd for the store.
    assert looks == ["begun"]


async def test_what_the_store_refuses_is_our_fault_and_not_to_be_tried_again(start, demo, store, monkeypatch):
    client = await start()

    async def refuse(*_):
        raise StoreRefused(sqlstate="23505")

    monkeypatch.setattr(store.dpm_runs, "admit", refuse, raising=False)
    with structlog.testing.capture_logs() as told:
        refused = await client.post(SIMULATE, json=demo, headers={"Idempotency-Key": "key-1"})

    assert (refused.status, (await refused.json())["code"]) == (500, "INTERNAL_ERROR")
    assert (await refused.json())["detail"] == "An unexpected error occurred."
    assert "Retry-After" not in refused.headers
    assert [line["sqlstate"] for line in told if line["event"] == "store_refused"] == ["23505"]


async def test_a_store_that_others_keep_busy_is_ready(start, store, monkeypatch):
    client = await start()

    async def busy():
        raise StoreBusy()

    monkeypatch.setattr(store, "check_writable", busy, raising=False)

    assert (await client.get("/health/ready")).status == 200


async def test_callers_who_are_refused_together_are_told_different_times(start, store, monkeypatch):
    client = await start()

    async def busy(*_):
        raise StoreBusy()

    monkeypatch.setattr(store.dpm_runs, "get", busy, raising=False)
    monkeypatch.setattr(problem_details, "randint", Random(7).randint)
    told = [(await client.get("/rebalance/runs/rr_1")).headers["Retry-After"] for _ in range(60)]

    assert set(told) == {str(seconds) for seconds in range(1, Overloaded.retry_after_seconds_max + 1)}
