"""Edges around an entity, near and far, as a client sees them."""

import pytest

from service.domains.lineage import TRAIL_EDGES_MAX, EdgeType
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.pages import opaque
from tests.integration.contract.builders import (
    AT,
    a_batch,
    a_replay,
    after,
    an_admission,
    an_operation,
)

LINEAGE = "/rebalance/lineage"
HASH = "sha256:" + "a" * 64


class StoppedClock:
    def now(self):
        return AT


async def admitted(store, run_id, seconds=0.0, **fields):
    fields = {"idempotency_key": f"key-of-{run_id}", "created_at": after(seconds)} | fields
    admission = an_admission(replay=False, rebalance_run_id=run_id, **fields)
    return (await store.dpm_runs.admit(admission, KEEP_ALL)).run


async def replayed(store, original, run_id, seconds):
    replay = a_replay(original, rebalance_run_id=run_id, created_at=after(seconds))
    await store.dpm_runs.admit_replay(replay, KEEP_ALL)
    return replay.run


async def found(client, entity_id, **asked):
    answer = await client.get(f"{LINEAGE}/{entity_id}", params=asked)
    assert answer.status == 200
    body = await answer.json()
    assert list(body) == ["entity_id", "edges", "next_cursor", "truncated"]
    return body


async def edges(client, entity_id, **asked):
    """The edges of a page, shortly."""
    body = await found(client, entity_id, **asked)
    assert body["next_cursor"] is None
    return [short(edge) for edge in body["edges"]]


def short(edge):
    return (edge["source_entity_id"], edge["edge_type"], edge["target_entity_id"])


@pytest.fixture
async def client(start):
    return await start(lineage_apis_enabled=True)


async def test_a_recorded_run_is_reached_from_its_correlation_id_and_its_key(client, store):
    await admitted(store, "rr_1", 0.5, correlation_id="corr-1", idempotency_key="key-1")

    answer = await client.get(f"{LINEAGE}/rr_1")

    assert answer.content_type == "application/json"
    body = await answer.json()
    assert body == {
        "entity_id": "rr_1",
        "edges": [
            {
                "source_entity_id": "corr-1",
                "edge_type": "CORRELATION_TO_RUN",
                "target_entity_id": "rr_1",
                "created_at": "2026-03-02T09:30:00.500000+00:00",
                "metadata": {"request_hash": HASH},
            },
            {
                "source_entity_id": "key-1",
                "edge_type": "IDEMPOTENCY_TO_RUN",
                "target_entity_id": "rr_1",
                "created_at": "2026-03-02T09:30:00.500000+00:00",
                "metadata": {"request_hash": HASH},
            },
        ],
        "next_cursor": None,
        "truncated": False,
    }
    assert list(body["edges"][0]) == [
        "source_entity_id",
        "edge_type",
        "target_entity_id",
        "created_at",
        "metadata",
    ]


async def test_a_simulation_and_a_batch_leave_their_edges(client, demo):
    headers = {"Idempotency-Key": "key-1", "X-Correlation-Id": "corr-1"}
    run = await (await client.post("/rebalance/simulate", json=demo, headers=headers)).json()
    del demo["options"]
    demo["scenarios"] = {"base": {}}
    batch = await (
        await client.post("/rebalance/analyze", json=demo, headers={"X-Correlation-Id": "what-if"})
    ).json()
    scenario = batch["results"]["base"]["rebalance_run_id"]

    assert await edges(client, run["rebalance_run_id"]) == [
        ("corr-1", "CORRELATION_TO_RUN", run["rebalance_run_id"]),
        ("key-1", "IDEMPOTENCY_TO_RUN", run["rebalance_run_id"]),
    ]
    assert await edges(client, batch["batch_run_id"]) == [(scenario, "CAUSED_BY", batch["batch_run_id"])]
    assert await edges(client, "what-if%3Abase") == [("what-if:base", "CORRELATION_TO_RUN", scenario)]


async def test_an_unknown_entity_has_no_edges(client):
    assert await found(client, "nobody") == {
        "entity_id": "nobody",
        "edges": [],
        "next_cursor": None,
        "truncated": False,
    }
    assert (await found(client, "nobody", depth=20))["edges"] == []


async def test_an_id_is_echoed_as_it_was_meant(client):
    assert (await found(client, "a%2Fb%20%C3%BC"))["entity_id"] == "a/b ü"


@pytest.mark.parametrize("written", ["a%00", "a%FF"])
async def test_an_id_that_cannot_be_stored_is_not_found(client, written):
    for depth in (1, 2):
        refused = await client.get(f"{LINEAGE}/{written}", params={"depth": depth})
        assert refused.status == 404
        assert (await refused.json())["detail"] == "Not Found"


async def test_an_edge_with_equal_ends_is_listed_once(client, store):
    await admitted(store, "rr_1", correlation_id="rr_1", idempotency_key="key-1")

    assert len(await edges(client, "rr_1")) == 2
    assert len(await edges(client, "rr_1", depth=5)) == 2


async def test_edges_are_in_the_order_of_their_places(client, store):
    for run_id, seconds in (("rr_b", 1), ("rr_c", 0), ("rr_a", 1)):
        await admitted(store, run_id, seconds, correlation_id="corr")

    assert [target for _, _, target in await edges(client, "corr")] == ["rr_c", "rr_a", "rr_b"]


@pytest.mark.parametrize("depth", [1, 2])
async def test_each_filter_chooses_what_is_shown(client, store, depth):
    for number in range(3):
        await admitted(store, f"rr_{number}", number, correlation_id="shared", idempotency_key="shared")

    async def targets(**asked):
        return [target for _, _, target in await edges(client, "shared", depth=depth, **asked)]

    assert await targets() == ["rr_0", "rr_0", "rr_1", "rr_1", "rr_2", "rr_2"]
    assert await targets(edge_type="CORRELATION_TO_RUN") == ["rr_0", "rr_1", "rr_2"]
    assert await targets(edge_type="no such type") == []
    assert await targets(edge_type="") == []
    for asked, expected in (
        ({"from": "2026-03-02T09:30:01"}, ["rr_1", "rr_2"]),
        ({"from": "2026-03-02T17:30:01+08:00"}, ["rr_1", "rr_2"]),
        ({"to": "2026-03-02T09:30:01Z"}, ["rr_0", "rr_1"]),
        ({"from": "2026-03-02T09:30:01", "to": str(int(AT.timestamp()) + 1)}, ["rr_1"]),
        ({"from": "2026-03-03"}, []),
    ):
        assert await targets(edge_type="IDEMPOTENCY_TO_RUN", **asked) == expected, asked


@pytest.mark.parametrize("depth", [1, 2])
async def test_pages_follow_each_other_to_the_end(client, store, depth):
    for number in range(5):
        await admitted(store, f"rr_{number}", number, correlation_id="a|b")
    asked = {"depth": depth, "limit": 2, "edge_type": "CORRELATION_TO_RUN"}

    pages = [await found(client, "a%7Cb", **asked)]
    while pages[-1]["next_cursor"] is not None:
        pages.append(await found(client, "a%7Cb", cursor=pages[-1]["next_cursor"], **asked))

    assert [[edge["target_entity_id"] for edge in page["edges"]] for page in pages] == [
        ["rr_0", "rr_1"],
        ["rr_2", "rr_3"],
        ["rr_4"],
    ]
    assert pages[0]["next_cursor"] == opaque("2026-03-02T09:30:01+00:00|a|b|CORRELATION_TO_RUN|rr_1")


@pytest.mark.parametrize("depth", [1, 2])
async def test_a_cursor_that_names_no_shown_edge_gives_an_empty_page(client, store, depth):
    await admitted(store, "rr_1", correlation_id="corr", idempotency_key="key")
    await admitted(store, "rr_2", 1, correlation_id="other")
    place = "2026-03-02T09:30:00+00:00|corr|CORRELATION_TO_RUN|rr_1"

    async def shown(**asked):
        return await edges(client, "rr_1", depth=depth, **asked)

    assert await shown(cursor=opaque(place)) == [("key", "IDEMPOTENCY_TO_RUN", "rr_1")]
    for cursor in ("", "x", place[:-1], place.replace("+00:00|", "|"), "||||"):
        assert await shown(cursor=opaque(cursor)) == await shown(cursor=cursor) == []
    assert await shown(cursor=place) == []
    assert await shown(cursor=opaque("2026-03-02T09:30:01+00:00|other|CORRELATION_TO_RUN|rr_2")) == []
    assert await shown(cursor=opaque(place), edge_type="IDEMPOTENCY_TO_RUN") == []


@pytest.mark.parametrize("depth", [1, 2])
async def test_fifty_are_shown_unless_more_are_asked_for(client, store, depth):
    for number in range(202):
        await admitted(store, f"rr_{number}", number, correlation_id="busy")

    assert len((await found(client, "busy", depth=depth))["edges"]) == 50
    assert len((await found(client, "busy", depth=depth, limit=200))["edges"]) == 200
    assert len((await found(client, "busy", depth=depth, limit=1))["edges"]) == 1


async def test_a_deeper_walk_meets_what_is_further_away(client, store):
    first = await admitted(store, "rr_1", correlation_id="corr", idempotency_key="key")
    second = await replayed(store, first, "rr_2", 1)
    await replayed(store, second, "rr_3", 2)
    near = [("corr", "CORRELATION_TO_RUN", "rr_1"), ("key", "IDEMPOTENCY_TO_RUN", "rr_1")]
    own = [("corr_of_rr_2", "CORRELATION_TO_RUN", "rr_2"), ("corr_of_rr_3", "CORRELATION_TO_RUN", "rr_3")]
    back = [("rr_2", "REPLAYED_FROM", "rr_1"), ("rr_3", "REPLAYED_FROM", "rr_2")]

    assert await edges(client, "rr_1") == await edges(client, "rr_1", depth=1) == [*near, back[0]]
    assert await edges(client, "rr_1", depth=2) == [*near, own[0], back[0], back[1]]
    assert await edges(client, "rr_1", depth=20) == [*near, own[0], back[0], own[1], back[1]]
    assert await edges(client, "key", depth=2) == [*near, back[0]]


@pytest.mark.parametrize("depth", [1, 3])
async def test_a_walk_can_be_held_to_one_direction(client, store, depth):
    first = await admitted(store, "rr_1", correlation_id="corr", idempotency_key="key")
    await replayed(store, first, "rr_2", 1)
    replay = ("rr_2", "REPLAYED_FROM", "rr_1")
    up = [("corr_of_rr_2", "CORRELATION_TO_RUN", "rr_2"), replay]
    further = [("corr", "CORRELATION_TO_RUN", "rr_1"), ("key", "IDEMPOTENCY_TO_RUN", "rr_1")]

    assert await edges(client, "rr_2", depth=depth, direction="down") == []
    assert await edges(client, "rr_1", depth=depth, direction="down") == (down := [replay])
    assert await edges(client, "rr_2", depth=depth, direction="up") == (further if depth > 1 else []) + up
    both = await edges(client, "rr_2", depth=depth, direction="both")
    assert set(both) >= {*up, *down}
    assert await edges(client, "rr_2", depth=depth) == both


async def test_a_filter_chooses_what_is_shown_and_not_where_a_walk_goes(client, store):
    first = await admitted(store, "rr_1", correlation_id="corr", idempotency_key="key")
    second = await replayed(store, first, "rr_2", 1)
    await replayed(store, second, "rr_3", 2)

    shown = await edges(client, "rr_3", depth=3, direction="both", edge_type="IDEMPOTENCY_TO_RUN")

    assert shown == [("key", "IDEMPOTENCY_TO_RUN", "rr_1")]
    assert await edges(client, "rr_3", depth=3, **{"to": "2026-03-02T09:30:00"}) == [
        ("corr", "CORRELATION_TO_RUN", "rr_1"),
        ("key", "IDEMPOTENCY_TO_RUN", "rr_1"),
    ]


async def test_an_operation_is_linked_to_what_it_was_sent_as(client, store):
    await store.operations.submit(an_operation(operation_id="dop_1", correlation_id="corr"))
    await store.dpm_runs.admit_batch(a_batch("base", cause_id="dop_1", rebalance_run_id="rr_1"))

    body = await found(client, "dop_1")

    assert [short(edge) for edge in body["edges"]] == [
        ("dop_1", "OPERATION_TO_CORRELATION", "corr"),
        ("rr_1", "CAUSED_BY", "dop_1"),
    ]
    assert body["edges"][0]["metadata"] == {"operation_type": "ANALYZE_SCENARIOS"}


async def test_a_walk_that_meets_too_much_says_so(client, store):
    for number in range(TRAIL_EDGES_MAX // 2 + 1):
        await admitted(store, f"rr_{number}", number, correlation_id="busy", idempotency_key="busy")

    near = await found(client, "busy")
    far = await found(client, "busy", depth=2, limit=200)

    assert (near["truncated"], far["truncated"]) == (False, True)
    assert len(far["edges"]) == 200
    assert far["next_cursor"] is not None


async def test_what_has_expired_is_not_there(start, store):
    client = await start(lineage_apis_enabled=True, clock=StoppedClock(), retention_days=1)
    await admitted(store, "rr_old", -86_401, correlation_id="corr")
    await admitted(store, "rr_new", correlation_id="corr")

    for depth in (1, 2):
        shown = await edges(client, "corr", depth=depth, edge_type="CORRELATION_TO_RUN")
        assert shown == [("corr", "CORRELATION_TO_RUN", "rr_new")]
        assert await edges(client, "rr_old", depth=depth) == []


async def test_a_query_that_cannot_be_read_is_refused_in_one_answer(client):
    async def entries(**asked):
        refused = await client.get(f"{LINEAGE}/rr_1", params=asked)
        assert refused.status == 422
        assert refused.content_type == "application/problem+json"
        return (await refused.json())["detail"]

    assert [(entry["type"], entry["ctx"]) for entry in await entries(depth=0)] == [
        ("greater_than_equal", {"ge": 1})
    ]
    assert [(entry["type"], entry["ctx"]) for entry in await entries(depth=21)] == [
        ("less_than_equal", {"le": 20})
    ]
    assert await entries(direction="BOTH") == [
        {
            "type": "enum",
            "loc": ["query", "direction"],
            "msg": "Input should be 'both', 'up' or 'down'",
            "input": "BOTH",
            "ctx": {"expected": "'both', 'up' or 'down'"},
        }
    ]
    every = await entries(
        direction="", depth="deep", cursor="\0", limit=0, to="x", edge_type="\0", **{"from": ""}
    )
    assert [(entry["loc"][1], entry["type"]) for entry in every] == [
        ("edge_type", "value_error"),
        ("from", "datetime_from_date_parsing"),
        ("to", "datetime_from_date_parsing"),
        ("limit", "greater_than_equal"),
        ("cursor", "value_error"),
        ("depth", "int_parsing"),
        ("direction", "enum"),
    ]


async def test_every_type_of_edge_can_be_asked_for(client):
    for edge_type in EdgeType:
        assert await edges(client, "rr_1", edge_type=edge_type.value) == []


@pytest.mark.parametrize(
    ("gates", "code"),
    [
        ({}, "DPM_LINEAGE_APIS_DISABLED"),
        ({"support_apis_enabled": False}, "DPM_SUPPORT_APIS_DISABLED"),
        ({"support_apis_enabled": False, "lineage_apis_enabled": True}, "DPM_SUPPORT_APIS_DISABLED"),
    ],
)
async def test_lineage_has_to_be_switched_on_but_a_bad_query_is_said_first(start, gates, code):
    client = await start(**gates)

    refused = await client.get(f"{LINEAGE}/rr_1")

    assert refused.status == 404
    assert (await refused.json())["detail"] == code
    assert (await client.get(f"{LINEAGE}/rr_1", params={"limit": 0})).status == 422
