"""What the shadow is told about runs, their artifacts and reviews, and catalogs of policy packs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from service.domains.dpm_runs.artifacts import Artifact
from service.domains.dpm_runs.values import (
    DpmRun,
    RecordBatch,
    Recorded,
    RecordReplay,
    RecordRun,
    RunRequest,
    mapping_of,
)
from service.domains.idempotency import IdempotentAnswer, KeyScope
from service.domains.policy_packs import PackChange
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.workflow_decisions import ReviewAction, ReviewRule
from service.errors.dpm_runs import RunNotFound
from service.errors.idempotency import IdempotencyKeyConflict, IdempotencyKeyNotFound
from service.errors.policy_packs import PolicyCatalogConcurrentUpdate
from service.errors.workflow_decisions import DecisionExists
from service.storage.ports.store import Store
from service.storage.shadow.writes import Ask, Failed, MirroredRead, MirroredWrite, Outcome, Succeeded

# Runs of a batch that are read back whole; of the others it is seen that they are there.
SEALED_LOOKED_AT = 2


def admit(outcome: Outcome | None, admission: RecordRun, cutoff: RetentionCutoff) -> MirroredWrite:
    run, mapping = admission.run, mapping_of(admission.run)
    echo: Ask | None = None
    match outcome:
        case Succeeded(Recorded(run=held, replayed=True)):
            echo = replay_of(held)
        case Failed(IdempotencyKeyConflict()):
            echo = conflict_of(run, cutoff)

    def key(store: Store) -> Any:
        return store.idempotency.find(run.tenant_id, KeyScope.DPM_SIMULATE, mapping.idempotency_key, cutoff)

    return MirroredWrite(
        entity_id=run.rebalance_run_id,
        tenant_id=run.tenant_id,
        touches=frozenset({run.rebalance_run_id, f"key {mapping.idempotency_key}"}),
        wrote=isinstance(outcome, Succeeded) and echo is None,
        echo=echo,
        looks=(sealed_of(run), *kept_of(admission.artifact), MirroredRead("key", key)),
        size=size_of(admission.request, [run], [admission.artifact]),
        correlation_id=run.correlation_id,
    )


def replay_of(held: DpmRun) -> Ask:
    async def ask(shadow: Store) -> Recorded:
        run = await shadow.dpm_runs.get(held.tenant_id, held.rebalance_run_id, KEEP_ALL)
        return Recorded(run, replayed=True)

    return ask


def conflict_of(run: DpmRun, cutoff: RetentionCutoff) -> Ask:
    async def ask(shadow: Store) -> None:
        wanted = mapping_of(run)
        held = await shadow.idempotency.find(
            run.tenant_id, KeyScope.DPM_SIMULATE, wanted.idempotency_key, cutoff
        )
        if held is None:
            raise IdempotencyKeyNotFound()
        held.require_same(wanted.request_hash, wanted.policy_hash)

    return ask


def admit_batch(outcome: Outcome | None, batch: RecordBatch) -> MirroredWrite:
    request = batch.request
    return MirroredWrite(
        entity_id=request.request_id,
        tenant_id=request.tenant_id,
        touches=names_of_batch(batch),
        wrote=isinstance(outcome, Succeeded),
        looks=looks_of_batch(batch) if isinstance(outcome, Succeeded) else (),
        size=size_of(request, batch.runs, batch.artifacts),
        correlation_id=request.correlation_id,
    )


def names_of_batch(batch: RecordBatch) -> frozenset[str]:
    return frozenset({batch.request.request_id, *(run.rebalance_run_id for run in batch.runs)})


def looks_of_batch(batch: RecordBatch) -> tuple[MirroredRead, ...]:
    tenant_id = batch.request.tenant_id

    def heads(store: Store) -> Any:
        return store.dpm_runs.list_by_cause(tenant_id, batch.cause_id, KEEP_ALL)

    return (MirroredRead("runs", heads), *(sealed_of(run) for run in batch.runs[:SEALED_LOOKED_AT]))


def admit_replay(outcome: Outcome | None, replay: RecordReplay, cutoff: RetentionCutoff) -> MirroredWrite:
    run = replay.run
    return MirroredWrite(
        entity_id=run.rebalance_run_id,
        tenant_id=run.tenant_id,
        touches=frozenset({run.rebalance_run_id, replay.original_id}),
        wrote=isinstance(outcome, Succeeded),
        echo=head_of(run.tenant_id, replay.original_id, cutoff) if is_absent(outcome) else None,
        looks=(sealed_of(run), *kept_of(replay.artifact)),
        size=size_of(None, [run], [replay.artifact]),
        correlation_id=run.correlation_id,
    )


def keep(outcome: Outcome | None, artifact: Artifact) -> MirroredWrite:
    run_id = artifact.rebalance_run_id
    return MirroredWrite(
        entity_id=run_id,
        tenant_id=artifact.tenant_id,
        touches=frozenset({run_id}),
        # A later caller is given the same, and writes nothing on either side.
        wrote=isinstance(outcome, Succeeded),
        echo=head_of(artifact.tenant_id, run_id, KEEP_ALL) if is_absent(outcome) else None,
        looks=kept_of(artifact),
        size=len(artifact.body),
    )


def decide(
    outcome: Outcome | None, verdict: ReviewAction, rule: ReviewRule, cutoff: RetentionCutoff
) -> MirroredWrite:
    tenant_id, run_id = verdict.tenant_id, verdict.rebalance_run_id

    async def would_be_refused(shadow: Store) -> None:
        head = await shadow.dpm_runs.get_head(tenant_id, run_id, cutoff)
        latest = await shadow.workflow_decisions.find_latest(tenant_id, run_id)
        rule.require_allowed(verdict, head.status, latest)

    def latest(store: Store) -> Any:
        return store.workflow_decisions.find_latest(tenant_id, run_id)

    is_refused = isinstance(outcome, Failed) and not isinstance(outcome.refusal, DecisionExists)
    return MirroredWrite(
        entity_id=run_id,
        tenant_id=tenant_id,
        touches=frozenset({run_id}),
        wrote=isinstance(outcome, Succeeded),
        echo=would_be_refused if is_refused else None,
        looks=(MirroredRead("decision", latest),),
        correlation_id=verdict.correlation_id,
    )


def decide_once(
    outcome: Outcome | None,
    verdict: ReviewAction,
    rule: ReviewRule,
    cutoff: RetentionCutoff,
    answer: IdempotentAnswer,
) -> MirroredWrite:
    told = decide(outcome, verdict, rule, cutoff)
    is_conflict = isinstance(outcome, Failed) and isinstance(outcome.refusal, IdempotencyKeyConflict)
    # An answer that was given before wrote nothing.
    return replace(
        told,
        touches=told.touches | {f"answer {answer.family.value} {answer.idempotency_key}"},
        wrote=isinstance(outcome, Succeeded) and outcome.value is None,
        echo=None if is_conflict else told.echo,
    )


def amend(outcome: Outcome | None, change: PackChange) -> MirroredWrite:
    async def would_be_refused(shadow: Store) -> None:
        if await shadow.policy_packs.find_revision(change.tenant_id) + 1 != change.revision:
            raise PolicyCatalogConcurrentUpdate()

    def revision(store: Store) -> Any:
        return store.policy_packs.find_revision(change.tenant_id)

    return MirroredWrite(
        entity_id=change.policy_pack_id,
        tenant_id=change.tenant_id,
        touches=frozenset({f"catalog {change.tenant_id}"}),
        wrote=isinstance(outcome, Succeeded),
        echo=would_be_refused if isinstance(outcome, Failed) else None,
        looks=(MirroredRead("revision", revision),),
        correlation_id=change.correlation_id,
    )


def is_absent(outcome: Outcome | None) -> bool:
    return isinstance(outcome, Failed) and isinstance(outcome.refusal, RunNotFound)


def head_of(tenant_id: str, run_id: str, cutoff: RetentionCutoff) -> Ask:
    return lambda store: store.dpm_runs.get_head(tenant_id, run_id, cutoff)


def sealed_of(run: DpmRun) -> MirroredRead:
    return MirroredRead(
        "run", lambda store: store.dpm_runs.get_sealed(run.tenant_id, run.rebalance_run_id, KEEP_ALL)
    )


def kept_of(artifact: Artifact | None) -> tuple[MirroredRead, ...]:
    if artifact is None:
        return ()
    tenant_id, run_id = artifact.tenant_id, artifact.rebalance_run_id
    return (MirroredRead("artifact", lambda store: store.artifacts.find(tenant_id, run_id, KEEP_ALL)),)


def size_of(request: RunRequest | None, runs: Sequence[DpmRun], artifacts: Sequence[Artifact | None]) -> int:
    return (
        (len(request.body) if request else 0)
        + sum(len(run.result) for run in runs)
        + sum(len(artifact.body) for artifact in artifacts if artifact)
    )
