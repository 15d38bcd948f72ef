"""Lays a policy pack over the options of a request; what the pack says wins (HTTP contract 7.7).

Example: a pack with `max_turnover_pct` 0.05 over a request that allows 0.15 gives options that allow 0.05.
"""

from __future__ import annotations

from typing import Any

import msgspec

from service.domains.policy_packs import PolicyPack
from service.domains.rebalances.options import EngineOptions


def overlay(options: EngineOptions, pack: PolicyPack) -> EngineOptions:
    """The options a simulation under the pack is computed with; what the pack leaves open stays as asked."""
    return msgspec.structs.replace(options, **overrides_of(pack))


def overrides_of(pack: PolicyPack) -> dict[str, Any]:
    """What a pack says of each engine option it speaks of."""
    turnover, tax, settlement = pack.turnover_policy, pack.tax_policy, pack.settlement_policy
    constraint, workflow = pack.constraint_policy, pack.workflow_policy
    said = {
        "max_turnover_pct": turnover.max_turnover_pct,
        "enable_tax_awareness": tax.enable_tax_awareness,
        "max_realized_capital_gains": tax.max_realized_capital_gains,
        "enable_settlement_awareness": settlement.enable_settlement_awareness,
        "settlement_horizon_days": settlement.settlement_horizon_days,
        "single_position_max_weight": constraint.single_position_max_weight,
        # A map with nothing in it says nothing.
        "group_constraints": constraint.group_constraints or None,
        "enable_workflow_gates": workflow.enable_workflow_gates,
        "workflow_requires_client_consent": workflow.workflow_requires_client_consent,
        "client_consent_already_obtained": workflow.client_consent_already_obtained,
    }
    return {name: value for name, value in said.items() if value is not None}
