"""Simulations of proposals that are answered, and kept only for their key (advisory specification, 5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domains.callers import Caller
from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.proposals.simulations import ProposalSimulation
from service.errors.idempotency import IdempotencyKeyConflict
from service.flows.limits.result_sizes import AROUND_RESULTS_BYTES_MAX, require_within
from service.flows.limits.work_costs import (
    LOOP_ARTIFACT_BYTES_MAX,
    LOOP_BODY_BYTES_MAX,
    LOOP_STEPS_MAX,
    proposal_steps,
    read_on_loop,
    work_where,
)
from service.flows.proposals.computing import (
    ReadProposal,
    artifact_of_result,
    hash_proposal_body,
    simulate_proposal_body,
    simulate_proposal_request,
)
from service.flows.runtime import Runtime
from service.runtime.large_texts import count_of, where_large
from service.runtime.process_pool import run_inline
from service.storage.ports.store import Store


@dataclass(frozen=True, slots=True)
class Response:
    """The bytes of an answer, and whether they were given before."""

    body: bytes
    replayed: bool


class ProposalSimulationFlow:
    def __init__(self, *, store: Store, runtime: Runtime, read: ReadProposal, kept_seconds: int) -> None:
        self._store = store
        self._clock = runtime.clock
        self._offload = runtime.offload
        self._read = read
        self._kept_seconds = kept_seconds
        self._result_bytes_max = runtime.result_bytes_max

    async def simulate(
        self, caller: Caller, body: bytes, *, idempotency_key: str, correlation_id: str
    ) -> Response:
        """Simulates, or answers what the key stands for already.

        Raises RequestInvalid, JsonTooDeep, ProposalSimulationDisabled, IdempotencyKeyConflict,
        ResultTooLarge, StoreUnavailable, and what engine work is given up with.
        """
        kept, replayed = await self._kept(caller, body, idempotency_key, correlation_id)
        return Response(kept.result, replayed)

    async def build_artifact(
        self, caller: Caller, body: bytes, *, idempotency_key: str, correlation_id: str
    ) -> Response:
        """The artifact of the simulation a key stands for; the key is the one of `simulate`. Raises as it."""
        kept, replayed = await self._kept(caller, body, idempotency_key, correlation_id)
        return Response(await self._artifact(kept), replayed)

    async def check(self, caller: Caller, body: bytes) -> None:
        """Raises what simulate raises on the body alone, but for its switch."""
        if read_on_loop(body, self._read) is None:
            await self._offload(read_only, self._read, body)

    async def _kept(
        self, caller: Caller, body: bytes, idempotency_key: str, correlation_id: str
    ) -> tuple[ProposalSimulation, bool]:
        request = self._read_cheap(body)
        sent = (correlation_id, idempotency_key, self._result_bytes_max)
        if request is None:
            # Only spares work that costs more than asking; the key that is claimed below is what decides.
            request_hash = await self._offload(hash_proposal_body, self._read, body)
            held = await self._store.proposal_simulations.find(
                caller.tenant_id, idempotency_key, kept_since=self._kept_since()
            )
            if held is not None:
                if held.request_hash != request_hash:
                    raise IdempotencyKeyConflict()
                return held, True
            simulated = await self._offload(simulate_proposal_body, self._read, body, *sent)
        else:
            simulated = run_inline(self._offload, simulate_proposal_request, request, *sent)
        asked = ProposalSimulation(
            tenant_id=caller.tenant_id,
            idempotency_key=idempotency_key,
            request_hash=simulated.request_hash,
            request=simulated.request_body,
            result=simulated.result,
            created_at=self._clock.now(),
        )
        held = await self._store.proposal_simulations.keep(asked, kept_since=self._kept_since())
        return (asked, False) if held is None else (held, True)

    async def _artifact(self, kept: ProposalSimulation) -> bytes:
        least = await where_large(len(kept.request), least_artifact_bytes, kept)
        require_within(least, self._result_bytes_max + AROUND_RESULTS_BYTES_MAX)
        # What is kept was written here, and so is plain.
        small = len(kept.request) <= LOOP_BODY_BYTES_MAX and len(kept.result) <= LOOP_ARTIFACT_BYTES_MAX
        asked = (kept.request, kept.result, kept.created_at)
        return await work_where(self._offload, small, artifact_body, self._read, *asked)

    def _read_cheap(self, body: bytes) -> ProposalSimulateRequest | None:
        """What a body asks for, if reading and computing it take no time to speak of."""
        request = read_on_loop(body, self._read)
        return request if request and proposal_steps(request) <= LOOP_STEPS_MAX else None

    def _kept_since(self) -> datetime:
        return self._clock.now() - timedelta(seconds=self._kept_seconds)


def least_artifact_bytes(kept: ProposalSimulation) -> int:
    """What its artifact has at least: it holds the request and the result as evidence."""
    # A character that is escaped in canonical text, in six bytes, may be one byte there.
    return len(kept.result) + len(kept.request) - 5 * count_of(kept.request, rb"\u")


def read_only(read: ReadProposal, body: bytes) -> None:
    read(body)


def artifact_body(read: ReadProposal, request: bytes, result: bytes, created_at: datetime) -> bytes:
    return artifact_of_result(read, request, result, created_at).body
