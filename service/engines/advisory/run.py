"""One proposal on its way through the stages: what is known so far, as one frozen value.

Each stage answers a new run that knows more; none ends the walk (advisory specification, 3.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from service.domains.proposals.results import (
    CashFlowIntent,
    DriftAnalysis,
    ProposalIntent,
    ProposedTradeIntent,
)
from service.domains.proposals.suitability import SuitabilityResult
from service.domains.rebalances.results.gates import GateDecision
from service.domains.rebalances.results.rebalance import Reconciliation
from service.domains.rebalances.results.rules import RuleResult
from service.domains.rebalances.results.values import RunStatusText
from service.engines.advisory.request_index import RequestIndex
from service.engines.advisory.stages.funding import Funding
from service.engines.limits.result_size import ResultSize
from service.engines.portfolio.missing_data import MissingData
from service.engines.portfolio.valuation import Valuation


class ProposalIdentity(msgspec.Struct, frozen=True):
    """What the caller knows a proposal run by; no stage reads it, the result carries it."""

    run_id: str
    correlation_id: str
    request_hash: str
    idempotency_key: str | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Stages read what earlier ones wrote; quantities and amounts are the working portfolio."""

    index: RequestIndex
    identity: ProposalIdentity
    before: Valuation
    after: Valuation
    gaps: MissingData
    size: ResultSize
    quantities: Mapping[str, Decimal]
    amounts: Mapping[str, Decimal]
    warnings: tuple[str, ...] = ()
    # Codes of what blocks the run though no rule on the state after would show it, in order of occurrence.
    failures: tuple[str, ...] = ()
    flows: tuple[CashFlowIntent, ...] = ()
    sells: tuple[ProposedTradeIntent, ...] = ()
    buys: tuple[ProposedTradeIntent, ...] = ()
    funding: Funding = Funding()
    intents: tuple[ProposalIntent, ...] = ()
    rules: tuple[RuleResult, ...] = ()
    status: RunStatusText = "READY"
    reconciliation: Reconciliation | None = None
    drift: DriftAnalysis | None = None
    suitability: SuitabilityResult | None = None
    gate: GateDecision | None = None
