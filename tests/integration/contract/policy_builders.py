"""Policy packs and what is kept of them; every field has a default, and every default is valid."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from service.domains.callers import DEFAULT_TENANT
from service.domains.policy_packs import (
    AppliedPolicy,
    ConstraintPolicy,
    IdempotencyPolicy,
    PackChange,
    PackSource,
    PolicyPack,
    PolicyPackUpsert,
    ResolvedPack,
    SettlementPolicy,
    TaxPolicy,
    TurnoverPolicy,
    WorkflowPolicy,
    applied,
    pack_of,
)
from service.domains.rebalances.options import EngineOptions, GroupConstraint
from tests.integration.contract.builders import AT, an_id


def a_pack(policy_pack_id: str = "pack-1", **fields: Any) -> PolicyPack:
    """A pack that leaves every option of a request as it is."""
    return pack_of(policy_pack_id, PolicyPackUpsert(**({"version": "1"} | fields)))


def a_whole_pack(policy_pack_id: str = "pack-1") -> PolicyPack:
    """A pack that says something of everything."""
    return a_pack(
        policy_pack_id,
        version="2026.1 · Zürich",
        turnover_policy=TurnoverPolicy(max_turnover_pct=Decimal("0.10")),
        tax_policy=TaxPolicy(enable_tax_awareness=True, max_realized_capital_gains=Decimal("1000000.01")),
        settlement_policy=SettlementPolicy(enable_settlement_awareness=False, settlement_horizon_days=3),
        constraint_policy=ConstraintPolicy(
            single_position_max_weight=Decimal("0.333333333333333333"),
            group_constraints={"sector:日本": GroupConstraint(max_weight=Decimal("0.25"))},
        ),
        workflow_policy=WorkflowPolicy(
            enable_workflow_gates=True,
            workflow_requires_client_consent=True,
            client_consent_already_obtained=False,
        ),
        idempotency_policy=IdempotencyPolicy(replay_enabled=False),
    )


def a_change(revision: int, pack: PolicyPack | None = None, **fields: Any) -> PackChange:
    """A pack as it comes to be."""
    pack = pack or a_pack()
    given: dict[str, Any] = {
        "tenant_id": DEFAULT_TENANT,
        "revision": revision,
        "policy_pack_id": pack.policy_pack_id,
        "pack": pack,
        "changed_at": AT,
        "correlation_id": an_id("corr"),
    }
    return PackChange(**(given | fields))


def a_removal(revision: int, policy_pack_id: str = "pack-1", **fields: Any) -> PackChange:
    return replace(a_change(revision, a_pack(policy_pack_id), **fields), pack=None)


def a_policy(
    pack: PolicyPack | None = None, source: PackSource = PackSource.REQUEST, **options: Any
) -> AppliedPolicy:
    return applied(ResolvedPack(pack or a_whole_pack(), source), EngineOptions(**options))
