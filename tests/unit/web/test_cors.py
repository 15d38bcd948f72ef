"""Pages of named origins may call the API from a browser; all others are told nothing."""

from dataclasses import replace

import pytest

from service.settings.process import read
from service.web.operations.table import ROUTES

SIMULATE = "/rebalance/simulate"
DESK = "https://desk.example"
OTHERS = [
    "https://desk.example.evil",
    "http://desk.example",
    "https://desk.example:444",
    "null",
    "*",
    "",
    DESK.upper(),
]
ASKED = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,idempotency-key",
}


@pytest.fixture
def open_to(start):
    async def begin(*origins, credentials=False, **changes):
        serving = replace(read().serving, cors_origins=origins, cors_credentials=credentials)
        return await start(serving=serving, **changes)

    return begin


def grants(answer):
    return {
        name: value for name, value in answer.headers.items() if name.lower().startswith("access-control-")
    }


async def test_without_origins_there_is_no_cors(start):
    client = await start()

    asked = await client.options(SIMULATE, headers={"Origin": DESK} | ASKED)
    read_ = await client.get("/rebalance/runs", headers={"Origin": DESK})

    assert asked.status == 405
    assert grants(asked) == grants(read_) == {}
    assert "Vary" not in read_.headers


async def test_a_page_of_a_named_origin_may_ask_and_read(open_to, demo):
    client = await open_to("https://one.example", DESK)

    asked = await client.options(SIMULATE, headers={"Origin": DESK} | ASKED)
    done = await client.post(SIMULATE, json=demo, headers={"Origin": DESK, "Idempotency-Key": "k"})

    assert (asked.status, await asked.read()) == (204, b"")
    assert asked.headers["X-Correlation-Id"]
    assert grants(asked) == {
        "Access-Control-Allow-Origin": DESK,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Content-Type, Content-Encoding, Idempotency-Key, X-Correlation-Id, "
        "X-Policy-Pack-Id, X-Tenant-Policy-Pack-Id, X-Tenant-Id, traceparent, tracestate",
        "Access-Control-Max-Age": "600",
    }
    assert asked.headers["Vary"] == "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    assert done.status == 200
    assert done.headers["Access-Control-Allow-Origin"] == DESK
    assert done.headers["Vary"] == "Origin"
    exposed = done.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Idempotent-Replayed", "Retry-After", "X-Correlation-Id", "Location"} <= set(exposed)


@pytest.mark.parametrize("origin", OTHERS)
async def test_a_page_of_another_origin_is_told_nothing(open_to, origin):
    client = await open_to(DESK)

    asked = await client.options(SIMULATE, headers={"Origin": origin} | ASKED)
    answered = await client.get("/rebalance/runs", headers={"Origin": origin})

    assert asked.status == 405
    assert grants(asked) == grants(answered) == {}
    assert answered.headers["Vary"] == asked.headers["Vary"] == "Origin", "a cache must keep them apart"


async def test_two_origins_are_none(open_to):
    client = await open_to(DESK)

    answered = await client.get("/rebalance/runs", headers=[("Origin", DESK), ("Origin", DESK)])

    assert grants(answered) == {}


async def test_a_caller_that_is_no_page_sees_that_answers_vary(open_to):
    client = await open_to(DESK)

    answered = await client.get("/rebalance/runs")

    assert answered.headers["Vary"] == "Origin" and grants(answered) == {}


async def test_refusals_can_be_read_by_the_page_too(open_to):
    client = await open_to(DESK, body_bytes_max=1000)
    headers = {"Origin": DESK, "Content-Type": "application/json"}

    for method, path, body, more, status in (
        ("GET", "/nowhere", None, {}, 404),
        ("PUT", SIMULATE, b"{}", {}, 405),
        ("POST", SIMULATE, b"{}", {}, 422),
        ("POST", SIMULATE, b" " * 1001, {}, 413),
        ("POST", SIMULATE, b"{}", {"Content-Encoding": "br"}, 415),
        ("POST", SIMULATE, b"{}", {"Expect": "x"}, 417),
        ("GET", "/rebalance/runs", None, {"X-Filler": "a" * 8000, "X-More": "b" * 8000}, 431),
        ("GET", "/rebalance/runs/", None, {}, 307),
    ):
        client_headers = headers | more
        if status == 431:
            client_headers |= {f"X-{number}": "c" * 8000 for number in range(3)}
        answer = await client.request(
            method, path, data=body, headers=client_headers, allow_redirects=False, compress=None
        )
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == DESK, status


async def test_a_question_about_what_is_not_there_is_answered_like_any(open_to):
    client = await open_to(DESK)

    nowhere = await client.options("/nowhere", headers={"Origin": DESK} | ASKED)
    unasked = await client.options(SIMULATE, headers={"Origin": DESK})

    assert (nowhere.status, unasked.status) == (404, 405)


async def test_every_route_can_be_asked_about(open_to):
    client = await open_to(DESK)
    served: dict[str, set[str]] = {}
    for route in ROUTES:
        served.setdefault(route.path, set()).add(route.method)

    for path, methods in served.items():
        asked = await client.options(path, headers={"Origin": DESK} | ASKED)
        told = set(asked.headers["Access-Control-Allow-Methods"].split(", "))
        # An id may be spelled like the end of another path, so there may be more.
        assert told >= methods | ({"HEAD"} if "GET" in methods else set()), path


async def test_cookies_go_along_only_where_that_is_wanted(open_to):
    plain, trusting = await open_to(DESK), await open_to(DESK, credentials=True)

    for client, allowed in ((plain, None), (trusting, "true")):
        asked = await client.options(SIMULATE, headers={"Origin": DESK} | ASKED)
        answered = await client.get("/rebalance/runs", headers={"Origin": DESK})
        assert asked.headers.get("Access-Control-Allow-Credentials") == allowed
        assert answered.headers.get("Access-Control-Allow-Credentials") == allowed
