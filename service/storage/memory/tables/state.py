"""The tables of the memory store, shared by its nouns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime

from service.domains.dpm_runs.artifacts import Artifact
from service.domains.dpm_runs.supportability import Subject
from service.domains.dpm_runs.values import DpmRun, RunRequest, RunSummary
from service.domains.idempotency import (
    AnswerScope,
    IdempotencyRecord,
    IdempotentAnswer,
    KeyHistoryEntry,
    KeyScope,
)
from service.domains.lineage import Edge, EdgePlace
from service.domains.operations import Operation, StagedScenario
from service.domains.policy_packs import PackChange
from service.domains.proposals.simulations import ProposalSimulation
from service.domains.proposals.values import (
    Proposal,
    ProposalApproval,
    ProposalEvent,
    ProposalKey,
    ProposalKeyScope,
    ProposalVersion,
)
from service.domains.retention.deletions import DeletionRecord
from service.domains.shadow_differences import Difference
from service.domains.workflow_decisions import WorkflowDecision
from service.errors.storage import StoreUnavailable
from service.storage.memory.tables.sorted_index import Place, SortedIndex

# A tenant id and an id of that tenant.
RowKey = tuple[str, str]
AnswerKey = tuple[str, AnswerScope, str]


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """A request with the digest it was written with."""

    request: RunRequest
    body_sha256: str

    @property
    def place(self) -> Place:
        return (self.request.created_at, self.request.request_id)


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run with its head, so that lists make none, and the digest it was written with."""

    run: DpmRun
    head: RunSummary
    policy_pack_id: str | None
    result_sha256: str

    @property
    def created_at(self) -> datetime:
        return self.run.created_at

    @property
    def place(self) -> Place:
        return (self.run.created_at, self.run.rebalance_run_id)


@dataclass(frozen=True, slots=True)
class Hold:
    """Which claim of an operation was the last, and until when it is held if it is."""

    fence: int = 0
    until: datetime | None = None


@dataclass(slots=True)
class State:
    """Rows by their keys, then the shelves that find them in order; each key starts with the tenant id.

    An artifact and a use of a key are found by the id of their run; the keys of answers, by the id of the run
    or operation that they are about; a hold, and what is staged, by that of
    their operation; versions, events and approvals, in the order of their numbers, by that of their proposal.
    `proposal_ids` has the ids of those three, each with its kind. The changes of a catalog of policy packs,
    in the order of their revisions, are found by the tenant alone.
    """

    requests: dict[RowKey, KeptRequest] = field(default_factory=dict)
    runs: dict[RowKey, KeptRun] = field(default_factory=dict)
    artifacts: dict[RowKey, Artifact] = field(default_factory=dict)
    keys: dict[tuple[str, KeyScope, str], IdempotencyRecord] = field(default_factory=dict)
    uses: dict[RowKey, KeyHistoryEntry] = field(default_factory=dict)
    answers: dict[AnswerKey, IdempotentAnswer] = field(default_factory=dict)
    answers_about: dict[RowKey, set[AnswerKey]] = field(default_factory=dict)
    edges: dict[tuple[str, EdgePlace], Edge] = field(default_factory=dict)
    decisions: dict[RowKey, WorkflowDecision] = field(default_factory=dict)
    decisions_of_run: dict[RowKey, list[WorkflowDecision]] = field(default_factory=dict)
    operations: dict[RowKey, Operation] = field(default_factory=dict)
    holds: dict[RowKey, Hold] = field(default_factory=dict)
    staged: dict[RowKey, dict[str, StagedScenario]] = field(default_factory=dict)
    proposals: dict[RowKey, Proposal] = field(default_factory=dict)
    proposal_versions: dict[RowKey, list[ProposalVersion]] = field(default_factory=dict)
    proposal_events: dict[RowKey, list[ProposalEvent]] = field(default_factory=dict)
    proposal_approvals: dict[RowKey, list[ProposalApproval]] = field(default_factory=dict)
    proposal_ids: set[tuple[str, str, str]] = field(default_factory=set)
    proposal_keys: dict[tuple[str, ProposalKeyScope, str, str], ProposalKey] = field(default_factory=dict)
    keys_of_proposal: dict[RowKey, list[tuple[ProposalKeyScope, str, str]]] = field(default_factory=dict)
    simulations: dict[RowKey, ProposalSimulation] = field(default_factory=dict)
    pack_changes: dict[str, list[PackChange]] = field(default_factory=dict)
    deletion_records: dict[RowKey, DeletionRecord] = field(default_factory=dict)
    differences: dict[RowKey, Difference] = field(default_factory=dict)

    batches_by_correlation: SortedIndex[Place] = field(default_factory=SortedIndex)
    runs_by_creation: SortedIndex[Place] = field(default_factory=SortedIndex)
    runs_by_correlation: SortedIndex[Place] = field(default_factory=SortedIndex)
    runs_by_request_hash: SortedIndex[Place] = field(default_factory=SortedIndex)
    runs_by_request: SortedIndex[Place] = field(default_factory=SortedIndex)
    uses_by_key: SortedIndex[Place] = field(default_factory=SortedIndex)
    edges_by_entity: SortedIndex[EdgePlace] = field(default_factory=SortedIndex)
    decisions_by_time: SortedIndex[Place] = field(default_factory=SortedIndex)
    operations_by_creation: SortedIndex[Place] = field(default_factory=SortedIndex)
    operations_by_status: SortedIndex[Place] = field(default_factory=SortedIndex)
    operations_by_correlation: SortedIndex[Place] = field(default_factory=SortedIndex)
    operations_by_end: SortedIndex[Place] = field(default_factory=SortedIndex)
    proposals_by_creation: SortedIndex[Place] = field(default_factory=SortedIndex)
    proposals_by_portfolio: SortedIndex[Place] = field(default_factory=SortedIndex)
    proposals_by_creator: SortedIndex[Place] = field(default_factory=SortedIndex)
    proposals_by_state: SortedIndex[Place] = field(default_factory=SortedIndex)
    simulations_by_creation: SortedIndex[Place] = field(default_factory=SortedIndex)
    purges_by_time: SortedIndex[Place] = field(default_factory=SortedIndex)
    differences_by_time: SortedIndex[Place] = field(default_factory=SortedIndex)

    tallies: dict[str, Counter[tuple[Subject, str]]] = field(default_factory=dict)
    closed: bool = False
    # Told the kind of a row that was written, and its tenant; removes what is too much.
    trim: Callable[[str, str], None] = lambda kind, tenant_id: None

    @property
    def tables(self) -> tuple[object, ...]:
        """Everything that grows with what is kept."""
        parts = [getattr(self, part.name) for part in fields(self)]
        return tuple(
            part.shelves if isinstance(part, SortedIndex) else part
            for part in parts
            if isinstance(part, SortedIndex | dict | set)
        )

    def require_open(self) -> None:
        if self.closed:
            raise StoreUnavailable()

    def tally(self, tenant_id: str, subject: Subject, value: str, change: int) -> None:
        """Count rows that came, or went, with what was there before."""
        counts = self.tallies.setdefault(tenant_id, Counter())
        counts[subject, value] += change
        if not counts[subject, value]:
            del counts[subject, value]
