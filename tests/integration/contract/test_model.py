"""The backends side by side: whatever is done, in whatever order, all give the same answers and refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from service.domains.dpm_runs.values import DpmRun, RecordBatch, RecordRun, RunFilter, RunStatus
from service.domains.idempotency import KeyScope
from service.domains.lineage import DEPTH_MAX, Direction, EdgeFilter, EdgeType
from service.domains.operations import (
    CANCELLATION,
    MOVES,
    Claim,
    Ending,
    Lease,
    OperationFilter,
    OperationStatus,
    OperationType,
    StagedScenario,
)
from service.domains.policy_packs import PolicyPack
from service.domains.retention.cutoffs import BEGINNING, KEEP_ALL, RetentionCutoff
from service.domains.values.pages import Page, all_of
from service.domains.workflow_decisions import (
    DecisionFilter,
    ReviewRule,
    WorkflowAction,
    WorkflowStatus,
)
from service.errors.families import ServiceError
from service.storage.memory.store import MemoryStore
from service.storage.ports.store import Store
from service.storage.postgres.store import PostgresStore
from service.storage.sqlite.store import SqliteStore
from tests.integration.contract.builders import (
    OTHER_HASH,
    SOME_HASH,
    a_batch,
    a_purge,
    a_replay,
    a_request,
    a_run,
    a_staged,
    a_staged_failure,
    a_verdict,
    after,
    an_answer,
    an_artifact,
    an_operation,
    ending_of,
    failed,
)
from tests.integration.contract.policy_builders import a_change, a_pack, a_policy, a_removal, a_whole_pack

# Few of each, so that clashes and ties are frequent; some names stand for more than one kind of thing.
RUN_IDS = [f"rr_{number:02}" for number in range(20)]
CORRELATIONS = ["corr-1", "a|b", "rr_03"]
KEYS = ["key-1", "corr-1", "k|CORRELATION_TO_RUN|rr_01"]
HASHES = ["hash-1", "hash-2"]
PORTFOLIOS = ["pf-1", "pf-2"]
BATCH_IDS = ["batch_1", "batch_2", "batch_3", "batch_4"]
OPERATION_IDS = [f"dop_{number:02}" for number in range(12)]
TYPES = [OperationType.ANALYZE_SCENARIOS, OperationType.CREATE_PROPOSAL]
SCENARIOS = ["a", "b", "é"]
ACT_KEYS = ["act-1", "act-2"]
DECISION_IDS = [f"dwd_{number:02}" for number in range(40)]
ACTORS = ["reviewer-1", "reviewer-2"]
REASONS = ["REVIEWED", "TOO_LARGE"]
PACK_IDS = ["pack-1", "pack-2"]
PACKS = [pack for name in PACK_IDS for pack in (a_pack(name), a_whole_pack(name))]
POLICIES = [None, None, a_policy(PACKS[0]), a_policy(PACKS[1])]
ENTITIES = [
    *RUN_IDS[:8],
    *CORRELATIONS,
    *KEYS,
    *BATCH_IDS,
    *OPERATION_IDS[:4],
    "artifact_of_rr_00",
    "nowhere",
]
ALL_IN_REVIEW, SOME_IN_REVIEW = (
    ReviewRule(frozenset(statuses)) for statuses in (["PENDING_REVIEW", "BLOCKED", "READY"], ["BLOCKED"])
)

SECONDS = range(4)
instants = st.sampled_from([after(second) for second in SECONDS])
bounds = st.none() | instants
since = st.sampled_from([BEGINNING, *(after(second) for second in SECONDS)])
horizons = st.just(KEEP_ALL) | st.builds(RetentionCutoff, since, since)
run_ids = st.sampled_from(RUN_IDS)
correlations = st.sampled_from(CORRELATIONS)
keys = st.sampled_from(KEYS)
hashes = st.sampled_from(HASHES)
portfolios = st.sampled_from(PORTFOLIOS)
statuses = st.sampled_from(RunStatus)
operation_ids = st.sampled_from(OPERATION_IDS)
entities = st.sampled_from(ENTITIES)
limits = st.sampled_from([1, 2, 3, 100])
positions = st.integers(0, 1000)

run_fields = st.fixed_dictionaries(
    {
        "rebalance_run_id": run_ids,
        "correlation_id": correlations,
        "request_hash": hashes,
        "portfolio_id": portfolios,
        "status": statuses,
        "created_at": instants,
        "policy": st.sampled_from(POLICIES),
    }
)
run_filters = st.builds(
    RunFilter,
    created_from=bounds,
    created_to=bounds,
    status=st.sampled_from([None, "READY", "PENDING_REVIEW", "BLOCKED", "UNHEARD_OF"]),
    request_hash=st.none() | hashes,
    portfolio_id=st.none() | portfolios,
)
decision_filters = st.builds(
    DecisionFilter,
    rebalance_run_id=st.none() | run_ids,
    actor_id=st.none() | st.sampled_from(ACTORS),
    reason_code=st.none() | st.sampled_from(REASONS),
    action=st.none() | st.sampled_from(WorkflowAction),
    decided_from=bounds,
    decided_to=bounds,
)
operation_filters = st.builds(
    OperationFilter,
    created_from=bounds,
    created_to=bounds,
    operation_type=st.sampled_from([None, None, *(kind.value for kind in OperationType), "UNHEARD_OF"]),
    status=st.sampled_from([None, *(status.value for status in OperationStatus), "UNHEARD_OF"]),
    correlation_id=st.none() | correlations,
)
# Most leases hold for as long as an example goes on; some end before the next act.
leases = st.builds(Lease, instants, st.sampled_from([after(1), after(3), *[after(9)] * 3]))
staged_scenarios = st.builds(a_staged, st.sampled_from(SCENARIOS), status=statuses) | st.builds(
    a_staged_failure, st.sampled_from(SCENARIOS)
)
# Whose claim is used: mostly the last one of an operation that is running, if any is.
holders = st.tuples(positions, st.sampled_from([-1, -1, -1, -1, -2, 0]))
edge_filters = st.builds(
    EdgeFilter,
    direction=st.sampled_from(Direction),
    edge_type=st.sampled_from([None, None, *(kind.value for kind in EdgeType), "UNHEARD_OF"]),
    created_from=bounds,
    created_to=bounds,
)


def one_of_each(**arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(arguments)


# What can be done and what can be asked, each with its arguments: methods of the machine. They are drawn here
# and not as rules of their own, of which a run leaves out about half: an act says little without the others.
ACTS = {
    "admit": one_of_each(
        fields=run_fields,
        key=keys,
        replay=st.booleans(),
        artifact=st.booleans(),
        cutoff=horizons,
    ),
    "admit_batch": one_of_each(
        batch_id=st.sampled_from(BATCH_IDS),
        cause_id=st.none() | operation_ids,
        sent_as=st.none() | correlations,
        names=st.lists(st.sampled_from(SCENARIOS), max_size=3, unique=True),
        ids=st.lists(run_ids, min_size=3, max_size=3),
        fields=run_fields,
        artifacts=st.booleans(),
    ),
    "admit_replay": one_of_each(
        position=positions,
        fields=run_fields,
        artifact=st.booleans(),
        cutoff=horizons,
    ),
    "keep": one_of_each(
        position=positions,
        body=st.sampled_from([b"{}", b"[]"]),
    ),
    "decide": one_of_each(
        position=positions,
        decision_id=st.sampled_from(DECISION_IDS),
        action=st.sampled_from(WorkflowAction),
        expected_status=st.none() | st.sampled_from(WorkflowStatus),
        actor_id=st.sampled_from(ACTORS),
        reason_code=st.sampled_from(REASONS),
        decided_at=instants,
        review=st.sampled_from([ALL_IN_REVIEW, ALL_IN_REVIEW, SOME_IN_REVIEW]),
        cutoff=horizons,
    ),
    "decide_once": one_of_each(
        position=positions,
        decision_id=st.sampled_from(DECISION_IDS),
        action=st.sampled_from(WorkflowAction),
        decided_at=instants,
        key=st.sampled_from(ACT_KEYS),
        request_hash=st.sampled_from([SOME_HASH, SOME_HASH, OTHER_HASH]),
        cutoff=horizons,
    ),
    "submit_once": one_of_each(
        operation_id=operation_ids,
        second=instants,
        key=st.sampled_from(ACT_KEYS),
        request_hash=st.sampled_from([SOME_HASH, SOME_HASH, OTHER_HASH]),
        cutoff=horizons,
    ),
    "cancel": one_of_each(
        position=positions,
        legally=st.sampled_from([True, True, False]),
        status=st.sampled_from([OperationStatus.PENDING, OperationStatus.RUNNING]),
        now=instants,
    ),
    "fail_overdue": one_of_each(
        started_before=st.sampled_from([after(0), after(1), after(2)]),
        now=instants,
        limit=st.sampled_from([1, 1, 2]),
    ),
    "submit": one_of_each(
        operation_id=operation_ids,
        operation_type=st.sampled_from([OperationType.ANALYZE_SCENARIOS, *OperationType]),
        correlation_id=correlations,
        second=instants,
    ),
    "claim": one_of_each(
        position=positions,
        legally=st.sampled_from([True, True, True, False]),
        lease=leases,
    ),
    "extend": one_of_each(
        holder=holders,
        lease=leases,
    ),
    "stage": one_of_each(
        holder=holders,
        lease=leases,
        staged=st.lists(staged_scenarios, max_size=3),
    ),
    "succeed": one_of_each(
        holder=holders,
        second=instants,
        batch_id=st.none() | st.sampled_from(BATCH_IDS),
        names=st.lists(st.sampled_from(SCENARIOS), max_size=3, unique=True),
        ids=st.lists(run_ids, min_size=3, max_size=3),
        fields=run_fields,
        artifacts=st.booleans(),
    ),
    "fail": one_of_each(
        holder=holders,
        second=instants,
    ),
    "release": one_of_each(
        holder=holders,
        lease=leases,
        attempts_max=st.sampled_from([None, 1, 2]),
    ),
    "reap": one_of_each(
        now=instants | st.just(after(8)),
        attempts_max=st.sampled_from([1, 2, 3]),
        limit=limits,
    ),
    "expire": one_of_each(
        created_before=st.sampled_from([after(0), after(1), after(2)]),
        now=instants,
        limit=st.sampled_from([1, 1, 2]),
    ),
    "amend": one_of_each(
        ahead=st.sampled_from([1, 1, 1, 0, 2]),
        pack=st.sampled_from(PACKS),
        removed=st.booleans(),
    ),
    "remove": one_of_each(
        cutoff=st.builds(RetentionCutoff, since, since),
        limit=limits,
        purged_at=instants,
    ),
    "compact": one_of_each(
        cutoff=horizons,
    ),
}
READS = {
    "find": one_of_each(
        position=positions,
        correlation_id=correlations,
        request_hash=hashes,
        key=keys,
        cause_id=st.sampled_from([*BATCH_IDS, *OPERATION_IDS[:6]]),
        cutoff=horizons,
    ),
    "list_runs": one_of_each(
        runs=run_filters,
        limit=limits,
        cursor=run_ids | st.just(""),
        cutoff=horizons,
    ),
    "list_operations": one_of_each(
        operations=operation_filters,
        limit=limits,
        cursor=operation_ids | st.just(""),
        cutoff=horizons,
    ),
    "list_decisions": one_of_each(
        decisions=decision_filters,
        limit=limits,
        cursor=st.sampled_from(DECISION_IDS) | st.just(""),
        cutoff=horizons,
    ),
    "follow_edges": one_of_each(
        entity_id=entities,
        edges=edge_filters,
        limit=limits,
        position=positions,
        depth=st.sampled_from([1, 2, 3, DEPTH_MAX]),
        cutoff=horizons,
    ),
}
acts, reads = (
    st.one_of(*(st.tuples(st.just(name), arguments) for name, arguments in table.items()))
    for table in (ACTS, READS)
)

numbers = count(1)
Call = Callable[[Store], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Stores:
    """One store of each backend, and the loop they live on."""

    loop: asyncio.AbstractEventLoop
    by_backend: dict[str, Store]

    def ask(self, call: Call) -> dict[str, Any]:
        """What each answers, or the class of its refusal."""
        return self.loop.run_until_complete(self._ask(call))

    async def _ask(self, call: Call) -> dict[str, Any]:
        answers = await asyncio.gather(*(answer_of(call(store)) for store in self.by_backend.values()))
        return dict(zip(self.by_backend, answers, strict=True))


async def answer_of(asked: Awaitable[Any]) -> Any:
    try:
        return await asked
    except ServiceError as refusal:
        return type(refusal)


async def answers_of(store: Store, calls: Iterable[Call]) -> list[Any]:
    return [await answer_of(call(store)) for call in calls]


@pytest.fixture(scope="module")
def stores(
    shared_postgres: str, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stores]:
    """Stores for all examples, each of which is a tenant of its own."""
    path = tmp_path_factory.mktemp("model") / "store.db"
    path.write_bytes(sqlite_template.read_bytes())
    loop = asyncio.new_event_loop()
    opened = {
        "memory": MemoryStore(),
        "sqlite": loop.run_until_complete(SqliteStore.open(path)),
        "postgres": loop.run_until_complete(PostgresStore.open(shared_postgres)),
    }
    try:
        yield Stores(loop, opened)
    finally:
        for store in opened.values():
            loop.run_until_complete(store.close())
        loop.close()


class SideBySide(RuleBasedStateMachine):
    """Acts and reads on all stores at once; remembers only what it needs to make the next act likely."""

    def __init__(self, stores: Stores) -> None:
        super().__init__()
        self.stores = stores
        self.tenant_id = f"tenant-{next(numbers)}"
        self.runs: dict[str, DpmRun] = {}
        self.claims: dict[str, list[Claim]] = {}
        self.statuses: dict[str, OperationStatus] = {}
        self.revision = 0
        self.ticks = count(1)

    def same(self, call: Call) -> Any:
        """What all of them answer alike."""
        answers = self.stores.ask(call)
        expected = answers["memory"]
        assert all(answer == expected for answer in answers.values()), answers
        return expected

    def same_pages(
        self, call: Callable[[Store, str | None], Awaitable[Page[Any]]], cursor: str | None
    ) -> None:
        """All of them give the same page after the cursor, and the same pages from the first to the last."""
        self.same(lambda store: call(store, cursor))
        page = self.same(lambda store: call(store, None))
        while page.next_cursor is not None:
            page = self.same(lambda store, after=page.next_cursor: call(store, after))

    def tick(self, second: datetime) -> datetime:
        """An instant in that second that no other act has."""
        return second + timedelta(microseconds=next(self.ticks))

    def run_at(self, position: int) -> DpmRun:
        """One of the runs that were ever admitted; it may be gone."""
        return self.runs[sorted(self.runs)[position % len(self.runs)]]

    @initialize(
        fields=st.lists(run_fields, min_size=5, max_size=8, unique_by=lambda one: one["rebalance_run_id"]),
        second=instants,
    )
    def start(self, fields: list[dict[str, Any]], second: datetime) -> None:
        scenarios, *alone = fields
        for position, given in enumerate(alone):
            self.admit(given, KEYS[position % 2], replay=False, artifact=position == 0, cutoff=KEEP_ALL)
        self.admit_batch(
            "batch_1", "dop_00", "corr-1", ["a"], [scenarios["rebalance_run_id"]], scenarios, True
        )
        for position, operation_id in enumerate(OPERATION_IDS[:4]):
            self.submit(operation_id, TYPES[position % 2], CORRELATIONS[position % 2], second)
        for _ in range(3):
            self.claim(0, True, Lease(second, after(9)))
            self.operations_move_as_they_may_and_show_how_far_they_have_come()

    def admit(
        self, fields: dict[str, Any], key: str, replay: bool, artifact: bool, cutoff: RetentionCutoff
    ) -> None:
        run = a_run(tenant_id=self.tenant_id, idempotency_key=key, **fields)
        admission = RecordRun(run, a_request(run), replay, an_artifact(run) if artifact else None)
        answer = self.same(lambda store: store.dpm_runs.admit(admission, cutoff))
        if not isinstance(answer, type):
            self.runs[answer.run.rebalance_run_id] = answer.run

    def admit_batch(
        self,
        batch_id: str,
        cause_id: str | None,
        sent_as: str | None,
        names: list[str],
        ids: list[str],
        fields: dict[str, Any],
        artifacts: bool,
    ) -> None:
        batch = self.batch_of(batch_id, cause_id, sent_as, names, ids, fields, artifacts)
        if self.same(lambda store: store.dpm_runs.admit_batch(batch)) is None:
            self.runs |= {run.rebalance_run_id: run for run in batch.runs}

    def batch_of(
        self,
        batch_id: str,
        cause_id: str | None,
        sent_as: str | None,
        names: list[str],
        ids: list[str],
        fields: dict[str, Any],
        artifacts: bool,
    ) -> RecordBatch:
        given = {"tenant_id": self.tenant_id, "batch_id": batch_id, "cause_id": cause_id, "sent_as": sent_as}
        batch = a_batch(*names, **given, **fields)
        runs = tuple(
            replace(run, rebalance_run_id=run_id) for run, run_id in zip(batch.runs, ids, strict=False)
        )
        kept = tuple(an_artifact(run) for run in runs) if artifacts else ()
        return replace(batch, runs=runs, artifacts=kept)

    def admit_replay(
        self, position: int, fields: dict[str, Any], artifact: bool, cutoff: RetentionCutoff
    ) -> None:
        replay = a_replay(self.run_at(position), artifact=artifact, **fields)
        if self.same(lambda store: store.dpm_runs.admit_replay(replay, cutoff)) is None:
            self.runs[replay.run.rebalance_run_id] = replay.run

    def keep(self, position: int, body: bytes) -> None:
        artifact = an_artifact(self.run_at(position), body=body)
        self.same(lambda store: store.artifacts.keep(artifact))

    def decide(self, position: int, review: ReviewRule, cutoff: RetentionCutoff, **fields: Any) -> None:
        verdict = a_verdict(self.run_at(position), **fields)
        self.same(lambda store: store.workflow_decisions.decide(verdict, review, cutoff))

    def decide_once(
        self, position: int, key: str, request_hash: str, cutoff: RetentionCutoff, **fields: Any
    ) -> None:
        run = self.run_at(position)
        verdict = a_verdict(run, actor_id=ACTORS[0], **fields)
        answer = an_answer(
            run.rebalance_run_id,
            tenant_id=self.tenant_id,
            idempotency_key=key,
            request_hash=request_hash,
            answer=verdict.decision_id.encode(),
        )
        self.same(lambda store: store.workflow_decisions.decide_once(verdict, ALL_IN_REVIEW, cutoff, answer))

    def submit_once(
        self, operation_id: str, second: datetime, key: str, request_hash: str, cutoff: RetentionCutoff
    ) -> None:
        operation = an_operation(
            tenant_id=self.tenant_id,
            operation_id=operation_id,
            created_at=second,
            scenarios_total=len(SCENARIOS),
        )
        answer = an_answer(
            operation_id,
            tenant_id=self.tenant_id,
            idempotency_key=key,
            request_hash=request_hash,
            answer=str(next(self.ticks)).encode(),
        )
        if self.same(lambda store: store.operations.submit_once(operation, answer, cutoff)) is None:
            self.statuses[operation_id] = OperationStatus.PENDING

    def submit(
        self, operation_id: str, operation_type: OperationType, correlation_id: str, second: datetime
    ) -> None:
        operation = an_operation(
            tenant_id=self.tenant_id,
            operation_id=operation_id,
            operation_type=operation_type,
            correlation_id=correlation_id,
            created_at=second,
            scenarios_total=len(SCENARIOS),
        )
        if self.same(lambda store: store.operations.submit(operation)) is None:
            # The one before with that id was removed.
            self.statuses[operation_id] = OperationStatus.PENDING

    def claim(self, position: int, legally: bool, lease: Lease) -> None:
        operation_id = self.operation_at(position, OperationStatus.PENDING if legally else None)
        answer = self.same(lambda store: store.operations.claim(self.tenant_id, operation_id, lease))
        if isinstance(answer, Claim):
            self.claims.setdefault(operation_id, []).append(answer)

    def operation_at(self, position: int, status: OperationStatus | None) -> str:
        """One of the operations of that state, as they were after the act before; any if there is none."""
        ids = [one for one, held in sorted(self.statuses.items()) if held is status] or OPERATION_IDS
        return ids[position % len(ids)]

    def claim_of(self, holder: tuple[int, int]) -> Claim:
        """One of the claims there were of an operation, held still or not; or one that never was."""
        position, which = holder
        operation_id = self.operation_at(position, OperationStatus.RUNNING if which == -1 else None)
        claims = self.claims.get(operation_id)
        if not claims:
            return Claim(an_operation(tenant_id=self.tenant_id, operation_id=operation_id), 1)
        return claims[max(which, -len(claims))]

    def extend(self, holder: tuple[int, int], lease: Lease) -> None:
        claim = self.claim_of(holder)
        self.same(lambda store: store.operations.extend(claim, lease))

    def stage(self, holder: tuple[int, int], lease: Lease, staged: list[StagedScenario]) -> None:
        claim = self.claim_of(holder)
        self.same(lambda store: store.operations.stage(claim, staged, lease))

    def succeed(
        self,
        holder: tuple[int, int],
        second: datetime,
        batch_id: str | None,
        names: list[str],
        ids: list[str],
        fields: dict[str, Any],
        artifacts: bool,
    ) -> None:
        claim = self.claim_of(holder)
        batch = None
        if batch_id is not None:
            batch = self.batch_of(
                batch_id, claim.operation.operation_id, "corr-1", names, ids, fields, artifacts
            )
        ending = Ending(finished_at=self.tick(second), result=b"{}", effect=batch)
        if self.same(lambda store: store.operations.finish(claim, ending)) is None and batch is not None:
            self.runs |= {run.rebalance_run_id: run for run in batch.runs}

    def fail(self, holder: tuple[int, int], second: datetime) -> None:
        claim, ending = self.claim_of(holder), ending_of(failed(an_operation()))
        ending = replace(ending, finished_at=self.tick(second))
        self.same(lambda store: store.operations.finish(claim, ending))

    def release(self, holder: tuple[int, int], lease: Lease, attempts_max: int | None) -> None:
        claim = self.claim_of(holder)
        self.same(lambda store: store.operations.release(claim, lease, attempts_max=attempts_max))

    def cancel(self, position: int, legally: bool, status: OperationStatus, now: datetime) -> None:
        operation_id = self.operation_at(position, status if legally else None)
        now = self.tick(now)
        self.same(
            lambda store: store.operations.fail(self.tenant_id, operation_id, now=now, error=CANCELLATION)
        )

    def fail_overdue(self, started_before: datetime, now: datetime, limit: int) -> None:
        now = self.tick(now)
        self.same(
            lambda store: store.operations.fail_overdue(
                self.tenant_id, started_before=started_before, now=now, error=CANCELLATION, limit=limit
            )
        )

    def reap(self, now: datetime, attempts_max: int, limit: int) -> None:
        now = self.tick(now)
        self.same(
            lambda store: store.operations.reap(
                self.tenant_id, now=now, attempts_max=attempts_max, limit=limit
            )
        )

    def expire(self, created_before: datetime, now: datetime, limit: int) -> None:
        now = self.tick(now)
        self.same(
            lambda store: store.operations.expire(
                self.tenant_id, created_before=created_before, now=now, limit=limit
            )
        )

    def amend(self, ahead: int, pack: PolicyPack, removed: bool) -> None:
        revision, of = self.revision + ahead, {"tenant_id": self.tenant_id}
        change = a_removal(revision, pack.policy_pack_id, **of) if removed else a_change(revision, pack, **of)
        if self.same(lambda store: store.policy_packs.amend(change)) is None:
            self.revision = revision
        self.same(lambda store: store.policy_packs.list_amendments(self.tenant_id))

    def remove(self, cutoff: RetentionCutoff, limit: int, purged_at: datetime) -> None:
        purge = a_purge(
            cutoff,
            purge_id=f"purge_{next(self.ticks)}",
            tenant_id=self.tenant_id,
            purged_at=purged_at,
            limit=limit,
        )
        self.same(lambda store: store.retention.remove(purge))
        self.same(lambda store: store.retention.list_records(self.tenant_id, limit=limit))

    def compact(self, cutoff: RetentionCutoff) -> None:
        self.same(lambda store: store.supportability.compact())
        self.same(lambda store: store.supportability.summarise(self.tenant_id, cutoff))

    def find(
        self,
        position: int,
        correlation_id: str,
        request_hash: str,
        key: str,
        cause_id: str,
        cutoff: RetentionCutoff,
    ) -> None:
        tenant_id, run_id = self.tenant_id, self.run_at(position).rebalance_run_id
        family = KeyScope.DPM_SIMULATE
        reads: tuple[Call, ...] = (
            lambda store: store.dpm_runs.get(tenant_id, run_id, cutoff),
            lambda store: store.dpm_runs.get_head(tenant_id, run_id, cutoff),
            lambda store: store.dpm_runs.get_sealed(tenant_id, run_id, cutoff),
            lambda store: store.dpm_runs.get_request(tenant_id, run_id),
            lambda store: store.dpm_runs.get_newest_by_correlation(tenant_id, correlation_id, cutoff),
            lambda store: store.dpm_runs.get_newest_by_request_hash(tenant_id, request_hash, cutoff),
            lambda store: store.dpm_runs.get_request(tenant_id, cause_id),
            lambda store: store.dpm_runs.list_by_cause(tenant_id, cause_id, cutoff),
            lambda store: store.dpm_runs.find_newest_batch(tenant_id, correlation_id, cutoff),
            lambda store: store.idempotency.find(tenant_id, family, key, cutoff),
            lambda store: all_of(store.idempotency.list_history, tenant_id, family, key, cutoff),
            lambda store: store.artifacts.find(tenant_id, run_id, cutoff),
            lambda store: all_of(store.workflow_decisions.list_of_run, tenant_id, run_id),
            lambda store: store.workflow_decisions.find_latest(tenant_id, run_id),
            lambda store: store.operations.get(tenant_id, cause_id, cutoff),
            lambda store: store.operations.find_newest_by_correlation(tenant_id, correlation_id, cutoff),
            lambda store: store.policy_packs.find_revision(tenant_id),
            lambda store: store.policy_packs.list_amendments(tenant_id),
            lambda store: store.supportability.summarise(tenant_id, cutoff),
        )
        self.same(lambda store: answers_of(store, reads))

    def list_runs(self, runs: RunFilter, limit: int, cursor: str, cutoff: RetentionCutoff) -> None:
        for asked in (runs, RunFilter()):
            self.same_pages(
                lambda store, after, asked=asked: store.dpm_runs.list(
                    self.tenant_id, asked, limit=limit, cursor=after, cutoff=cutoff
                ),
                cursor,
            )

    def list_operations(
        self, operations: OperationFilter, limit: int, cursor: str, cutoff: RetentionCutoff
    ) -> None:
        for asked in (operations, OperationFilter()):
            self.same_pages(
                lambda store, after, asked=asked: store.operations.list(
                    self.tenant_id, asked, limit=limit, cursor=after, cutoff=cutoff
                ),
                cursor,
            )

    def list_decisions(
        self, decisions: DecisionFilter, limit: int, cursor: str, cutoff: RetentionCutoff
    ) -> None:
        for asked in (decisions, DecisionFilter()):
            self.same_pages(
                lambda store, after, asked=asked: store.workflow_decisions.list(
                    self.tenant_id, asked, limit=limit, cursor=after, cutoff=cutoff
                ),
                cursor,
            )

    def follow_edges(
        self,
        entity_id: str,
        edges: EdgeFilter,
        limit: int,
        position: int,
        depth: int,
        cutoff: RetentionCutoff,
    ) -> None:
        trail = self.same(
            lambda store: store.lineage.trace(self.tenant_id, entity_id, edges.direction, depth, cutoff)
        )
        # An edge met further away is on no list of the entity, and one that is may have been filtered out.
        met = [edge.cursor for edge in trail.edges] or [""]
        self.same_pages(
            lambda store, after: store.lineage.list(
                self.tenant_id, entity_id, edges, limit=limit, cursor=after, cutoff=cutoff
            ),
            met[position % len(met)],
        )

    @rule(act=acts, read=reads)
    def step(self, act: tuple[str, dict[str, Any]], read: tuple[str, dict[str, Any]]) -> None:
        for name, arguments in (act, read):
            getattr(self, name)(**arguments)

    @invariant()
    def all_counts_are_the_same(self) -> None:
        self.same(lambda store: store.supportability.summarise(self.tenant_id, KEEP_ALL))

    @invariant()
    def operations_move_as_they_may_and_show_how_far_they_have_come(self) -> None:
        reads: tuple[Call, ...] = tuple(
            read
            for operation_id in self.statuses
            for read in (
                lambda store, one=operation_id: store.operations.get(self.tenant_id, one, KEEP_ALL),
                lambda store, one=operation_id: store.operations.list_staged(self.tenant_id, one),
            )
        )
        answers = iter(self.same(lambda store: answers_of(store, reads)))
        for operation, staged in zip(answers, answers, strict=True):
            if isinstance(operation, type):
                assert staged == ()
                continue
            before = self.statuses[operation.operation_id]
            assert operation.status is before or operation.status in MOVES[before]
            self.statuses[operation.operation_id] = operation.status
            if operation.has_ended:
                assert staged == ()
                assert operation.error or operation.scenarios_done == len(SCENARIOS)
            else:
                assert len(staged) == operation.scenarios_done


@pytest.mark.slow
def test_all_backends_give_the_same_answers_whatever_is_done(stores: Stores) -> None:
    profile = settings.get_current_profile_name()
    examples = {"quick": 5, "full": 10, "deep": 60}[profile]

    run_state_machine_as_test(
        lambda: SideBySide(stores), settings=settings(max_examples=examples, stateful_step_count=50)
    )
