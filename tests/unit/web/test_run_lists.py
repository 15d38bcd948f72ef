"""Lists of runs and the lookup by request hash, as a client sees them."""

from datetime import UTC, datetime

import pytest

from service.domains.dpm_runs.values import RunStatus
from service.domains.retention.cutoffs import KEEP_ALL
from tests.integration.contract.builders import AT, a_batch, after, an_admission
from tests.integration.contract.policy_builders import a_pack, a_policy

RUNS = "/rebalance/runs"
BY_HASH = "/rebalance/runs/by-request-hash"
HASHES = ["sha256:" + digit * 64 for digit in "0123456789"]


class StoppedClock:
    def now(self):
        return AT


async def admitted(store, run_id, seconds=0.0, **fields):
    """Puts a run into the store, created that many seconds after the others begin."""
    fields = {"idempotency_key": f"key-of-{run_id}", "created_at": after(seconds)} | fields
    admission = an_admission(rebalance_run_id=run_id, **fields)
    return (await store.dpm_runs.admit(admission, KEEP_ALL)).run


async def page(client, **asked):
    """The ids of one page and the cursor of the next."""
    answer = await client.get(RUNS, params=asked)
    assert answer.status == 200
    found = await answer.json()
    assert list(found) == ["items", "next_cursor"]
    return [item["rebalance_run_id"] for item in found["items"]], found["next_cursor"]


async def entries(client, **asked):
    """Where and how one refused query is at fault."""
    refused = await client.get(RUNS, params=asked)
    assert refused.status == 422
    assert refused.content_type == "application/problem+json"
    return [(entry["type"], entry["loc"]) for entry in (await refused.json())["detail"]]


async def test_an_empty_store_gives_an_empty_page(start):
    client = await start()

    answer = await client.get(RUNS)

    assert await answer.json() == {"items": [], "next_cursor": None}
    assert answer.content_type == "application/json"


async def test_a_simulated_run_is_listed_as_it_was_answered(start, demo):
    client = await start()
    headers = {"Idempotency-Key": "key-1", "X-Correlation-Id": "corr-1"}
    result = await (await client.post("/rebalance/simulate", json=demo, headers=headers)).json()

    [item] = (await (await client.get(RUNS)).json())["items"]

    found = await (await client.get(f"{RUNS}/{result['rebalance_run_id']}")).json()
    assert list(item.items()) == [
        ("rebalance_run_id", result["rebalance_run_id"]),
        ("correlation_id", "corr-1"),
        ("request_hash", result["lineage"]["request_hash"]),
        ("idempotency_key", "key-1"),
        ("portfolio_id", demo["portfolio_snapshot"]["portfolio_id"]),
        ("status", result["status"]),
        ("created_at", found["created_at"]),
    ]
    assert datetime.fromisoformat(item["created_at"]).tzinfo == UTC


async def test_a_run_of_a_batch_is_listed_without_a_key(start, store):
    client = await start()
    await store.dpm_runs.admit_batch(a_batch("base", batch_id="batch_1"))

    [item] = (await (await client.get(RUNS)).json())["items"]

    assert item["idempotency_key"] is None
    assert item["correlation_id"] == item["request_hash"] == "batch_1:base"


async def test_an_instant_without_a_fraction_is_shown_without_one(start, store):
    client = await start()
    await admitted(store, "rr_1")
    await admitted(store, "rr_2", 0.25)

    items = (await (await client.get(RUNS)).json())["items"]

    assert [item["created_at"] for item in items] == [
        "2026-03-02T09:30:00.250000+00:00",
        "2026-03-02T09:30:00+00:00",
    ]


async def test_the_newest_come_first_and_the_larger_id_wins_a_tie(start, store):
    client = await start()
    for run_id, seconds in (("rr_b", 0), ("rr_d", 1), ("rr_a", 1), ("rr_c", 0)):
        await admitted(store, run_id, seconds)

    assert await page(client) == (["rr_d", "rr_a", "rr_c", "rr_b"], None)


async def test_pages_follow_each_other_to_the_end(start, store):
    client = await start()
    for number in range(5):
        await admitted(store, f"rr_{number}", number)

    first = await page(client, limit=2)
    second = await page(client, limit=2, cursor=first[1])
    # What was recorded since does not shift the pages that follow.
    await admitted(store, "rr_9", 9)
    third = await page(client, limit=2, cursor=second[1])

    assert (first, second, third) == (
        (["rr_4", "rr_3"], "rr_3"),
        (["rr_2", "rr_1"], "rr_1"),
        (["rr_0"], None),
    )


async def test_a_page_that_is_just_full_is_the_last(start, store):
    client = await start()
    for number in range(2):
        await admitted(store, f"rr_{number}", number)

    assert await page(client, limit=2) == (["rr_1", "rr_0"], None)
    assert await page(client, cursor="rr_0") == ([], None)


async def test_fifty_are_listed_unless_more_are_asked_for(start, store):
    client = await start()
    for number in range(202):
        await admitted(store, f"rr_{number:03d}", number)

    assert len((await page(client))[0]) == 50
    assert len((await page(client, limit=200))[0]) == 200
    assert (await page(client, limit=1))[0] == ["rr_201"]


async def test_a_cursor_that_names_no_listed_run_gives_an_empty_page(start, store):
    client = await start()
    await admitted(store, "rr_1", portfolio_id="pf-1")
    await admitted(store, "rr_2", 1, portfolio_id="pf-2")

    assert await page(client, cursor="rr_missing") == ([], None)
    assert await page(client, cursor="") == ([], None)
    assert await page(client, cursor="rr_2", portfolio_id="pf-1") == ([], None)


async def test_each_filter_lets_its_own_through(start, store):
    client = await start()
    await admitted(store, "rr_1", 1, request_hash=HASHES[1], status=RunStatus.READY, portfolio_id="pf-1")
    await admitted(store, "rr_2", 2, request_hash=HASHES[1], status=RunStatus.BLOCKED, portfolio_id="pf-2")
    await admitted(store, "rr_3", 3, request_hash=HASHES[2], status=RunStatus.READY, portfolio_id="pf-2")
    await admitted(store, "rr_4", 4, status=RunStatus.BLOCKED, policy=a_policy(a_pack("strict")))

    for asked, expected in (
        ({"policy_pack_id": "strict"}, ["rr_4"]),
        ({"policy_pack_id": "strict", "status": "READY"}, []),
        ({"policy_pack_id": "no such pack"}, []),
        ({"status": "READY"}, ["rr_3", "rr_1"]),
        ({"status": "PENDING_REVIEW"}, []),
        ({"status": "ready"}, []),
        ({"status": "no such status"}, []),
        ({"status": ""}, []),
        ({"request_hash": HASHES[1]}, ["rr_2", "rr_1"]),
        ({"request_hash": HASHES[3]}, []),
        ({"portfolio_id": "pf-2"}, ["rr_3", "rr_2"]),
        ({"portfolio_id": "pf"}, []),
        ({"portfolio_id": "pf-2", "status": "READY"}, ["rr_3"]),
        ({"request_hash": HASHES[1], "status": "READY", "portfolio_id": "pf-2"}, []),
    ):
        assert await page(client, **asked) == (expected, None), asked


async def test_filters_are_applied_before_the_page_is_cut(start, store):
    client = await start()
    for number in range(6):
        await admitted(store, f"rr_{number}", number, portfolio_id=f"pf-{number % 2}")

    first = await page(client, limit=2, portfolio_id="pf-0")

    assert first == (["rr_4", "rr_2"], "rr_2")
    assert await page(client, limit=2, portfolio_id="pf-0", cursor=first[1]) == (["rr_0"], None)


async def test_bounds_are_inclusive_instants(start, store):
    client = await start()
    for number in range(4):
        await admitted(store, f"rr_{number}", number)

    for asked, expected in (
        ({"from": "2026-03-02T09:30:02+00:00"}, ["rr_3", "rr_2"]),
        ({"from": "2026-03-02T09:30:02"}, ["rr_3", "rr_2"]),
        ({"from": "2026-03-02 17:30:02+08:00"}, ["rr_3", "rr_2"]),
        ({"to": "2026-03-02T09:30:01Z"}, ["rr_1", "rr_0"]),
        ({"to": "2026-03-02T17:30:01+08:00"}, ["rr_1", "rr_0"]),
        ({"from": str(int(AT.timestamp()) + 3)}, ["rr_3"]),
        ({"from": str((int(AT.timestamp()) + 3) * 1000)}, ["rr_3"]),
        ({"from": "2026-03-02"}, ["rr_3", "rr_2", "rr_1", "rr_0"]),
        ({"from": "2026-03-03"}, []),
        ({"to": "2026-03-02"}, []),
        ({"from": "2026-03-02T09:30:01", "to": "2026-03-02T09:30:01"}, ["rr_1"]),
        ({"from": "2026-03-02T09:30:02", "to": "2026-03-02T09:30:01"}, []),
        ({"from": "0001-01-01", "to": "9999-12-31"}, ["rr_3", "rr_2", "rr_1", "rr_0"]),
    ):
        assert await page(client, **asked) == (expected, None), asked


async def test_a_query_that_cannot_be_read_is_refused_in_one_answer(start):
    client = await start()

    assert await entries(client, limit=0) == [("greater_than_equal", ["query", "limit"])]
    assert await entries(client, limit=201) == [("less_than_equal", ["query", "limit"])]
    assert await entries(client, limit="") == [("int_parsing", ["query", "limit"])]
    assert await entries(
        client,
        cursor="\0",
        limit="many",
        portfolio_id="\0",
        request_hash="\0",
        status="\0",
        to="",
        **{"from": "x"},
    ) == [
        ("datetime_from_date_parsing", ["query", "from"]),
        ("datetime_from_date_parsing", ["query", "to"]),
        ("value_error", ["query", "status"]),
        ("value_error", ["query", "request_hash"]),
        ("value_error", ["query", "portfolio_id"]),
        ("int_parsing", ["query", "limit"]),
        ("value_error", ["query", "cursor"]),
    ]


async def test_what_has_expired_is_not_there(start, store):
    client = await start(clock=StoppedClock(), retention_days=1)
    await admitted(store, "rr_old", -86_401, request_hash=HASHES[1])
    await admitted(store, "rr_edge", -86_400, request_hash=HASHES[2])

    assert await page(client) == (["rr_edge"], None)
    assert await page(client, cursor="rr_old") == ([], None)
    assert (await client.get(f"{BY_HASH}/{HASHES[1]}")).status == 404
    assert (await client.get(f"{BY_HASH}/{HASHES[2]}")).status == 200
    assert (await client.get(f"{RUNS}/rr_old")).status == 404
    assert (await client.get(f"{RUNS}/by-correlation/corr_of_rr_old")).status == 404


async def test_a_hash_finds_its_newest_run_however_its_colon_is_written(start, store):
    client = await start()
    await admitted(store, "rr_a", 1, request_hash=HASHES[1])
    await admitted(store, "rr_c", 2, request_hash=HASHES[1])
    await admitted(store, "rr_b", 2, request_hash=HASHES[1])

    for written in (HASHES[1], HASHES[1].replace(":", "%3A")):
        answer = await client.get(f"{BY_HASH}/{written}")
        found = await answer.json()
        assert list(found) == [
            "rebalance_run_id",
            "correlation_id",
            "request_hash",
            "idempotency_key",
            "portfolio_id",
            "created_at",
            "result",
        ]
        assert (found["rebalance_run_id"], found["request_hash"]) == ("rr_c", HASHES[1])
        assert found["result"] == {"rebalance_run_id": "rr_c"}


async def test_a_run_of_a_batch_is_found_by_batch_and_scenario(start, store):
    client = await start()
    await store.dpm_runs.admit_batch(a_batch("base", batch_id="batch_1"))

    assert (await client.get(f"{BY_HASH}/batch_1:base")).status == 200


@pytest.mark.parametrize("written", [HASHES[1], "x", "a%00", "a%FF"])
async def test_an_unknown_hash_is_not_found(start, written):
    client = await start()

    refused = await client.get(f"{BY_HASH}/{written}")

    assert refused.status == 404
    assert refused.content_type == "application/problem+json"
    problem = await refused.json()
    assert (problem["code"], problem["detail"]) == ("DPM_RUN_NOT_FOUND", "DPM_RUN_NOT_FOUND")


@pytest.mark.parametrize("written", ["a%00", "a%FF"])
async def test_ids_that_cannot_be_stored_never_reach_a_store(start, store, monkeypatch, written):
    async def reached(*_):
        raise AssertionError("the store was asked")

    monkeypatch.setattr(store.dpm_runs, "get", reached, raising=False)
    monkeypatch.setattr(store.dpm_runs, "get_newest_by_correlation", reached, raising=False)
    client = await start()

    for path in (RUNS, f"{RUNS}/by-correlation"):
        assert (await client.get(f"{path}/{written}")).status == 404


async def test_both_can_be_switched_off_but_a_bad_query_is_said_first(start):
    client = await start(support_apis_enabled=False)

    for path in (RUNS, f"{BY_HASH}/{HASHES[1]}"):
        refused = await client.get(path)
        assert refused.status == 404
        assert (await refused.json())["code"] == "DPM_SUPPORT_APIS_DISABLED"
    assert await entries(client, limit=0) == [("greater_than_equal", ["query", "limit"])]
