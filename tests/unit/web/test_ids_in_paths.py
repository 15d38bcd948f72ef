"""Whatever was taken as an id can be looked up by it."""

import json
import string
from dataclasses import replace
from urllib.parse import quote

import pytest

from service.domains.lineage import EdgeType
from service.settings.process import read
from tests.unit.web.raw import a_request, listening

VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F))
JSON = "Content-Type: application/json"
SIMULATE = "/rebalance/simulate"
CATALOG = "/rebalance/policies/catalog"
# One character each, then what is easily taken for something else.
IDS = [
    *VISIBLE,
    VISIBLE,
    "{tenant}-42",
    "}{",
    "{}",
    "a/b",
    "%2F",
    "%252f",
    "%",
    "..",
    "a+b",
    "a;b",
    "a?b#c",
    "//x",
]


@pytest.fixture
async def connect(start):
    client = await start(
        lineage_apis_enabled=True,
        history_apis_enabled=True,
        workflow_enabled=True,
        policy=replace(read().policy, enabled=True, admin_apis_enabled=True),
    )
    async with listening(client) as connected:
        yield connected


def spelled(name: str) -> str:
    """Encoded to the last character, so that no part of a path is taken for a step up."""
    return quote(name, safe="").replace(".", "%2E").replace("~", "%7E")


@pytest.mark.slow
async def test_every_key_and_correlation_id_that_is_taken_can_be_looked_up(connect, demo):
    caller = await connect()
    body = json.dumps(demo).encode()
    for name in IDS:
        made = await caller.ask(
            a_request(
                "POST", SIMULATE, JSON, f"Idempotency-Key: {name}", f"X-Correlation-Id: {name}", body=body
            )
        )
        assert made.status == 200, name
        run_id = json.loads(made.body)["rebalance_run_id"]

        for target in (
            f"/rebalance/runs/idempotency/{spelled(name)}",
            f"/rebalance/runs/idempotency/{spelled(name)}/support-bundle",
            f"/rebalance/runs/idempotency/{spelled(name)}/workflow",
            f"/rebalance/idempotency/{spelled(name)}/history",
            f"/rebalance/runs/by-correlation/{spelled(name)}",
            f"/rebalance/runs/by-correlation/{spelled(name)}/support-bundle",
            f"/rebalance/runs/by-correlation/{spelled(name)}/workflow/history",
            f"/rebalance/lineage/{spelled(name)}",
        ):
            found = await caller.ask(a_request("GET", target))
            assert found.status == 200, (name, target, found.body)
            assert run_id.encode() in found.body, (name, target)
        assert json.loads(found.body)["edges"][0]["edge_type"] in {kind.value for kind in EdgeType}


async def test_every_policy_pack_can_be_published_shown_and_removed(connect):
    caller = await connect()
    for name in IDS:
        target = f"{CATALOG}/{spelled(name)}"

        put = await caller.ask(a_request("PUT", target, JSON, body=b'{"version": "1"}'))
        got = await caller.ask(a_request("GET", target))
        gone = await caller.ask(a_request("DELETE", target))
        again = await caller.ask(a_request("GET", target))

        assert (put.status, got.status, gone.status, again.status) == (200, 200, 204, 404), name
        assert json.loads(got.body)["policy_pack_id"] == name


async def test_ids_that_are_not_encoded_are_taken_where_http_lets_them_through(connect, demo):
    caller = await connect()
    for mark in VISIBLE.translate({ord(mark): None for mark in "/?#%"}):
        key = f"a{mark}b"
        await caller.ask(
            a_request("POST", SIMULATE, JSON, f"Idempotency-Key: {key}", body=json.dumps(demo).encode())
        )

        found = await caller.ask(a_request("GET", f"/rebalance/runs/idempotency/{key}"))

        assert found.status == 200, mark
        assert json.loads(found.body)["idempotency_key"] == key


async def test_lower_case_escapes_are_escapes_too(connect, demo):
    caller = await connect()
    key = f"a/{string.digits}"
    await caller.ask(
        a_request("POST", SIMULATE, JSON, f"Idempotency-Key: {key}", body=json.dumps(demo).encode())
    )

    found = await caller.ask(a_request("GET", f"/rebalance/runs/idempotency/a%2f{string.digits}"))

    assert found.status == 200
