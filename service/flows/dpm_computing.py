"""What is computed from a body's bytes before anything is stored; pure, so it may run anywhere, or twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from service.domains.canonical import canonical_json, canonical_json_of_numbers, digest_of
from service.domains.dpm_runs import DpmRun, RunRequest, RunStatus
from service.domains.options import EngineOptions
from service.domains.rebalances import BatchRebalanceRequest, RebalanceRequest
from service.domains.results import BatchScenarioMetric, RebalanceResult
from service.engines.dpm import batch, versions
from service.engines.dpm.pipeline import RunIdentity
from service.errors import RequestInvalid

# Results are encoded once, here; these bytes are stored and answered.
RESULT = msgspec.json.Encoder(decimal_format="string")


@dataclass(frozen=True, slots=True)
class Readers:
    """How bytes become requests: the edge's business, handed in where the process is put together.

    Each raises RequestInvalid or JsonTooDeep, and is a module-level function, for it also runs in workers.
    """

    rebalance: Callable[[bytes], RebalanceRequest]
    batch: Callable[[bytes], BatchRebalanceRequest]
    options: Callable[[Mapping[str, Any]], EngineOptions]


@dataclass(frozen=True, slots=True)
class Simulated:
    """One computed run, ready to be recorded."""

    request_hash: str
    request_body: bytes
    portfolio_id: str
    status: RunStatus
    result: bytes


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """One computed scenario of a batch, ready to be recorded."""

    name: str
    run_id: str
    correlation_id: str
    request_hash: str
    status: RunStatus
    result: bytes
    metric: BatchScenarioMetric


@dataclass(frozen=True, slots=True)
class Analyzed:
    """A computed batch, ready to be recorded and answered."""

    request_hash: str
    request_body: bytes
    portfolio_id: str
    base_snapshot_ids: dict[str, str]
    runs: tuple[ScenarioRun, ...]
    failed: dict[str, str]


@dataclass(frozen=True, slots=True)
class BatchIdentity:
    """The ids of a batch, drawn beforehand so that computing it stays pure."""

    batch_id: str
    correlation_id: str | None
    run_ids: tuple[str, ...]


def hash_body(readers: Readers, body: bytes) -> str:
    """The request hash of a simulate body (HTTP contract, section 9)."""
    return digest_of(canonical_json(readers.rebalance(body)))


def check_batch_body(readers: Readers, body: bytes) -> None:
    """Raises what reading a batch raises."""
    readers.batch(body)


def simulate_body(readers: Readers, body: bytes, run_id: str, correlation_id: str) -> Simulated:
    """From the bytes received to the bytes that are stored and answered."""
    request = readers.rebalance(body)
    canonical = canonical_json(request)
    request_hash = digest_of(canonical)
    result = _simulate(request, RunIdentity(run_id, correlation_id, request_hash))
    return Simulated(
        request_hash=request_hash,
        request_body=canonical,
        portfolio_id=request.portfolio_snapshot.portfolio_id,
        status=RunStatus(result.status),
        result=RESULT.encode(result),
    )


def analyze_body(readers: Readers, body: bytes, identity: BatchIdentity) -> Analyzed:
    """Every scenario in ascending name order, each by itself (engine specification, section 9)."""
    request = readers.batch(body)
    # The options of a scenario are untyped until it runs; kept as numbers, its decimals mean the same again.
    canonical = canonical_json_of_numbers(request)
    runs: list[ScenarioRun] = []
    failed: dict[str, str] = {}
    for name, run_id in zip(sorted(request.scenarios), identity.run_ids, strict=False):
        try:
            options = readers.options(request.scenarios[name].options)
        except RequestInvalid as refused:
            failed[name] = f"INVALID_OPTIONS: {refused.entries[0]['msg']}"
            continue
        try:
            runs.append(_scenario_run(name, run_id, request.request_of(options), identity))
        except Exception as error:  # One bad scenario never harms its batch (ruling 10).
            failed[name] = f"SCENARIO_EXECUTION_ERROR: {type(error).__name__}"
    return Analyzed(
        request_hash=digest_of(canonical),
        request_body=canonical,
        portfolio_id=request.portfolio_snapshot.portfolio_id,
        base_snapshot_ids=batch.base_snapshot_ids(request),
        runs=tuple(runs),
        failed=failed,
    )


def recompute(readers: Readers, run: DpmRun, request: RunRequest) -> bytes:
    """The result of a stored run, computed again from its stored request by the engine that made it.

    Equal to the stored bytes, or something is wrong with one of them. Raises KeyError for an engine version
    that this build does not carry.
    """
    if run.scenario is None:
        asked = readers.rebalance(request.body)
    else:
        batch_asked = readers.batch(request.body)
        asked = batch_asked.request_of(readers.options(batch_asked.scenarios[run.scenario].options))
    identity = RunIdentity(run.rebalance_run_id, run.correlation_id, run.request_hash)
    return RESULT.encode(versions.engine_of(run.engine_version)(asked, identity))


def _scenario_run(name: str, run_id: str, request: RebalanceRequest, identity: BatchIdentity) -> ScenarioRun:
    run = batch.scenario_identity(identity.batch_id, name, run_id, identity.correlation_id)
    result = _simulate(request, run)
    return ScenarioRun(
        name=name,
        run_id=run_id,
        correlation_id=run.correlation_id,
        request_hash=run.request_hash,
        status=RunStatus(result.status),
        result=RESULT.encode(result),
        metric=batch.metric_of(result, request.portfolio_snapshot.base_currency),
    )


def _simulate(request: RebalanceRequest, identity: RunIdentity) -> RebalanceResult:
    return versions.engine_of()(request, identity)


def prepare(_: Readers) -> None:
    """Reaching this has made a worker import all that the other functions need."""
