"""A stored run computed again."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from service.domains.values.json_differences import Difference
from service.errors.dpm_runs import RunNotFound
from service.flows.dpm_runs.replays import Replay
from service.web import keys
from service.web.requests import headers, parameters
from service.web.schemas.replays import ReplayQuery

REPLAY = ReplayQuery()


class ReplayDifference(msgspec.Struct, frozen=True):
    """The first place where the results differ; `$` with hashes when no field does."""

    path: str
    recorded: Any
    replayed: Any


class ReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    rebalance_run_id: str
    outcome: str
    engine_version: str
    recorded_hash: str
    replayed_hash: str | None
    first_difference: ReplayDifference | None
    digests_intact: bool
    recorded_run_id: str | None


async def replay(request: web.Request) -> web.Response:
    """Computes a run again and compares; with `record` the replay is kept as a run of its own."""
    asked = parameters.read(request, REPLAY, headers.correlation_entries(request))
    request.app[keys.GATES].require_support_apis()
    found = await request.app[keys.FLOWS].replays.replay(
        parameters.path_id(request, "rebalance_run_id", RunNotFound),
        record=asked["record"],
        correlation_id=request[keys.CORRELATION_ID],
    )
    return web.Response(body=msgspec.json.encode(_answer_of(found)), content_type="application/json")


def _answer_of(found: Replay) -> ReplayAnswer:
    return ReplayAnswer(
        rebalance_run_id=found.run.rebalance_run_id,
        outcome=found.outcome.value,
        engine_version=found.run.engine_version,
        recorded_hash=found.recorded_hash,
        replayed_hash=found.replayed_hash,
        first_difference=_difference_of(found.difference),
        digests_intact=found.digests_intact,
        recorded_run_id=found.recorded_run_id,
    )


def _difference_of(found: Difference | None) -> ReplayDifference | None:
    return ReplayDifference(found.path, found.recorded, found.replayed) if found else None
