"""What is computed from a body's bytes before anything is stored; pure, so it may run anywhere, or twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import msgspec

from service.domains.dpm_runs.values import DpmRun, RunRequest, RunStatus
from service.domains.policy_packs import AppliedPolicy, ResolvedPack, applied
from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.requests import BatchRebalanceRequest, RebalanceRequest
from service.domains.rebalances.results.rebalance import RebalanceResult
from service.domains.values.canonical import canonical_json, digest_of
from service.engines.dpm import versions
from service.engines.dpm.v1 import RunIdentity
from service.engines.policy.overlay import overlay
from service.errors.requests import RequestInvalid
from service.flows.limits.result_sizes import RESULT_BYTES_MAX, encoded_within
from service.flows.limits.work_costs import Read, simulation_steps

# Wrong in every part that can be large, so that reading it loads the code that explains faults.
FAULTY = (
    b'{"portfolio_snapshot":{"positions":[{"lots":[{}]}],"cash_balances":[{}]},"market_data_snapshot":'
    b'{"prices":[{}],"fx_rates":[{}]},"model_portfolio":{"targets":[{}]},"shelf_entries":[{}],'
    b'"options":{"target_method":0},"scenarios":{"a":0},"proposed_cash_flows":[{}],"proposed_trades":[{}]}'
)

# Results are encoded once, here; these bytes are stored and answered.
RESULT = msgspec.json.Encoder(decimal_format="string")


@dataclass(frozen=True, slots=True)
class Readers:
    """How bytes become requests: the edge's business, handed in where the process is put together.

    Each raises RequestInvalid or JsonTooDeep, and is a module-level function, for it also runs in workers.
    """

    rebalance: Read[RebalanceRequest]
    batch: Read[BatchRebalanceRequest]
    options: Callable[..., EngineOptions]

    def plain(self) -> Readers:
        """The same for bodies that follow the published shape to the letter; NotPlain of all others."""
        return Readers(
            partial(self.rebalance, plain=True),
            partial(self.batch, plain=True),
            partial(self.options, plain=True),
        )


@dataclass(frozen=True, slots=True)
class Simulated:
    """One computed run, ready to be recorded."""

    request_hash: str
    request_body: bytes
    portfolio_id: str
    status: RunStatus
    result: bytes
    policy: AppliedPolicy | None = None


def hash_body(readers: Readers, body: bytes) -> str:
    """The request hash of a simulate body (HTTP contract, section 9)."""
    return digest_of(canonical_json(readers.rebalance(body)))


def simulate_body(
    readers: Readers,
    body: bytes,
    run_id: str,
    correlation_id: str,
    pack: ResolvedPack | None = None,
    bytes_max: int = RESULT_BYTES_MAX,
) -> Simulated:
    """From the bytes received to the bytes that are stored and answered.

    Raises what reading raises, and ResultTooLarge for a result of more than `bytes_max`.
    """
    return simulate_request(readers.rebalance(body), run_id, correlation_id, pack, bytes_max)


def simulate_request(
    request: RebalanceRequest,
    run_id: str,
    correlation_id: str,
    pack: ResolvedPack | None = None,
    bytes_max: int = RESULT_BYTES_MAX,
) -> Simulated:
    """The same for a body that has been read.

    The hash is of what was asked; a pack changes what it is computed with (ruling 6).
    """
    canonical = canonical_json(request)
    request_hash = digest_of(canonical)
    policy = None
    if pack is not None:
        options = overlay(request.options, pack.pack)
        policy = applied(pack, options)
        request = msgspec.structs.replace(request, options=options)
    result = _simulate(request, RunIdentity(run_id, correlation_id, request_hash), bytes_max)
    return Simulated(
        request_hash=request_hash,
        request_body=canonical,
        portfolio_id=request.portfolio_snapshot.portfolio_id,
        status=RunStatus(result.status),
        result=encoded_within(RESULT, result, bytes_max),
        policy=policy,
    )


def recompute(readers: Readers, run: DpmRun, request: RunRequest) -> bytes:
    """The result of a stored run, computed again from its stored request by the engine that made it.

    Where a policy was applied, the options that were kept with the run are taken; no catalog is asked.
    Equal to the stored bytes, or something is wrong with one of them. Raises KeyError for an engine version
    that this build does not carry.
    """
    if run.scenario is None:
        asked = readers.rebalance(request.body)
        if run.policy is not None:
            asked = msgspec.structs.replace(asked, options=run.policy.read_options())
    else:
        batch_asked = readers.batch(request.body)
        kept = run.policy.read_options() if run.policy is not None else None
        asked = batch_asked.request_of(kept or readers.options(batch_asked.scenarios[run.scenario].options))
    identity = RunIdentity(run.rebalance_run_id, run.correlation_id, run.request_hash)
    return RESULT.encode(versions.engine_of(run.engine_version)(asked, identity))


def steps_under(request: RebalanceRequest, pack: ResolvedPack | None) -> int:
    """What a simulation costs with what a pack makes of its options."""
    if pack is not None:
        request = msgspec.structs.replace(request, options=overlay(request.options, pack.pack))
    return simulation_steps(request)


def _simulate(request: RebalanceRequest, identity: RunIdentity, bytes_max: int) -> RebalanceResult:
    return versions.engine_of()(request, identity, bytes_max)


def prepare(readers: Readers) -> None:
    """Has its process load all that the other functions need, and what says what is wrong with a body."""
    for read in (readers.rebalance, readers.batch):
        with suppress(RequestInvalid):
            read(FAULTY)
