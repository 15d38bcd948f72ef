"""Computes a stored run again and says whether what is stored is still what was answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import Enum

import msgspec
import structlog

from service.domains.callers import Caller
from service.domains.dpm_runs.artifacts import Artifact
from service.domains.dpm_runs.values import (
    DpmRun,
    RecordReplay,
    RunRequest,
    RunStatus,
    StoredRun,
)
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.canonical import digest_of
from service.domains.values.json_differences import Difference, equal_but_for_order, first_difference
from service.engines.dpm.artifact import build_artifact
from service.engines.dpm.versions import ENGINES
from service.errors.dpm_runs import ReplayEngineUnknown, RunExists
from service.flows.dpm_runs.artifacts import artifact_of
from service.flows.dpm_runs.computing import Readers, recompute
from service.flows.dpm_runs.flow import DRAWS_MAX
from service.flows.runtime import Runtime
from service.observability.trace_context import current_trace_id
from service.runtime.large_texts import where_large
from service.storage.ports.store import Store

logger = structlog.get_logger()


class Outcome(Enum):
    """What a replay found."""

    MATCH = "MATCH"
    """The result computed now is the one that is stored."""
    MISMATCH = "MISMATCH"
    """It differs, or it could not be computed."""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What a run gave this time."""

    recorded_hash: str
    replayed_hash: str | None
    difference: Difference | None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """A run beside itself; it matches only when nothing differs and every digest is that of its text.

    Without a hash it could not be computed again, and the failure names what stopped it.
    """

    run: DpmRun
    recorded_hash: str
    replayed_hash: str | None
    difference: Difference | None
    digests_intact: bool
    failure: str | None
    recorded_run_id: str | None = None

    @property
    def outcome(self) -> Outcome:
        return Outcome.MATCH if self.difference is None else Outcome.MISMATCH


class Replayed(msgspec.Struct, frozen=True):
    """What recording a replay needs to know of its result."""

    status: RunStatus


class ReplayFlow:
    """The readers must ignore unknown fields: what was recorded under a laxer setting is still read."""

    def __init__(
        self, *, store: Store, runtime: Runtime, readers: Readers, artifacts_persisted: bool
    ) -> None:
        self._store = store
        self._clock = runtime.clock
        self._retention = runtime.retention
        self._new_id = runtime.new_id
        self._offload = runtime.offload
        self._readers = readers
        self._artifacts_persisted = artifacts_persisted

    async def replay(
        self, caller: Caller, rebalance_run_id: str, *, record: bool, correlation_id: str
    ) -> Replay:
        """Computes a run again; with `record`, as a run of its own too. Otherwise stores nothing.

        A run that cannot be computed any more is not recorded. Raises RunNotFound, ReplayEngineUnknown.
        """
        cutoff = self._retention.cutoff_at(self._clock.now())
        sealed = await self._store.dpm_runs.get_sealed(caller.tenant_id, rebalance_run_id, cutoff)
        found = await self._compared(sealed)
        if found.failure is not None:
            logger.warning("replay_failed", rebalance_run_id=rebalance_run_id, cause=found.failure)
        if not record or found.replayed_hash is None:
            return found
        return replace(found, recorded_run_id=await self._record(sealed, correlation_id, cutoff))

    async def verify(self, caller: Caller, rebalance_run_id: str, cutoff: RetentionCutoff) -> Replay:
        """As replay without recording, and the artifact and the request hash are held to their text too.

        Raises RunNotFound, ReplayEngineUnknown.
        """
        sealed = await self._store.dpm_runs.get_sealed(caller.tenant_id, rebalance_run_id, cutoff)
        found = await self._compared(sealed)
        if found.difference is not None:
            return found
        difference = await asyncio.to_thread(request_difference, sealed) or await self._artifact_difference(
            caller, sealed.run, cutoff
        )
        return replace(found, difference=difference, digests_intact=difference is None)

    async def _compared(self, sealed: StoredRun) -> Replay:
        version = sealed.run.engine_version
        if version not in ENGINES:
            raise ReplayEngineUnknown(engine_version=version)
        # One run at a time is asked for, and may be of any size; so it never runs on the loop.
        computed = await self._offload(compute_again, self._readers, sealed.run, sealed.request)
        # Hashing lets go of the interpreter, so a thread is enough.
        broken = await asyncio.to_thread(digest_difference, sealed)
        return Replay(
            run=sealed.run,
            recorded_hash=computed.recorded_hash,
            replayed_hash=computed.replayed_hash,
            difference=computed.difference or broken,
            digests_intact=broken is None,
            failure=computed.failure,
        )

    async def _artifact_difference(
        self, caller: Caller, run: DpmRun, cutoff: RetentionCutoff
    ) -> Difference | None:
        kept = await self._store.artifacts.find(caller.tenant_id, run.rebalance_run_id, cutoff)
        if kept is None:
            return None
        built = await self._offload(build_artifact, run)
        return await where_large(len(kept.body), artifact_difference, kept, built)

    async def _record(self, sealed: StoredRun, correlation_id: str, cutoff: RetentionCutoff) -> str:
        for _ in range(DRAWS_MAX):
            blank = replace(
                sealed.run,
                rebalance_run_id=self._new_id("rr"),
                correlation_id=correlation_id,
                idempotency_key=None,
                created_at=self._clock.now(),
                result=b"",
            )
            status, result = await self._offload(recompute_run, self._readers, blank, sealed.request)
            run = replace(blank, status=status, result=result)
            artifact = await artifact_of(run, self._offload) if self._artifacts_persisted else None
            admission = RecordReplay(run, sealed.run.rebalance_run_id, artifact, current_trace_id())
            try:
                await self._store.dpm_runs.admit_replay(admission, cutoff)
            except RunExists:
                continue
            return run.rebalance_run_id
        raise AssertionError("drawn run ids keep clashing")


def compute_again(readers: Readers, run: DpmRun, request: RunRequest) -> Recomputed:
    """Computes a run from its request and compares the result with the stored one; pure.

    A run was computed once, so whatever stops it now was changed since: that is a difference, no error.
    Results that were computed before the engines ordered attributes have them as the caller sent them. Such a
    result is still the one that is computed now, so its own hash stands for both.
    """
    recorded_hash = digest_of(run.result)
    try:
        replayed = recompute(readers, run, request)
    except MemoryError:  # It says nothing of what is stored.
        raise
    except Exception as error:
        return Recomputed(recorded_hash, None, Difference("$", recorded_hash, None), type(error).__name__)
    replayed_hash = digest_of(replayed)
    if replayed == run.result:
        return Recomputed(recorded_hash, replayed_hash, None)
    if equal_but_for_order(run.result, replayed):
        return Recomputed(recorded_hash, recorded_hash, None)
    whole = Difference("$", recorded_hash, replayed_hash)
    try:
        recorded = msgspec.json.decode(run.result)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # Somebody made something else of it.
        return Recomputed(recorded_hash, replayed_hash, whole)
    difference = first_difference(recorded, msgspec.json.decode(replayed))
    return Recomputed(recorded_hash, replayed_hash, difference or whole)


def recompute_run(readers: Readers, blank: DpmRun, request: RunRequest) -> tuple[RunStatus, bytes]:
    """The status and the result of a run that repeats another; pure."""
    result = recompute(readers, blank, request)
    return msgspec.json.decode(result, type=Replayed).status, result


def artifact_difference(kept: Artifact, built: Artifact) -> Difference | None:
    """Whether an artifact is another than the one that is built of the stored run."""
    if kept.artifact_hash != built.artifact_hash:
        return Difference("artifact_hash", kept.artifact_hash, built.artifact_hash)
    if kept.body != built.body:
        return Difference("artifact", digest_of(kept.body), digest_of(built.body))
    return None


def digest_difference(sealed: StoredRun) -> Difference | None:
    """Whether a text is another than the one whose digest was written beside it."""
    for written, text in (
        (sealed.result_sha256, sealed.run.result),
        (sealed.body_sha256, sealed.request.body),
    ):
        if written != digest_of(text):
            return Difference("$", written, digest_of(text))
    return None


def request_difference(sealed: StoredRun) -> Difference | None:
    """Whether the request hash of a simulate run is another than that of its request."""
    expected = digest_of(sealed.request.body)
    if sealed.run.scenario is not None or sealed.run.request_hash == expected:
        return None
    return Difference("request_hash", sealed.run.request_hash, expected)
