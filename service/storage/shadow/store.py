"""Two stores as one: the primary answers, and the shadow is told afterwards what the primary kept.

The shadow is never waited for, and nothing it does or fails to do changes an answer. Reads are the primary's
own. An act whose end is unknown, because the primary was lost in the midst of it or its caller left, is not
repeated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from service.domains.shadow_differences import ShadowCounts
from service.storage.ports.dpm_runs import ArtifactStore, DpmRunStore, SupportabilityStore
from service.storage.ports.idempotency import IdempotencyStore
from service.storage.ports.lineage import LineageStore
from service.storage.ports.operations import OperationStore
from service.storage.ports.policy_packs import PolicyPackStore
from service.storage.ports.proposals import ProposalSimulationStore, ProposalStore
from service.storage.ports.retention import RetentionStore
from service.storage.ports.shadow_differences import ShadowDifferenceStore
from service.storage.ports.store import Store
from service.storage.ports.workflow_decisions import WorkflowDecisionStore
from service.storage.shadow import operation_writes, proposal_writes, run_writes
from service.storage.shadow.replicator import Replicator
from service.storage.shadow.writes import Describe

# Every method that writes, by noun; all others read. What is kept of differences is the primary's alone.
ACTS: Mapping[str, Mapping[str, Describe]] = {
    "dpm_runs": {
        "admit": run_writes.admit,
        "admit_batch": run_writes.admit_batch,
        "admit_replay": run_writes.admit_replay,
    },
    "artifacts": {"keep": run_writes.keep},
    "workflow_decisions": {"decide": run_writes.decide, "decide_once": run_writes.decide_once},
    "policy_packs": {"amend": run_writes.amend},
    "operations": {
        "submit": operation_writes.submit,
        "submit_once": operation_writes.submit_once,
        "claim": operation_writes.claim,
        "extend": operation_writes.extend,
        "stage": operation_writes.stage,
        "finish": operation_writes.finish,
        "release": operation_writes.release,
        "fail": operation_writes.fail,
        "fail_overdue": operation_writes.fail_overdue,
        "reap": operation_writes.reap,
        "expire": operation_writes.expire,
    },
    "proposals": {"change": proposal_writes.change},
    "proposal_simulations": {"keep": proposal_writes.keep, "purge": proposal_writes.purge},
    "supportability": {"compact": operation_writes.compact},
    "retention": {"remove": operation_writes.remove},
}


class MirroredStore:
    """A noun of the primary whose acts are followed; everything else is the primary's own."""

    def __init__(self, noun: str, primary: object, replicator: Replicator) -> None:
        self._primary = primary
        for name, describe in ACTS[noun].items():
            setattr(self, name, followed(noun, name, describe, getattr(primary, name), replicator))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._primary, name)


def followed(
    noun: str, name: str, describe: Describe, do: Callable[..., Awaitable[Any]], replicator: Replicator
) -> Callable[..., Awaitable[Any]]:
    def again(shadow: Store, *args: Any, **named: Any) -> Any:
        return getattr(getattr(shadow, noun), name)(*args, **named)

    async def act(*args: Any, **named: Any) -> Any:
        return await replicator.follow(f"{noun}.{name}", describe, do, again, args, named)

    return act


class ShadowedStore:
    def __init__(self, primary: Store, replicator: Replicator, *, owns_keeper: bool = True) -> None:
        """The owner of the replicator lets it finish before the primary is closed."""
        self.primary = primary
        self.replicator = replicator
        self._owns_keeper = owns_keeper

        def noun(name: str) -> Any:
            return MirroredStore(name, getattr(primary, name), replicator)

        self.dpm_runs = cast(DpmRunStore, noun("dpm_runs"))
        self.idempotency: IdempotencyStore = primary.idempotency
        self.lineage: LineageStore = primary.lineage
        self.artifacts = cast(ArtifactStore, noun("artifacts"))
        self.workflow_decisions = cast(WorkflowDecisionStore, noun("workflow_decisions"))
        self.operations = cast(OperationStore, noun("operations"))
        self.proposals = cast(ProposalStore, noun("proposals"))
        self.proposal_simulations = cast(ProposalSimulationStore, noun("proposal_simulations"))
        self.policy_packs = cast(PolicyPackStore, noun("policy_packs"))
        self.shadow_differences: ShadowDifferenceStore = primary.shadow_differences
        self.supportability = cast(SupportabilityStore, noun("supportability"))
        self.retention = cast(RetentionStore, noun("retention"))

    @property
    def backend(self) -> str:
        """The name of the shadow among the stores."""
        return self.replicator.backend

    def counts(self) -> ShadowCounts:
        return self.replicator.counts()

    def beside(self, primary: Store) -> ShadowedStore:
        """The same primary, reached on another way, followed by the same shadow."""
        return ShadowedStore(primary, self.replicator, owns_keeper=False)

    async def check(self) -> None:
        await self.primary.check()

    async def check_writable(self) -> None:
        await self.primary.check_writable()

    async def close(self) -> None:
        if self._owns_keeper:
            await self.replicator.close()
        await self.primary.close()
