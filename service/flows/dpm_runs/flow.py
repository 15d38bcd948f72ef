"""Simulate, analyse and find runs: compute first, then record once."""

from __future__ import annotations

from datetime import datetime

from service.domains.callers import Caller
from service.domains.dpm_runs.values import (
    DpmRun,
    RecordBatch,
    Recorded,
    RecordRun,
    RequestedRun,
    RunFilter,
    RunSummary,
)
from service.domains.idempotency import IdempotencyRecord, KeyScope
from service.domains.policy_packs import ResolvedPack
from service.domains.rebalances.analyses import Analyzed
from service.domains.rebalances.requests import RebalanceRequest
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import Page
from service.errors.dpm_runs import RunExists, RunNotFound
from service.flows.dpm_runs.analyses import (
    AnswerRoom,
    BatchAnalysis,
    BatchIdentity,
    analyze_body,
    batch_request,
    batch_runs,
    check_batch_body,
    draw_batch,
    plan_body,
)
from service.flows.dpm_runs.artifacts import artifact_of, artifacts_of
from service.flows.dpm_runs.computing import (
    Readers,
    Simulated,
    hash_body,
    simulate_body,
    simulate_request,
    steps_under,
)
from service.flows.dpm_runs.recording import simulated_request, simulated_run
from service.flows.limits.work_costs import LOOP_STEPS_MAX, read_on_loop, work_on_body
from service.flows.operations.scenarios import PROCESS_ENDED, compute_scenario
from service.flows.runtime import Runtime
from service.observability.trace_context import current_trace_id
from service.runtime.process_pool import run_inline
from service.storage.ports.store import Store

# A batch up to this size goes to a process in one piece; of a larger one each scenario has a deadline.
WHOLE_BATCH_BYTES_MAX = 256 * 1024

# Drawing an id that is taken has never been seen; drawing three would mean the ids are broken.
DRAWS_MAX = 3


class DpmRunFlow:
    def __init__(
        self,
        *,
        store: Store,
        runtime: Runtime,
        readers: Readers,
        replay_enabled: bool,
        artifacts_persisted: bool,
    ) -> None:
        self._store = store
        self._clock = runtime.clock
        self._new_id = runtime.new_id
        self._offload = runtime.offload
        self._readers = readers
        self._retention = runtime.retention
        self._replay_enabled = replay_enabled
        self._artifacts_persisted = artifacts_persisted
        self._result_bytes_max = runtime.result_bytes_max

    async def simulate(
        self,
        caller: Caller,
        body: bytes,
        *,
        idempotency_key: str,
        correlation_id: str,
        pack: ResolvedPack | None = None,
    ) -> Recorded:
        """Simulates and records one run, or answers what the key stands for already (rulings 4 and 6).

        Raises RequestInvalid, JsonTooDeep, IdempotencyKeyConflict, ResultTooLarge, StoreUnavailable, and what
        engine work is given up with.
        """
        replays = self._replays(pack)
        request = self._read_cheap(body, pack)
        if replays and request is None:
            replayed = await self._replay(caller, body, idempotency_key, pack)
            if replayed is not None:
                return replayed
        for _ in range(DRAWS_MAX):
            run_id = self._new_id("rr")
            bounds = (pack, self._result_bytes_max)
            if request is None:
                computed = await self._offload(
                    simulate_body, self._readers, body, run_id, correlation_id, *bounds
                )
            else:
                computed = run_inline(
                    self._offload, simulate_request, request, run_id, correlation_id, *bounds
                )
            admission = await self._admission(
                caller, computed, run_id, idempotency_key, correlation_id, replays
            )
            try:
                return await self._store.dpm_runs.admit(admission, self._cutoff())
            except RunExists:
                continue
        raise AssertionError("drawn run ids keep clashing")

    async def analyze(
        self, caller: Caller, body: bytes, *, correlation_id: str | None, pack: ResolvedPack | None = None
    ) -> BatchAnalysis:
        """Simulates every scenario, and records the successful ones together.

        A scenario that cannot be computed, or for which the answer has no room, fails by itself. Raises
        RequestInvalid, JsonTooDeep, StoreUnavailable, and what engine work is given up with.
        """
        for _ in range(DRAWS_MAX):
            identity = draw_batch(self._new_id, correlation_id)
            computed = await self._analyzed(body, identity, pack)
            run_at = self._clock.now()
            try:
                admission = await self._batch_admission(caller, computed, run_at)
                if admission.runs:
                    await self._store.dpm_runs.admit_batch(admission)
            except RunExists:
                continue
            return BatchAnalysis(computed, run_at)
        raise AssertionError("drawn run ids keep clashing")

    async def check_simulation(self, caller: Caller, body: bytes) -> None:
        """Raises what simulate would raise on the body alone."""
        await work_on_body(self._offload, self._readers, body, hash_body)

    async def check_batch(self, caller: Caller, body: bytes) -> None:
        """Raises what analyze would raise on the body alone."""
        await self._offload(check_batch_body, self._readers, body)

    async def get(self, caller: Caller, rebalance_run_id: str) -> DpmRun:
        """Raises RunNotFound."""
        return await self._store.dpm_runs.get(caller.tenant_id, rebalance_run_id, self._cutoff())

    async def get_request(self, caller: Caller, rebalance_run_id: str) -> RequestedRun:
        """What was asked for a run. Raises RunNotFound."""
        run = await self.get(caller, rebalance_run_id)
        request = await self._store.dpm_runs.get_request(caller.tenant_id, run.request_id)
        return RequestedRun(request, run.scenario)

    async def get_newest_by_correlation(self, caller: Caller, correlation_id: str) -> DpmRun:
        """Raises RunNotFound."""
        return await self._store.dpm_runs.get_newest_by_correlation(
            caller.tenant_id, correlation_id, self._cutoff()
        )

    async def get_newest_by_request_hash(self, caller: Caller, request_hash: str) -> DpmRun:
        """Raises RunNotFound."""
        return await self._store.dpm_runs.get_newest_by_request_hash(
            caller.tenant_id, request_hash, self._cutoff()
        )

    async def list(
        self, caller: Caller, runs: RunFilter, *, limit: int, cursor: str | None
    ) -> Page[RunSummary]:
        """One page of the runs the filter lets through, newest first."""
        return await self._store.dpm_runs.list(
            caller.tenant_id, runs, limit=limit, cursor=cursor, cutoff=self._cutoff()
        )

    def _cutoff(self) -> RetentionCutoff:
        return self._retention.cutoff_at(self._clock.now())

    def _replays(self, pack: ResolvedPack | None) -> bool:
        # What a pack leaves open stays as the process was told.
        chosen = None if pack is None else pack.pack.idempotency_policy.replay_enabled
        return self._replay_enabled if chosen is None else chosen

    async def _replay(
        self, caller: Caller, body: bytes, idempotency_key: str, pack: ResolvedPack | None
    ) -> Recorded | None:
        # Only spares work that costs more than asking; the claim inside admit is what decides.
        held = await self._store.idempotency.find(
            caller.tenant_id, KeyScope.DPM_SIMULATE, idempotency_key, self._cutoff()
        )
        if held is None:
            return None
        request_hash = await self._offload(hash_body, self._readers, body)
        return await self._first_answer(
            caller, held, request_hash, None if pack is None else pack.content_hash
        )

    async def _first_answer(
        self, caller: Caller, held: IdempotencyRecord, request_hash: str, policy_hash: str | None
    ) -> Recorded | None:
        held.require_same(request_hash, policy_hash)
        try:
            return Recorded(await self.get(caller, held.rebalance_run_id), replayed=True)
        except RunNotFound:  # It expired since its key was found.
            return None

    def _read_cheap(self, body: bytes, pack: ResolvedPack | None) -> RebalanceRequest | None:
        """What a body asks for, if reading and computing it take no time to speak of."""
        request = read_on_loop(body, self._readers.rebalance)
        return request if request and steps_under(request, pack) <= LOOP_STEPS_MAX else None

    async def _analyzed(self, body: bytes, identity: BatchIdentity, pack: ResolvedPack | None) -> Analyzed:
        """What came of every scenario. A batch is up to twenty passes over the book, never on the loop."""
        if len(body) <= WHOLE_BATCH_BYTES_MAX:
            try:
                return await self._offload(
                    analyze_body, self._readers, body, identity, pack, self._result_bytes_max
                )
            except PROCESS_ENDED:
                # One of its scenarios did that; each by itself, only that one fails.
                pass
        plan = await self._offload(plan_body, self._readers, body, identity, pack)
        written = plan.written()
        room = AnswerRoom(self._result_bytes_max)
        outcomes = [
            room.take(await compute_scenario(self._offload, written, room.bytes_left, scenario.name))
            for scenario in plan.scenarios
        ]
        return Analyzed(plan, tuple(outcomes))

    async def _admission(
        self,
        caller: Caller,
        computed: Simulated,
        run_id: str,
        idempotency_key: str,
        correlation_id: str,
        replays: bool,
    ) -> RecordRun:
        run = simulated_run(
            caller,
            computed,
            run_id,
            idempotency_key=idempotency_key,
            correlation_id=correlation_id,
            created_at=self._clock.now(),
        )
        return RecordRun(
            run=run,
            request=simulated_request(computed, run),
            replay=replays,
            artifact=await artifact_of(run, self._offload) if self._artifacts_persisted else None,
            trace_id=current_trace_id(),
        )

    async def _batch_admission(self, caller: Caller, computed: Analyzed, created_at: datetime) -> RecordBatch:
        runs = batch_runs(caller, computed, created_at)
        return RecordBatch(
            request=batch_request(caller, computed.plan, created_at),
            runs=runs,
            cause_id=computed.plan.batch_id,
            artifacts=await artifacts_of(runs, self._offload) if self._artifacts_persisted else (),
            trace_id=current_trace_id(),
        )
