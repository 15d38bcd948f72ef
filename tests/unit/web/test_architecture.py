"""The walks of docs/architecture.md: it names every file that a request enters, and none that it does not."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.unit.web.proposal_fixtures import approved, moved, proposal_of

PAGE = ROOT / "docs" / "architecture.md"
NAMED = re.compile(r"`((?:service|sql)/[\w./]+)`")
STEP = re.compile(r"^\| \d+ \| `([\w./]+)`", re.MULTILINE)
# What the tests have is the memory backend; the page names the files of PostgreSQL.
BACKENDS = ("service/storage/memory/", "service/storage/postgres/", "service/storage/sql/", "sql/")
# The same in every simulation; the engines are walked in docs/engine.md, values are what is passed along.
PASSED = ("service/engines/", "service/domains/")
SIMULATE_STEPS_MAX = 9


def section(title: str) -> str:
    return PAGE.read_text(encoding="utf-8").partition(f"\n### {title}\n")[2].split("\n##")[0]


def files_named(title: str) -> set[str]:
    return {name for name in NAMED.findall(section(title)) if not name.startswith((*BACKENDS, *PASSED))}


async def entered(asked: Awaitable[Any]) -> set[str]:
    """The files of the service in which a function is called while a request is answered."""
    found: set[str] = set()

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            found.add(frame.f_code.co_filename)

    sys.setprofile(look)
    try:
        answer = await asked
    finally:
        sys.setprofile(None)
    assert answer.status == 200, await answer.text()
    paths = {
        Path(name).relative_to(ROOT).as_posix() for name in found if name.startswith(str(ROOT / "service"))
    }
    return {path for path in paths if not path.startswith((*BACKENDS, *PASSED))}


@pytest.fixture
async def client(start):
    return await start()


async def test_every_file_that_any_request_enters_is_named(client):
    assert await entered(client.get("/openapi.json")) <= files_named("Every request")


async def test_a_simulation(client, demo):
    asked = client.post("/rebalance/simulate", json=demo, headers={"Idempotency-Key": "walk-1"})

    require_walked(await entered(asked), "Simulate")
    assert 1 < len(STEP.findall(section("Simulate"))) <= SIMULATE_STEPS_MAX


async def test_a_replay(client, demo):
    sent = {"json": demo, "headers": {"Idempotency-Key": "walk-1"}}
    run = await (await client.post("/rebalance/simulate", **sent)).json()

    asked = client.post(f"/rebalance/runs/{run['rebalance_run_id']}/replay")

    require_walked(await entered(asked), "Replay")


async def test_an_approval(client):
    path = await proposal_of(client)
    await moved(client, path, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT")

    require_walked(await entered(approved(client, path, "RISK", "RISK_REVIEW")), "Approve")


def require_walked(paths: set[str], title: str) -> None:
    """Every file is named in its section, in that of every request; and none that is not entered."""
    named = files_named(title)
    missing, too_many = paths - named - files_named("Every request"), named - paths
    assert (sorted(missing), sorted(too_many)) == ([], [])
