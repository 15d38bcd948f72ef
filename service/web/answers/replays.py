"""Answers about runs that were computed again."""

from __future__ import annotations

from typing import Any

import msgspec

from service.domains.values.ids import RunId
from service.domains.values.json_differences import Difference
from service.domains.values.published import published
from service.flows.dpm_runs.replays import Outcome, Replay


@published("DpmRunReplayDifference")
class ReplayDifference(msgspec.Struct, frozen=True):
    """The first place where the results differ; `$` with hashes when no field does."""

    path: str
    """Where in the result the values differ, as a path of names and places from `$`; `$` alone where the
    result cannot be computed again or its hash does not fit."""
    recorded: Any
    """What is stored there."""
    replayed: Any
    """What was computed there now; null where nothing was."""


@published("DpmRunReplayResponse")
class ReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a run comes to the same result when it is computed again."""

    rebalance_run_id: RunId
    outcome: Outcome
    """Whether the results are the same.

    Values as of `service.flows.dpm_runs.replays.Outcome`.
    """
    engine_version: str
    """Version of the engine that the run was computed by, then and now."""
    recorded_hash: str
    """`sha256:` and the hash of the stored result."""
    replayed_hash: str | None
    """`sha256:` and the hash of the result computed now; null where it could not be computed."""
    first_difference: ReplayDifference | None
    """First place where the results differ; null where they are the same."""
    digests_intact: bool
    """Whether what is stored still has the hashes it was stored with."""
    recorded_run_id: str | None
    """Run that the replay was recorded as; null where it was not recorded."""


def answer_of(found: Replay) -> ReplayAnswer:
    return ReplayAnswer(
        rebalance_run_id=found.run.rebalance_run_id,
        outcome=found.outcome,
        engine_version=found.run.engine_version,
        recorded_hash=found.recorded_hash,
        replayed_hash=found.replayed_hash,
        first_difference=difference_of(found.difference),
        digests_intact=found.digests_intact,
        recorded_run_id=found.recorded_run_id,
    )


def difference_of(found: Difference | None) -> ReplayDifference | None:
    return ReplayDifference(found.path, found.recorded, found.replayed) if found else None
