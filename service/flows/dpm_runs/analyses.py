"""Analyses as pure functions: what is to be done, each scenario by itself, what is kept and answered of it.

Whether the caller waits, the work is put off or another machine does it, it goes through these (RFC-0013,
RFC-0018); so the result is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import msgspec

from service.domains.callers import Caller
from service.domains.dpm_runs.values import DpmRun, RunRequest, RunStatus
from service.domains.operations import StagedScenario
from service.domains.policy_packs import ResolvedPack
from service.domains.rebalances.analyses import (
    AnalysisPlan,
    Analyzed,
    PlannedPolicy,
    PlannedScenario,
    raw_options,
    read_plan,
)
from service.domains.rebalances.requests import SCENARIOS_MAX, BatchRebalanceRequest
from service.domains.values.canonical import canonical_json_of_numbers, digest_of
from service.engines.dpm import batch, versions
from service.engines.policy.overlay import overlay
from service.errors.engines import ResultTooLarge
from service.errors.families import ServiceError
from service.errors.requests import RequestInvalid
from service.flows.dpm_runs.computing import RESULT, Readers
from service.flows.limits.result_sizes import RESULT_BYTES_MAX, encoded_within
from service.runtime.clock import NewId

# A process works on a few analyses at a time, and sees each of them again for its next scenario.
PLANS_OPEN_MAX = 4


@dataclass(frozen=True, slots=True)
class BatchIdentity:
    """The ids of a batch, drawn beforehand so that computing it stays pure."""

    batch_id: str
    correlation_id: str | None
    run_ids: tuple[str, ...]


def draw_batch(new_id: NewId, correlation_id: str | None) -> BatchIdentity:
    """Draws as many run ids as a batch can need."""
    return BatchIdentity(new_id("batch"), correlation_id, tuple(new_id("rr") for _ in range(SCENARIOS_MAX)))


@dataclass(frozen=True, slots=True)
class BatchAnalysis:
    """What came of every scenario of a batch, and when."""

    analyzed: Analyzed
    run_at: datetime

    @property
    def bytes_count(self) -> int:
        """What the results have together."""
        return self.analyzed.bytes_count

    @property
    def failed(self) -> dict[str, str]:
        """Why a scenario did not run, by its name."""
        return {one.scenario: one.failure for one in self.analyzed.outcomes if one.failure is not None}

    @property
    def warnings(self) -> tuple[str, ...]:
        return batch.batch_warnings(self.failed)


def check_batch_body(readers: Readers, body: bytes) -> None:
    """Raises what reading a batch raises."""
    readers.batch(body)


def plan_body(
    readers: Readers, body: bytes, identity: BatchIdentity, pack: ResolvedPack | None = None
) -> AnalysisPlan:
    """Reads a batch and resolves the options of each scenario by itself (engine specification, section 9).

    A pack is laid over the options of those that are not refused.
    """
    request = readers.batch(body)
    # The options of a scenario are untyped in what was asked; as numbers, its decimals mean the same again.
    canonical = canonical_json_of_numbers(request)
    names = sorted(request.scenarios)
    return AnalysisPlan(
        batch_id=identity.batch_id,
        correlation_id=identity.correlation_id,
        engine_version=versions.CURRENT_VERSION,
        request_hash=digest_of(canonical),
        portfolio_id=request.portfolio_snapshot.portfolio_id,
        base_snapshot_ids=batch.base_snapshot_ids(request),
        scenarios=tuple(
            _planned(readers, request, name, run_id, pack)
            for name, run_id in zip(names, identity.run_ids, strict=False)
        ),
        request=msgspec.Raw(canonical),
        policy=None if pack is None else _planned_policy(pack),
    )


def analyze_body(
    readers: Readers,
    body: bytes,
    identity: BatchIdentity,
    pack: ResolvedPack | None = None,
    bytes_max: int = RESULT_BYTES_MAX,
) -> Analyzed:
    """Every scenario in ascending name order, each by itself (engine specification, section 9)."""
    plan = plan_body(readers, body, identity, pack)
    request = plan.read_request()
    room = AnswerRoom(bytes_max)
    outcomes = [room.take(_run(plan, request, scenario, room.bytes_left)) for scenario in plan.scenarios]
    return Analyzed(plan, tuple(outcomes))


def run_scenario(plan: bytes, bytes_max: int, name: str) -> StagedScenario:
    """What comes of one scenario of a written plan; one bad scenario never harms its batch (ruling 10).

    `bytes_max` is what the answer of its batch has left: beyond it the scenario fails, and most of it is
    not computed. Raises KeyError for an engine version that this build does not carry.
    """
    opened, request = _opened(plan)
    scenario = next(one for one in opened.scenarios if one.name == name)
    return _run(opened, request, scenario, bytes_max)


class AnswerRoom:
    """What is left of the bytes that a batch may answer; asked in the order of names, it repeats itself."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_left = bytes_max

    def take(self, outcome: StagedScenario) -> StagedScenario:
        """The outcome, or its failure where the answer has no room for it."""
        size = len(outcome.result or b"") + len(outcome.metric or b"")
        if size > self.bytes_left:
            return failed_scenario(outcome.scenario, ResultTooLarge.code)
        self.bytes_left -= size
        return outcome


def failed_scenario(name: str, failure: str) -> StagedScenario:
    """A scenario that could not be computed; `failure` says why in one word."""
    return StagedScenario(scenario=name, failure=f"SCENARIO_EXECUTION_ERROR: {failure}")


def batch_request(caller: Caller, plan: AnalysisPlan, created_at: datetime) -> RunRequest:
    """What all runs of a batch share; it keeps the correlation id it was sent with, if there is one."""
    return RunRequest(
        request_id=plan.batch_id,
        tenant_id=caller.tenant_id,
        request_hash=plan.request_hash,
        body=bytes(plan.request),
        created_at=created_at,
        correlation_id=plan.correlation_id,
    )


def batch_runs(caller: Caller, analyzed: Analyzed, created_at: datetime) -> tuple[DpmRun, ...]:
    """The scenarios that were simulated, in the order of their names."""
    plan = analyzed.plan
    return tuple(
        _recorded(caller, plan, scenario, outcome.status, outcome.result, created_at)
        for scenario, outcome in zip(plan.scenarios, analyzed.outcomes, strict=True)
        if outcome.status is not None and outcome.result is not None
    )


def outcomes_in_order(plan: AnalysisPlan, staged: Sequence[StagedScenario]) -> tuple[StagedScenario, ...]:
    by_name = {one.scenario: one for one in staged}
    return tuple(by_name[scenario.name] for scenario in plan.scenarios)


@lru_cache(maxsize=PLANS_OPEN_MAX)
def _opened(plan: bytes) -> tuple[AnalysisPlan, BatchRebalanceRequest]:
    opened = read_plan(plan)
    return opened, opened.read_request()


def _planned_policy(pack: ResolvedPack) -> PlannedPolicy:
    return PlannedPolicy(
        policy_pack_id=pack.pack.policy_pack_id,
        version=pack.pack.version,
        source=pack.source,
        content_hash=pack.content_hash,
    )


def _planned(
    readers: Readers, request: BatchRebalanceRequest, name: str, run_id: str, pack: ResolvedPack | None
) -> PlannedScenario:
    try:
        options = readers.options(request.scenarios[name].options)
    except RequestInvalid as refused:
        refusal = f"INVALID_OPTIONS: {refused.entries[0]['msg']}"
        return PlannedScenario(name=name, run_id=run_id, refusal=refusal)
    if pack is not None:
        options = overlay(options, pack.pack)
    return PlannedScenario(name=name, run_id=run_id, options=raw_options(options))


def reason_of(error: Exception) -> str:
    """Why a scenario failed, in one word: the code of a refusal, or what the error is called."""
    return error.code if isinstance(error, ServiceError) else type(error).__name__


def _run(
    plan: AnalysisPlan, request: BatchRebalanceRequest, scenario: PlannedScenario, bytes_max: int
) -> StagedScenario:
    if scenario.refusal is not None:
        return StagedScenario(scenario=scenario.name, failure=scenario.refusal)
    identity = batch.scenario_identity(plan.batch_id, scenario.name, scenario.run_id, plan.correlation_id)
    simulate = versions.engine_of(plan.engine_version)
    try:
        result = simulate(request.request_of(scenario.read_options()), identity, bytes_max)
        metric = batch.metric_of(result, request.portfolio_snapshot.base_currency)
        return StagedScenario(
            scenario=scenario.name,
            status=RunStatus(result.status),
            result=encoded_within(RESULT, result, bytes_max),
            metric=RESULT.encode(metric),
        )
    except MemoryError:  # What the process still holds is unknown, so it is not to be used again.
        raise
    except Exception as error:  # One bad scenario never harms its batch (ruling 10).
        return failed_scenario(scenario.name, reason_of(error))


def _recorded(
    caller: Caller,
    plan: AnalysisPlan,
    scenario: PlannedScenario,
    status: RunStatus,
    result: bytes,
    created_at: datetime,
) -> DpmRun:
    identity = batch.scenario_identity(plan.batch_id, scenario.name, scenario.run_id, plan.correlation_id)
    return DpmRun(
        rebalance_run_id=identity.run_id,
        tenant_id=caller.tenant_id,
        correlation_id=identity.correlation_id,
        request_hash=identity.request_hash,
        idempotency_key=None,
        portfolio_id=plan.portfolio_id,
        status=status,
        engine_version=plan.engine_version,
        request_id=plan.batch_id,
        scenario=scenario.name,
        created_at=created_at,
        result=result,
        policy=None if plan.policy is None else plan.policy.applied_to(scenario),
    )
