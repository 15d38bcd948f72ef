"""What the simulation of a rebalance answers, in the published shape and field order.

Source: section 3 of the engine specification.
"""

from __future__ import annotations

from typing import Literal

from service.domains.rebalances.results.diagnostics import DiagnosticsData
from service.domains.rebalances.results.gates import GateDecision
from service.domains.rebalances.results.intents import Intent
from service.domains.rebalances.results.rules import RuleResult
from service.domains.rebalances.results.states import SimulatedState
from service.domains.rebalances.results.targets import Explanation, TargetData, UniverseData
from service.domains.rebalances.results.values import RunStatusText, Value
from service.domains.values.money import Money


class Reconciliation(Value, frozen=True, kw_only=True):
    """Whether the portfolio is worth after the trades what it was worth before."""

    before_total_value: Money
    """Total value before trades, in the base currency."""
    after_total_value: Money
    """Total value after trades, in the base currency."""
    delta: Money
    """Value after less value before, in the base currency; of a proposal it includes the cash flows."""
    tolerance: Money
    """Difference that is let pass: half a unit of the base currency and five basis points of the value
    expected."""
    status: Literal["OK", "MISMATCH"]
    """Whether the values agree.

    - OK: The value after is the one expected, within the tolerance.
    - MISMATCH: It differs by more; the run is blocked.
    """


class TaxImpact(Value, frozen=True, kw_only=True):
    """What the sales would realise; sales left out later for size or turnover are counted."""

    total_realized_gain: Money
    """Gains in the base currency, without losses; 0 or more."""
    total_realized_loss: Money
    """Losses in the base currency, as a positive amount."""
    budget_limit: Money | None
    """Gains budget of the options, in the base currency; null where none is set."""
    budget_used: Money | None
    """How much of it the gains use up; losses give nothing back. Null where no budget is set."""


class LineageData(Value, frozen=True, kw_only=True):
    """What the result was computed from, and by what."""

    portfolio_snapshot_id: str
    """Id of the portfolio; of a proposal that of its snapshot, where it has one."""
    market_data_snapshot_id: str
    """Id of the market data of a proposal, where it has one; otherwise `md`."""
    request_hash: str
    """`sha256:` and the hash of the request with every default filled in; of a scenario the id of its batch,
    a colon and its name."""
    idempotency_key: str | None = None
    """Idempotency key that a proposal was sent with; null without one and for a rebalance."""
    engine_version: str | None = None
    """Version of the engine that computed the result; null in results of the existing service."""


class RebalanceResult(Value, frozen=True, kw_only=True):
    """One simulated rebalance: what is held, what is aimed at, what to trade, and what the rules say."""

    rebalance_run_id: str
    """Id of the run: `rr_` and 32 hexadecimal digits."""
    correlation_id: str
    """Id that the request is filed under; of a scenario that of the batch, a colon and its name."""
    status: RunStatusText
    before: SimulatedState
    """Portfolio before trades."""
    universe: UniverseData
    """What may be bought and sold."""
    target: TargetData
    """Weights that the run aims at."""
    intents: tuple[Intent, ...]
    """Orders in the sequence of execution: sales, FX trades, purchases; empty where blocked before trades."""
    after_simulated: SimulatedState
    """Portfolio as if all orders were executed; the one before again where trades were not simulated."""
    reconciliation: Reconciliation | None
    """Value before and after compared; null where the run was blocked before that."""
    tax_impact: TaxImpact | None
    """Gains and losses; null without tax awareness, or where the run was blocked before trades."""
    rule_results: tuple[RuleResult, ...]
    """What each rule found, in a fixed order."""
    explanation: Explanation
    """Summary of the run, and the comparison of methods where it was asked for."""
    diagnostics: DiagnosticsData
    """What the stages noticed."""
    gate_decision: GateDecision | None
    """Who has to act next; null where workflow gates are off."""
    lineage: LineageData
    """What the result was computed from."""


class BatchScenarioMetric(Value, frozen=True, kw_only=True):
    """The figures by which scenarios are compared."""

    status: RunStatusText
    security_intent_count: int
    """How many security trades the scenario proposes."""
    gross_turnover_notional_base: Money
    """Purchases and sales of securities together, in the base currency."""
