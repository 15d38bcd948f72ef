"""Callers who cancel an operation while another executes it, on real servers: one of them ends it."""

from __future__ import annotations

import asyncio
import json
import urllib.request

import aiohttp
import pytest

from tests.e2e.clients import Answer, post
from tests.e2e.databases import Database, PostgresDatabase
from tests.e2e.submissions import a_batch, submit
from tests.waiting import HANG_SECONDS

CANCELLERS = 8
BODY = a_batch(scenarios=3, positions=20, seed=7)
ENDS = {
    "SUCCEEDED": None,
    "FAILED": "DPM_ASYNC_OPERATION_CANCELLED",
}


@pytest.mark.faults
def test_of_many_who_cancel_and_one_who_executes_one_ends_the_operation(new_database, serve, faults_in_full):
    database = new_database()
    # Servers share a database only where it is one of servers.
    servers = 2 if isinstance(database, PostgresDatabase) else 1
    variables = database.variables | {"DPM_ASYNC_EXECUTION_MODE": "ACCEPT_ONLY"}
    bases = [serve(variables).base for _ in range(servers)]

    later_seconds = 0.004 if faults_in_full else 0.008
    for number in range(60 if faults_in_full else 4):
        operation_id = submit(bases[0], BODY)

        # Later and later, so that an operation is met before it begins, while it runs, and at its end.
        executed, cancelled = asyncio.run(race(bases, operation_id, late_seconds=later_seconds * number))

        with urllib.request.urlopen(f"{bases[-1]}/rebalance/operations/{operation_id}") as answer:
            found = json.load(answer)
        error = found["error"] and found["error"]["code"]
        assert ENDS[found["status"]] == error, found
        ways = sorted(answer.status for answer in cancelled)
        won = found["status"] == "FAILED"
        assert ways == [200] * won + [409] * (CANCELLERS - won), [answer.body for answer in cancelled]
        told = [json.loads(answer.body) for answer in cancelled if answer.status == 409]
        outcome = "CANCELLED" if won else "SUCCEEDED"
        assert {(one["outcome"], one["finished_at"]) for one in told} == {(outcome, found["finished_at"])}
        # Who executes is told the end as well, unless it was cancelled before it could begin.
        assert executed.status == 409 or json.loads(executed.body) == found
        assert runs_of(database, operation_id) == (0 if won else 2)


async def race(bases: list[str], operation_id: str, late_seconds: float) -> tuple[Answer, list[Answer]]:
    timeout = aiohttp.ClientTimeout(total=HANG_SECONDS)
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def send(number: int, act: str, after_seconds: float) -> Answer:
            # At a moment of its own in each round; the order it comes to is the machine's.
            moment = loop.create_future()
            loop.call_later(after_seconds, moment.set_result, None)
            await moment
            base = bases[number % len(bases)]
            return await post(session, f"{base}/rebalance/operations/{operation_id}/{act}", b"")

        executed, *cancelled = await asyncio.gather(
            send(0, "execute", 0.0), *(send(n, "cancel", late_seconds) for n in range(CANCELLERS))
        )
        return executed, cancelled


def runs_of(database: Database, operation_id: str) -> int:
    """How many runs were recorded of an operation."""
    with database.snapshot() as ask:
        ((count,),) = ask(
            "SELECT count(*) FROM dpm_lineage_edges "
            f"WHERE edge_type = 'CAUSED_BY' AND target_entity_id = '{operation_id}'"
        )
    return int(count)
