"""Lists of operations as a client sees them."""

from datetime import timedelta

from tests.integration.contract.builders import AT, ODD_BYTES
from tests.unit.web.stored_operations import OPERATIONS, StoppedClock, ended, refusal_of, submitted


async def page(client, **asked):
    """The ids of one page and the cursor of the next."""
    answer = await client.get(OPERATIONS, params=asked)
    assert answer.status == 200
    found = await answer.json()
    assert list(found) == ["items", "next_cursor"]
    return [item["operation_id"] for item in found["items"]], found["next_cursor"]


async def entries(client, **asked):
    """Where and how one refused query is at fault."""
    refused = await client.get(OPERATIONS, params=asked)
    assert refused.status == 422
    assert refused.content_type == "application/problem+json"
    return [(entry["type"], entry["loc"]) for entry in (await refused.json())["detail"]]


async def test_an_empty_store_gives_an_empty_page(start):
    answer = await (await start()).get(OPERATIONS)

    assert await answer.json() == {"items": [], "next_cursor": None}
    assert answer.content_type == "application/json"


async def test_a_listed_operation_shows_how_far_it_is_and_neither_result_nor_error(start, store):
    client = await start(clock=StoppedClock())
    await submitted(store, "dop_1", correlation_id="corr-1")
    await submitted(store, "dop_2", 0.25)
    await ended(store, "dop_2", 1, result=ODD_BYTES)

    done, waiting = (await (await client.get(OPERATIONS)).json())["items"]

    assert list(waiting.items()) == [
        ("operation_id", "dop_1"),
        ("operation_type", "ANALYZE_SCENARIOS"),
        ("status", "PENDING"),
        ("correlation_id", "corr-1"),
        ("is_executable", True),
        ("created_at", "2026-03-02T09:30:00+00:00"),
        ("started_at", None),
        ("finished_at", None),
        ("progress", {"scenarios_total": 3, "scenarios_done": 0}),
        ("attempt", 0),
        ("lease_owner", None),
        ("lease_expires_at", None),
        ("last_error", None),
    ]
    assert list(done) == list(waiting)
    assert (done["status"], done["is_executable"], done["attempt"]) == ("SUCCEEDED", False, 1)
    assert done["created_at"] == "2026-03-02T09:30:00.250000+00:00"
    assert done["started_at"] == "2026-03-02T09:30:01+00:00"
    assert done["finished_at"] == "2026-03-02T09:30:01.500000+00:00"
    assert done["progress"] == {"scenarios_total": 3, "scenarios_done": 3}


async def test_the_newest_come_first(start, store):
    client = await start(clock=StoppedClock())
    for operation_id, seconds in (("dop_b", 0), ("dop_d", 1), ("dop_a", 1), ("dop_c", 0)):
        await submitted(store, operation_id, seconds)
    await submitted(store, "dop_e", created_at=AT - timedelta(microseconds=1))

    assert await page(client) == (["dop_d", "dop_a", "dop_c", "dop_b", "dop_e"], None)


async def test_pages_follow_each_other_to_the_end(start, store):
    client = await start(clock=StoppedClock())
    for number in range(5):
        await submitted(store, f"dop_{number}", number)

    first = await page(client, limit=2)
    second = await page(client, limit=2, cursor=first[1])
    # What was accepted since does not shift the pages that follow.
    await submitted(store, "dop_9", 9)
    third = await page(client, limit=2, cursor=second[1])

    assert (first, second, third) == (
        (["dop_4", "dop_3"], "dop_3"),
        (["dop_2", "dop_1"], "dop_1"),
        (["dop_0"], None),
    )
    assert await page(client, limit=6) == (["dop_9", "dop_4", "dop_3", "dop_2", "dop_1", "dop_0"], None)


async def test_fifty_are_listed_unless_more_are_asked_for(start, store):
    client = await start(clock=StoppedClock())
    for number in range(202):
        await submitted(store, f"dop_{number:03d}", number)

    assert len((await page(client))[0]) == 50
    assert len((await page(client, limit=200))[0]) == 200
    assert (await page(client, limit=1))[0] == ["dop_201"]


async def test_a_cursor_that_names_no_listed_operation_gives_an_empty_page(start, store):
    client = await start(clock=StoppedClock())
    await submitted(store, "dop_1", correlation_id="corr-1")
    await submitted(store, "dop_2", 1, correlation_id="corr-2")

    assert await page(client, cursor="dop_missing") == ([], None)
    assert await page(client, cursor="") == ([], None)
    assert await page(client, cursor="dop_2", correlation_id="corr-1") == ([], None)


async def test_each_filter_lets_its_own_through(start, store):
    client = await start(clock=StoppedClock())
    await submitted(store, "dop_1", 1, correlation_id="corr-1")
    await submitted(store, "dop_2", 2, correlation_id="corr-1")
    await submitted(store, "dop_3", 3, correlation_id="corr-2")
    await ended(store, "dop_2", 4, result=b"{}")

    for asked, expected in (
        ({"status": "PENDING"}, ["dop_3", "dop_1"]),
        ({"status": "SUCCEEDED"}, ["dop_2"]),
        ({"status": "FAILED"}, []),
        ({"status": "pending"}, []),
        ({"status": ""}, []),
        ({"operation_type": "ANALYZE_SCENARIOS"}, ["dop_3", "dop_2", "dop_1"]),
        ({"operation_type": "CREATE_PROPOSAL"}, []),
        ({"correlation_id": "corr-1"}, ["dop_2", "dop_1"]),
        ({"correlation_id": "corr"}, []),
        ({"correlation_id": "corr-1", "status": "PENDING"}, ["dop_1"]),
        ({"from": "2026-03-02T09:30:02"}, ["dop_3", "dop_2"]),
        ({"to": "2026-03-02T17:30:02+08:00"}, ["dop_2", "dop_1"]),
        ({"from": "2026-03-02T09:30:02Z", "to": "2026-03-02T09:30:02Z"}, ["dop_2"]),
        ({"from": "2026-03-02T09:30:03", "status": "SUCCEEDED"}, []),
    ):
        assert await page(client, **asked) == (expected, None), asked


async def test_a_query_that_cannot_be_read_is_refused_in_one_answer(start):
    client = await start()

    assert await entries(client, limit=0) == [("greater_than_equal", ["query", "limit"])]
    assert await entries(client, limit=201) == [("less_than_equal", ["query", "limit"])]
    unreadable = {"cursor": "\0", "limit": "many", "correlation_id": "\0", "status": "\0"}
    unreadable |= {"operation_type": "\0", "to": "", "from": "x"}
    assert await entries(client, **unreadable) == [
        ("datetime_from_date_parsing", ["query", "from"]),
        ("datetime_from_date_parsing", ["query", "to"]),
        ("value_error", ["query", "operation_type"]),
        ("value_error", ["query", "status"]),
        ("value_error", ["query", "correlation_id"]),
        ("int_parsing", ["query", "limit"]),
        ("value_error", ["query", "cursor"]),
    ]


async def test_an_operation_that_ended_expires_and_one_that_waits_does_not(start, store):
    client = await start(clock=StoppedClock(), operations_ttl_seconds=10)
    for operation_id in ("dop_late", "dop_old"):
        await submitted(store, operation_id, -100, correlation_id=f"corr-{operation_id}")
    await ended(store, "dop_old", -10.75, result=b"{}")
    await ended(store, "dop_late", -10.5, result=b"{}")
    await submitted(store, "dop_waiting", -1000)

    assert await page(client) == (["dop_late", "dop_waiting"], None)
    for path in ("dop_old", "by-correlation/corr-dop_old"):
        assert (
            await refusal_of(await client.get(f"{OPERATIONS}/{path}"), 404) == "DPM_ASYNC_OPERATION_NOT_FOUND"
        )
    assert (await client.get(f"{OPERATIONS}/by-correlation/corr-dop_late")).status == 200


async def test_lookups_can_be_switched_off_but_a_bad_query_is_said_first(start):
    for changes, code in (
        ({"support_apis_enabled": False}, "DPM_SUPPORT_APIS_DISABLED"),
        ({"async_operations_enabled": False}, "DPM_ASYNC_OPERATIONS_DISABLED"),
        (
            {"support_apis_enabled": False, "async_operations_enabled": False},
            "DPM_SUPPORT_APIS_DISABLED",
        ),
    ):
        client = await start(**changes)
        for path in ("", "/dop_1", "/a%00", "/by-correlation/corr-1"):
            assert await refusal_of(await client.get(f"{OPERATIONS}{path}"), 404) == code
        assert await entries(client, limit=0) == [("greater_than_equal", ["query", "limit"])]
