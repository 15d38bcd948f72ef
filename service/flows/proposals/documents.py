"""Reads bodies and makes the documents of a version from them, on the loop or in an engine process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar, TypeVarTuple, Unpack

from service.domains.proposals.rules import ProposalRules
from service.errors.proposals import ProposalSimulationDisabled
from service.flows.limits.result_sizes import require_within
from service.flows.limits.work_costs import (
    LOOP_ARTIFACT_BYTES_MAX,
    LOOP_BODY_BYTES_MAX,
    LOOP_STEPS_MAX,
    work_on_body,
    work_where,
)
from service.flows.proposals.events import RequestContext
from service.flows.proposals.versions import (
    Command,
    Documents,
    Outcome,
    ProposalReaders,
    build_documents,
    simulate_asked,
)
from service.runtime.clock import NewId
from service.runtime.process_pool import Executor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# How often a result stands in the answer to a creation.
RESULTS_IN_ANSWER = 3


class DocumentBuilder:
    def __init__(
        self,
        *,
        new_id: NewId,
        offload: Executor,
        readers: ProposalReaders,
        rules: ProposalRules,
        result_bytes_max: int,
    ) -> None:
        self._new_id = new_id
        self._offload = offload
        self._readers = readers
        self._rules = rules
        self._result_bytes_max = result_bytes_max

    async def read(self, body: bytes, reader: Callable[[ProposalReaders, bytes], T]) -> T:
        """What a body asks for. Raises RequestInvalid, JsonTooDeep."""
        return await work_on_body(self._offload, self._readers, body, reader)

    def require_enabled(self, asked: Command) -> None:
        """Raises ProposalSimulationDisabled."""
        if self._rules.simulation_flag_required and not asked.simulation_enabled:
            raise ProposalSimulationDisabled()

    async def simulate(self, asked: Command, sent: RequestContext) -> Outcome:
        correlation_id = sent.correlation_id or sent.drawn_id or self._new_id("corr")
        small = asked.steps <= LOOP_STEPS_MAX and len(asked.request) <= LOOP_BODY_BYTES_MAX
        return await self._compute(
            small,
            simulate_asked,
            self._readers.simulate,
            asked,
            correlation_id,
            sent.idempotency_key,
            self._result_bytes_max,
        )

    async def build(self, asked: Command, outcome: Outcome, at: datetime) -> Documents:
        # The result stands in the answer by itself, in the artifact and in the evidence.
        require_within(RESULTS_IN_ANSWER * len(outcome.body), self._result_bytes_max)
        small = len(asked.request) <= LOOP_BODY_BYTES_MAX and len(outcome.body) <= LOOP_ARTIFACT_BYTES_MAX
        return await self._compute(
            small,
            build_documents,
            self._readers.simulate,
            asked,
            outcome,
            at,
            self._rules.evidence_kept,
            self._result_bytes_max,
        )

    async def _compute(self, small: bool, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        return await work_where(self._offload, small, work, *args)
