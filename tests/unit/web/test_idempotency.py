"""What a key stands for and all it ever stood for, as a client sees it."""

import pytest

from service.domains.retention.cutoffs import KEEP_ALL
from tests.integration.contract.builders import AT, OTHER_HASH, after, an_admission

NOT_FOUND = "DPM_IDEMPOTENCY_KEY_NOT_FOUND"


class StoppedClock:
    def now(self):
        return AT


async def admitted(store, run_id, seconds=0.0, key="key-1", **fields):
    """Puts a run under a key, which moves to it."""
    fields = {"idempotency_key": key, "created_at": after(seconds)} | fields
    admission = an_admission(replay=False, rebalance_run_id=run_id, **fields)
    return (await store.dpm_runs.admit(admission, KEEP_ALL)).run


async def runs_of(client, key="key-1"):
    answer = await client.get(f"/rebalance/idempotency/{key}/history")
    assert answer.status == 200
    return [item["rebalance_run_id"] for item in (await answer.json())["history"]]


async def test_the_history_of_a_key_has_every_run_oldest_first(start, store):
    client = await start(history_apis_enabled=True)
    await admitted(store, "rr_c", 1, correlation_id="corr-c", request_hash=OTHER_HASH)
    await admitted(store, "rr_a", 0.5, correlation_id="corr-a")
    await admitted(store, "rr_b", 1)
    await admitted(store, "rr_other", key="key-2")

    answer = await client.get("/rebalance/idempotency/key-1/history")
    found = await answer.json()

    assert answer.content_type == "application/json"
    assert list(found) == ["idempotency_key", "history", "next_cursor"]
    assert found["idempotency_key"] == "key-1"
    assert [item["rebalance_run_id"] for item in found["history"]] == ["rr_a", "rr_b", "rr_c"]
    assert list(found["history"][2].items()) == [
        ("rebalance_run_id", "rr_c"),
        ("correlation_id", "corr-c"),
        ("request_hash", OTHER_HASH),
        ("created_at", "2026-03-02T09:30:01+00:00"),
    ]
    assert found["history"][0]["created_at"] == "2026-03-02T09:30:00.500000+00:00"


async def test_a_replay_adds_nothing_to_the_history(start, demo):
    client = await start(history_apis_enabled=True)
    headers = {"Idempotency-Key": "desk/7"}
    first = await (await client.post("/rebalance/simulate", json=demo, headers=headers)).json()
    await client.post("/rebalance/simulate", json=demo, headers=headers)

    assert await runs_of(client, "desk%2F7") == [first["rebalance_run_id"]]


async def test_without_replay_the_key_moves_and_its_history_grows(start, demo):
    client = await start(history_apis_enabled=True, idempotency_replay_enabled=False)
    headers = {"Idempotency-Key": "key-1"}
    made = [
        (await (await client.post("/rebalance/simulate", json=demo, headers=headers)).json())[
            "rebalance_run_id"
        ]
        for _ in range(2)
    ]

    held = await (await client.get("/rebalance/runs/idempotency/key-1")).json()

    assert list(held) == ["idempotency_key", "request_hash", "rebalance_run_id", "created_at"]
    assert held["rebalance_run_id"] == made[1]
    assert await runs_of(client) == made


@pytest.mark.parametrize("key", ["none", "a%00", "a%FF"])
@pytest.mark.parametrize("path", ["idempotency/{}/history", "runs/idempotency/{}"])
async def test_an_unknown_key_is_not_found(start, path, key):
    client = await start(history_apis_enabled=True)

    refused = await client.get(f"/rebalance/{path.format(key)}")
    problem = await refused.json()

    assert refused.status == 404
    assert refused.content_type == "application/problem+json"
    assert (problem["code"], problem["detail"]) == (NOT_FOUND, NOT_FOUND)


async def test_what_has_expired_is_not_in_the_history(start, store):
    client = await start(history_apis_enabled=True, clock=StoppedClock(), retention_days=1)
    await admitted(store, "rr_gone", -86_401, key="old")
    await admitted(store, "rr_old", -86_401)
    await admitted(store, "rr_new")

    assert await runs_of(client) == ["rr_new"]
    for path in ("idempotency/old/history", "runs/idempotency/old"):
        assert (await client.get(f"/rebalance/{path}")).status == 404


async def test_the_key_of_an_expired_run_is_free_for_another_request(start, store, demo):
    client = await start(history_apis_enabled=True, clock=StoppedClock(), retention_days=1)
    await admitted(store, "rr_old", -86_401)

    answered = await client.post("/rebalance/simulate", json=demo, headers={"Idempotency-Key": "key-1"})

    assert answered.status == 200
    assert await runs_of(client) == [(await answered.json())["rebalance_run_id"]]


@pytest.mark.parametrize(
    ("gates", "code"),
    [
        ({}, "DPM_IDEMPOTENCY_HISTORY_APIS_DISABLED"),
        ({"support_apis_enabled": False}, "DPM_SUPPORT_APIS_DISABLED"),
        ({"support_apis_enabled": False, "history_apis_enabled": True}, "DPM_SUPPORT_APIS_DISABLED"),
    ],
)
async def test_the_history_has_to_be_switched_on(start, store, gates, code):
    client = await start(**gates)
    await admitted(store, "rr_1")

    refused = await client.get("/rebalance/idempotency/key-1/history")

    assert refused.status == 404
    assert (await refused.json())["detail"] == code


async def test_the_key_itself_is_looked_up_without_the_history(start, store):
    client = await start(history_apis_enabled=False)
    await admitted(store, "rr_1")

    assert (await client.get("/rebalance/runs/idempotency/key-1")).status == 200
