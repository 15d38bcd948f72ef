"""The life of proposals: read, decide, write once; who was overtaken decides anew (RFC-0024, section 9.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from service.domains.callers import Caller
from service.domains.proposals.rules import (
    Expected,
    ProposalRules,
    decide_approval,
    decide_transition,
    require_same_portfolio,
    require_versionable,
)
from service.domains.proposals.values import NO_PROPOSAL, Proposal, ProposalApproval, ProposalKeyScope
from service.errors.families import Conflict, Unprocessable
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.proposals import ProposalConcurrentUpdate
from service.flows.proposals.documents import DocumentBuilder
from service.flows.proposals.events import (
    Answers,
    Prepared,
    RequestContext,
    creation,
    drawn,
    move,
    new_version,
)
from service.flows.proposals.reads import ProposalReads
from service.flows.proposals.review_inputs import read_approval, read_transition
from service.flows.proposals.simulations import Response
from service.flows.proposals.versions import (
    Command,
    Outcome,
    ProposalReaders,
    read_creation,
    read_version,
)
from service.flows.runtime import Runtime
from service.observability.trace_context import current_trace_id
from service.runtime.large_texts import where_large
from service.storage.ports.store import Store

# Each try is overtaken by a change that was kept, so somebody gets on; more than these at once wait in vain.
TRIES_MAX = 100


class ProposalFlow(ProposalReads):
    def __init__(
        self,
        *,
        store: Store,
        runtime: Runtime,
        readers: ProposalReaders,
        rules: ProposalRules,
        answers: Answers,
    ) -> None:
        super().__init__(store)
        self._clock = runtime.clock
        self._new_id = runtime.new_id
        self._rules = rules
        self._answers = answers
        self.documents = DocumentBuilder(
            new_id=runtime.new_id,
            offload=runtime.offload,
            readers=readers,
            rules=rules,
            result_bytes_max=runtime.result_bytes_max,
        )

    async def create(
        self, caller: Caller, body: bytes, *, idempotency_key: str, correlation_id: str | None
    ) -> Response:
        """Creates a proposal with its first version, or answers what the key stands for, to the byte.

        Raises RequestInvalid, JsonTooDeep, IdempotencyKeyConflict, ProposalSimulationDisabled,
        StoreUnavailable.
        """
        asked = await self.read(caller, read_creation, body)
        sent = RequestContext(idempotency_key=idempotency_key, correlation_id=correlation_id)

        async def look() -> Response | None:
            return await self._held(caller, ProposalKeyScope.CREATE, NO_PROPOSAL, sent, asked.request_hash)

        async def decide() -> Prepared:
            return await self.prepare_creation(caller, asked, sent)

        return await self._until_kept(look, decide)

    async def prepare_creation(self, caller: Caller, asked: Command, sent: RequestContext) -> Prepared:
        """What a creation keeps. Raises ProposalSimulationDisabled."""
        self.documents.require_enabled(asked)
        outcome = await self.documents.simulate(asked, sent)
        at = self._clock.now()
        documents = await self.documents.build(asked, outcome, at)
        new_id = drawn(self._new_id, "pp", "ppv", "pwe")
        return await where_large(
            documents.bytes_count, creation, caller, new_id, self._answers, asked, documents, sent, at
        )

    async def add_version(
        self,
        caller: Caller,
        proposal_id: str,
        body: bytes,
        *,
        idempotency_key: str | None,
        correlation_id: str | None,
    ) -> Response:
        """Adds the next version; of several at once each gets a number of its own.

        Raises RequestInvalid, JsonTooDeep, ProposalNotFound, ProposalStateConflict, ProposalTerminal,
        ProposalSimulationDisabled, PortfolioContextMismatch, IdempotencyKeyConflict, StoreUnavailable.
        """
        asked = await self.read(caller, read_version, body)
        sent = RequestContext(idempotency_key=idempotency_key, correlation_id=correlation_id)
        outcomes: list[Outcome] = []

        async def look() -> Response | None:
            return await self._held(caller, ProposalKeyScope.VERSION, proposal_id, sent, asked.request_hash)

        async def decide() -> Prepared:
            return await self.prepare_version(caller, proposal_id, asked, sent, outcomes)

        return await self._until_kept(look, decide)

    async def prepare_version(
        self, caller: Caller, proposal_id: str, asked: Command, sent: RequestContext, outcomes: list[Outcome]
    ) -> Prepared:
        """What the next version keeps, as the proposal is now; `outcomes` remembers the simulation.

        Raises as add_version, but for what reading the body raises.
        """
        before = await self._find(caller, proposal_id)
        require_versionable(before, Expected(revision=asked.expected_revision))
        self.documents.require_enabled(asked)
        require_same_portfolio(before, asked.portfolio_id, self._rules)
        if not outcomes:
            keyless = replace(sent, idempotency_key=None)
            outcomes.append(await self.documents.simulate(asked, keyless))
        at = self._clock.now()
        documents = await self.documents.build(asked, outcomes[0], at)
        valid = await self._valid_approvals(before)
        new_id = drawn(self._new_id, "ppv", "pwe")
        given = (new_id, self._answers, before, asked, documents, valid, sent, self._rules, at)
        return await where_large(documents.bytes_count, new_version, *given)

    async def read(
        self, caller: Caller, reader: Callable[[ProposalReaders, bytes], Command], body: bytes
    ) -> Command:
        """What a body asks for. Raises RequestInvalid, JsonTooDeep."""
        return await self.documents.read(body, reader)

    async def transition(
        self, caller: Caller, proposal_id: str, body: bytes, *, idempotency_key: str | None
    ) -> Response:
        """Raises RequestInvalid, JsonTooDeep, ProposalNotFound, IdempotencyKeyConflict, StoreUnavailable and
        what decide_transition raises.
        """
        asked = await self.documents.read(body, read_transition)
        sent = RequestContext(idempotency_key=idempotency_key, correlation_id=None)

        async def look() -> Response | None:
            return await self._held(
                caller, ProposalKeyScope.TRANSITION, proposal_id, sent, asked.said.request_hash
            )

        async def decide() -> Prepared:
            before = await self._find(caller, proposal_id)
            step = decide_transition(
                before, asked.event_type, asked.related_version_no, asked.expected, self._rules
            )
            return move(self._new_id, self._answers, before, step, asked.said, sent, self._clock.now())

        return await self._until_kept(look, decide)

    async def approve(
        self, caller: Caller, proposal_id: str, body: bytes, *, idempotency_key: str | None
    ) -> Response:
        """Raises RequestInvalid, JsonTooDeep, ProposalNotFound, IdempotencyKeyConflict, StoreUnavailable and
        what decide_approval raises.
        """
        asked = await self.documents.read(body, read_approval)
        sent = RequestContext(idempotency_key=idempotency_key, correlation_id=None)

        async def look() -> Response | None:
            return await self._held(
                caller, ProposalKeyScope.APPROVAL, proposal_id, sent, asked.said.request_hash
            )

        async def decide() -> Prepared:
            before = await self._find(caller, proposal_id)
            step = decide_approval(
                before,
                asked.approval_type,
                asked.said.approved,
                asked.said.actor_id,
                asked.related_version_no,
                asked.expected,
                self._rules,
            )
            return move(self._new_id, self._answers, before, step, asked.said, sent, self._clock.now())

        return await self._until_kept(look, decide)

    async def check_create(self, caller: Caller, body: bytes) -> None:
        """Raises what create would raise on the body alone."""
        await self.read(caller, read_creation, body)

    async def check_version(self, caller: Caller, body: bytes) -> None:
        """Raises what add_version would raise on the body alone."""
        await self.read(caller, read_version, body)

    async def check_transition(self, caller: Caller, body: bytes) -> None:
        """Raises what transition would raise on the body alone."""
        await self.documents.read(body, read_transition)

    async def check_approval(self, caller: Caller, body: bytes) -> None:
        """Raises what approve would raise on the body alone."""
        await self.documents.read(body, read_approval)

    async def _held(
        self, caller: Caller, family: ProposalKeyScope, scope: str, sent: RequestContext, request_hash: str
    ) -> Response | None:
        """What a key stands for already; only spares work, for the key that is claimed decides."""
        if sent.idempotency_key is None:
            return None
        held = await self._store.proposals.find_key(caller.tenant_id, family, scope, sent.idempotency_key)
        if held is None:
            return None
        if held.request_hash != request_hash:
            raise IdempotencyKeyConflict()
        return Response(held.answer, replayed=True)

    async def _keep(self, prepared: Prepared) -> Response:
        held = await self._store.proposals.change(prepared.change.in_trace(current_trace_id()))
        if held is not None:
            return Response(held.answer, replayed=True)
        return Response(prepared.answer, replayed=False)

    async def _until_kept(
        self, look: Callable[[], Awaitable[Response | None]], decide: Callable[[], Awaitable[Prepared]]
    ) -> Response:
        """What the key stands for, or what is decided on what is there, anew while others come first."""
        held = await look()
        for _ in range(TRIES_MAX):
            if held is not None:
                return held
            try:
                return await self._keep(await decide())
            except ProposalConcurrentUpdate:
                continue
            except (Conflict, Unprocessable):
                # A request with the same key may have come first, and what is refused is what it did.
                held = await look()
                if held is None:
                    raise
        raise AssertionError("overtaken more often than there can be callers at once")

    async def _valid_approvals(self, proposal: Proposal) -> list[ProposalApproval]:
        """The approvals since the current version came."""
        valid = await self._store.proposals.list_valid_approvals(proposal.tenant_id, proposal.proposal_id)
        return [*valid]
