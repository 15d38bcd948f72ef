"""Cursors can be put into a query as they are; one that means nothing is an empty page on every list."""

import re

import pytest
from yarl import URL

from tests.unit.web.proposal_fixtures import creation

SIMULATE = "/rebalance/simulate"
NOTHING = [
    "",
    "x",
    "rr_0",
    "pp_0",
    "2026-03-02T09:30:00+00:00|corr|CORRELATION_TO_RUN|rr_1",
    "MjAyNg",
    "M",
    "====",
    "%F0%9F%98%80",
    "a" * 1000,
]


@pytest.fixture
async def lists(start, demo):
    """A client, and the lists that have more than one row, each with the name of its rows."""
    client = await start(lineage_apis_enabled=True, workflow_enabled=True)
    for number in range(3):
        headers = {"Idempotency-Key": f"k{number}", "X-Correlation-Id": "corr +é"}
        assert (await client.post(SIMULATE, json=demo, headers=headers)).status == 200
        made = await client.post(
            "/rebalance/proposals", json=creation(), headers={"Idempotency-Key": f"k{number}"}
        )
        assert made.status == 200
        book = {name: demo[name] for name in demo if name != "options"}
        batch = book | {"scenarios": {"a": {"options": {}}}}
        assert (await client.post("/rebalance/analyze/async", json=batch)).status == 202
    entity = "/rebalance/lineage/corr%20+%C3%A9"
    return client, {
        "/rebalance/runs?limit=1": "items",
        "/rebalance/operations?limit=1": "items",
        "/rebalance/proposals?limit=1": "items",
        f"{entity}?limit=1": "edges",
        f"{entity}?limit=1&depth=3": "edges",
        "/rebalance/workflow/decisions?limit=1": "items",
        "/rebalance/supportability/parity?limit=1": "items",
    }


async def page(client, target):
    # The query goes out as it is written.
    answer = await client.get(URL(target, encoded=True))
    assert answer.status == 200, (target, await answer.text())
    return await answer.json()


async def test_pages_are_walked_with_cursors_as_they_are(lists):
    client, targets = lists
    for target, rows in list(targets.items())[:5]:
        seen, at = [], target
        while True:
            found = await page(client, at)
            seen += found[rows]
            if found["next_cursor"] is None:
                break
            assert re.fullmatch("[A-Za-z0-9_.~-]+", found["next_cursor"]), target
            at = f"{target}&cursor={found['next_cursor']}"
        assert len(seen) >= 3 and len({str(row) for row in seen}) == len(seen), target


async def test_a_cursor_that_means_nothing_is_an_empty_page(lists):
    client, targets = lists
    for target, rows in targets.items():
        for cursor in NOTHING:
            found = await page(client, f"{target}&cursor={cursor}")
            assert (found.get(rows, found.get("differences")), found["next_cursor"]) == ([], None), (
                target,
                cursor,
            )
