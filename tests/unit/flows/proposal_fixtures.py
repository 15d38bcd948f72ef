"""Proposals on memory storage, with a clock set by hand and counted ids."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from service.domains.callers import DEFAULT_TENANT, Caller
from service.domains.operations import Lease, OperationType
from service.domains.proposals.rules import ProposalRules
from service.domains.retention.cutoffs import KEEP_ALL, Retention
from service.flows.operations.attempts import AttemptRunner
from service.flows.operations.recovery import Reaper
from service.flows.proposals.flow import ProposalFlow
from service.flows.proposals.operations import ProposalOperationFlow
from service.flows.proposals.simulations import ProposalSimulationFlow
from service.flows.proposals.versions import ProposalReaders
from service.flows.proposals.work import ProposalWork
from service.flows.retention import RetentionFlow
from service.storage.memory.store import MemoryStore
from service.web.answers.proposals.proposals import STORED
from service.web.requests import bodies
from tests.runtimes import a_runtime

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DAY = 86_400
READERS = ProposalReaders(
    bodies.decode_proposal,
    bodies.decode_creation,
    bodies.decode_version,
    bodies.decode_transition,
    bodies.decode_approval,
)
OFF = {"enable_proposal_simulation": False}


def simulation(*, portfolio_id="pf_1", deposit=None, **changes):
    """A request that simulates to READY; a deposit makes it another, one below -10 is BLOCKED."""
    flows = [] if deposit is None else [{"currency": "SGD", "amount": str(deposit)}]
    return {
        "portfolio_snapshot": {
            "portfolio_id": portfolio_id,
            "base_currency": "SGD",
            "cash_balances": [{"currency": "SGD", "amount": "10.00"}],
        },
        "market_data_snapshot": {},
        "shelf_entries": [],
        "options": {"enable_proposal_simulation": True},
        "proposed_cash_flows": flows,
    } | changes


def body_of(created_by="adviser", metadata=None, expected_revision=None, **changes):
    """The body of a creation or a version."""
    asked = {"created_by": created_by, "simulate_request": simulation(**changes)}
    if metadata is not None:
        asked["metadata"] = metadata
    if expected_revision is not None:
        asked["expected_revision"] = expected_revision
    return json.dumps(asked).encode()


class Overtaken:
    """The proposals of a store, where somebody else comes first before a change or after a look."""

    def __init__(self, proposals):
        self.proposals = proposals
        self.before_change = []
        self.after_look = []
        self.asked_for = 0
        self.is_first = False

    def __getattr__(self, name):
        return getattr(self.proposals, name)

    async def change(self, change):
        self.asked_for += 1
        await self.let_in(self.before_change)
        return await self.proposals.change(change)

    async def find_key(self, *of):
        found = await self.proposals.find_key(*of)
        await self.let_in(self.after_look)
        return found

    async def let_in(self, others):
        """Lets the next of others do what they come for; they are not overtaken themselves."""
        if others and not self.is_first:
            self.is_first = True
            await others.pop(0)()
            self.is_first = False


class IdleFlow(ProposalOperationFlow):
    """Accepts, and begins nothing by itself."""

    def _begin(self, operation):
        pass


class ProposalDesk:
    """Everything that has to do with proposals, on one store; who is idle leaves what was accepted alone."""

    def __init__(self, store=None, *, lease_seconds=60.0, idle=False, **rules):
        self.store = store or MemoryStore()
        self.at = AT
        self.drawn = 0
        self.offloaded = []
        self.lease_seconds = lease_seconds
        self.flow = ProposalFlow(
            store=self.store,
            runtime=a_runtime(clock=self, new_id=self.draw, offload=self.offload),
            answers=STORED,
            readers=READERS,
            rules=ProposalRules(**rules),
        )
        self.simulations = ProposalSimulationFlow(
            store=self.store,
            runtime=a_runtime(clock=self, offload=self.offload),
            read=READERS.simulate,
            kept_seconds=DAY,
        )
        work = ProposalWork(runtime=a_runtime(clock=self), proposals=self.flow)
        self.runner = AttemptRunner(
            store=self.store,
            clock=self,
            works={OperationType.CREATE_PROPOSAL: work, OperationType.CREATE_PROPOSAL_VERSION: work},
            lease_seconds=lease_seconds,
            attempts_max=3,
        )
        self.operations = (IdleFlow if idle else ProposalOperationFlow)(
            store=self.store,
            runtime=a_runtime(clock=self, new_id=self.draw),
            proposals=self.flow,
            runner=self.runner,
            queued=False,
        )
        self.reaper = Reaper(
            store=self.store,
            clock=self,
            retention=Retention(run_days=0, operation_seconds=3600),
            attempts_max=3,
            operation_seconds_max=600,
            queue=None,
            lease_seconds=lease_seconds,
        )

    def now(self):
        return self.at

    def draw(self, prefix):
        self.drawn += 1
        return f"{prefix}_{self.drawn:032x}"

    async def offload(self, work, *args):
        self.offloaded.append(work.__name__)
        return work(*args)

    def wait(self, seconds):
        self.at += timedelta(seconds=seconds)

    def overtaken(self):
        """From here on others may come first."""
        self.store.proposals = Overtaken(self.store.proposals)
        return self.store.proposals

    async def create(self, key="key-1", correlation_id=None, **changes):
        return await self.flow.create(
            Caller.local(), body_of(**changes), idempotency_key=key, correlation_id=correlation_id
        )

    async def created(self, key="key-1", **changes):
        """The id of a proposal."""
        return told(await self.create(key, **changes))["proposal"]["proposal_id"]

    async def add_version(self, proposal_id, key=None, correlation_id=None, **changes):
        return await self.flow.add_version(
            Caller.local(),
            proposal_id,
            body_of(**changes),
            idempotency_key=key,
            correlation_id=correlation_id,
        )

    async def move(self, proposal_id, event, state=None, key=None, actor="adviser", **more):
        asked = {"event_type": event, "actor_id": actor, "expected_state": state} | more
        body = json.dumps(asked).encode()
        return await self.flow.transition(Caller.local(), proposal_id, body, idempotency_key=key)

    async def approve(self, proposal_id, kind, state=None, key=None, actor="officer", approved=True, **more):
        asked = {"approval_type": kind, "approved": approved, "actor_id": actor, "expected_state": state}
        body = json.dumps(asked | more).encode()
        return await self.flow.approve(Caller.local(), proposal_id, body, idempotency_key=key)

    async def to_consent(self, proposal_id):
        """Submits a proposal for review and gets the approval."""
        await self.move(proposal_id, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT")
        return told(await self.approve(proposal_id, "RISK", "RISK_REVIEW"))["approval"]["approval_id"]

    async def submit_create(self, key="key-1", correlation_id="corr-1", sent=None, **changes):
        return await self.operations.submit_create(
            Caller.local(),
            body_of(**changes),
            idempotency_key=key,
            correlation_id=correlation_id,
            correlation_sent=sent,
        )

    async def submit_version(self, proposal_id, correlation_id="corr-1", sent=None, **changes):
        return await self.operations.submit_version(
            Caller.local(),
            proposal_id,
            body_of(**changes),
            correlation_id=correlation_id,
            correlation_sent=sent,
        )

    async def claim(self, operation):
        lease = Lease(self.at, self.at + timedelta(seconds=self.lease_seconds))
        return await self.store.operations.claim(DEFAULT_TENANT, operation.operation_id, lease)

    async def run(self, operation):
        """The operation as an attempt ended it."""
        await self.runner.run(await self.claim(operation))
        return await self.read(operation)

    async def read(self, operation):
        return await self.store.operations.get(DEFAULT_TENANT, operation.operation_id, KEEP_ALL)

    async def get(self, proposal_id):
        return await self.store.proposals.get(DEFAULT_TENANT, proposal_id)

    async def events(self, proposal_id):
        """Every event with the state it led to, as it is shown."""
        found = await self.flow.list_events(Caller.local(), proposal_id, limit=1_000, cursor=None)
        return [(event.event_type.value, event.to_state.value) for event in found.events.items]

    def count(self):
        """How many proposals there are."""
        return len(self.store.state.proposals)

    def edges(self):
        """All lineage, each edge as what it leads from, its type and what it leads to."""
        found = self.store.state.edges.values()
        return {(edge.source_entity_id, edge.edge_type.value, edge.target_entity_id) for edge in found}


def purges_of(desk, **options):
    """What removes what has expired: an operation after an hour, a simulation after a day."""
    return RetentionFlow(
        store=desk.store,
        clock=desk,
        new_id=desk.draw,
        retention=Retention(run_days=0, operation_seconds=3600),
        simulations_kept_seconds=DAY,
        **options,
    )


def told(answered):
    """What an answer says."""
    return json.loads(answered.body)
