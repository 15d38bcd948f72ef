"""Operations on memory storage, with a clock set by hand, counted ids and offloaded calls written down."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from scripts.harness.sample_requests import a_batch_body
from service.domains.callers import DEFAULT_TENANT, Caller
from service.domains.operations import Lease, OperationType
from service.domains.retention.cutoffs import KEEP_ALL, Retention
from service.flows.dpm_runs.computing import Readers
from service.flows.operations.analysis_work import AnalysisWork
from service.flows.operations.attempts import AttemptRunner
from service.flows.operations.dispatch import JobHandler
from service.flows.operations.flow import OperationFlow
from service.flows.operations.recovery import Reaper
from service.storage.memory.store import MemoryStore
from service.web.answers.dpm_runs import batch_answer
from service.web.requests import bodies
from tests.runtimes import a_runtime

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SCENARIOS = {
    "a_base": {},
    "b_tight": {"cash_band_min_weight": "0.050", "single_position_max_weight": 0.2},
    "c_bad": {"settlement_horizon_days": "never"},
    "d_solver": {"target_method": "SOLVER"},
}
OPERATION_SECONDS_MAX = 600
BODY = a_batch_body(SCENARIOS, positions=6)


class Metrics:
    def __init__(self):
        self.seen = []

    def started(self, waited_seconds, attempt):
        self.seen.append(("started", waited_seconds, attempt))

    def ended(self, outcome, seconds):
        self.seen.append(outcome)


class Desk:
    """Everything that has to do with operations, on one store."""

    def __init__(self, store=None, *, inline=False, artifacts_persisted=False, lease_seconds=60.0):
        self.store = store or MemoryStore()
        self.at = AT
        self.drawn = 0
        self.offloaded = []
        self.before_scenario = None
        self.lease_seconds = lease_seconds
        self.metrics = Metrics()
        retention = Retention(run_days=0, operation_seconds=3600)
        readers = Readers(bodies.decode_rebalance, bodies.decode_batch, bodies.decode_options)
        self.runner = AttemptRunner(
            store=self.store,
            clock=self,
            works={
                OperationType.ANALYZE_SCENARIOS: AnalysisWork(
                    runtime=a_runtime(clock=self, offload=self.offload),
                    encode=batch_answer,
                    artifacts_persisted=artifacts_persisted,
                )
            },
            lease_seconds=lease_seconds,
            attempts_max=3,
            owner="host-1:42",
        )
        self.flow = OperationFlow(
            store=self.store,
            runtime=a_runtime(clock=self, new_id=self.draw, offload=self.offload, retention=retention),
            readers=readers,
            runner=self.runner,
            inline=inline,
            queued=False,
        )
        self.jobs = JobHandler(store=self.store, clock=self, runner=self.runner, metrics=self.metrics)
        self.reaper = Reaper(
            store=self.store,
            clock=self,
            retention=retention,
            attempts_max=3,
            operation_seconds_max=OPERATION_SECONDS_MAX,
            queue=None,
            lease_seconds=lease_seconds,
        )

    def now(self):
        return self.at

    def draw(self, prefix):
        self.drawn += 1
        return f"{prefix}_{self.drawn:032x}"

    async def offload(self, work, *args):
        self.offloaded.append((work.__name__, args[-1]))
        if work.__name__ == "run_scenario" and self.before_scenario is not None:
            await self.before_scenario(args[-1])
        return work(*args)

    def wait(self, seconds):
        self.at += timedelta(seconds=seconds)

    async def submit(self, body=BODY, correlation_id="corr-1"):
        return await self.flow.submit(Caller.local(), body, correlation_id=correlation_id)

    async def claim(self, operation):
        return await self.store.operations.claim(
            DEFAULT_TENANT,
            operation.operation_id,
            Lease(self.at, self.at + timedelta(seconds=self.lease_seconds)),
        )

    async def read(self, operation):
        return await self.store.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL)

    async def staged(self, operation):
        return await self.store.operations.list_staged(DEFAULT_TENANT, operation.operation_id)

    async def runs_of(self, operation):
        return await self.store.dpm_runs.list_by_cause(DEFAULT_TENANT, operation.operation_id, KEEP_ALL)

    def computed(self):
        """The names of the scenarios that were computed, in the order they were asked for."""
        return [name for work, name in self.offloaded if work == "run_scenario"]


def without_ids(result):
    """A batch result with the ids, which differ from call to call, and the time taken out."""
    text = bytes(result).decode()
    batch = json.loads(text)
    names = {batch["batch_run_id"]: "batch"}
    names |= {one["rebalance_run_id"]: f"run {name}" for name, one in batch["results"].items()}
    for drawn, name in names.items():
        text = text.replace(drawn, name).replace(drawn.removeprefix("rr_"), name)
    return json.loads(text) | {"run_at_utc": None}
