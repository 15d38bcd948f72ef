"""Replays the recorded cases of the discretionary desk against the engine, without a server.

The packs lie beside the repository; without them the tests are skipped, visibly.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.requests import BatchRebalanceRequest, RebalanceRequest
from service.domains.values.canonical import canonical_json, digest_of
from service.domains.values.money import decode_hook
from service.engines.dpm import batch
from service.engines.dpm.v1 import RunIdentity, simulate
from tests.conftest import CONFORMANCE
from tests.unit.engines.recorded import check, differ, load

ENDPOINTS = ("/rebalance/simulate", "/rebalance/analyze")
PACKS = {"goldens": 23, "dpm-generated": 260, "batch-generated": 30}
EACH = [
    pytest.param(pack, count, id=f"{pack}-{count}", marks=() if pack == "goldens" else pytest.mark.slow)
    for pack, count in PACKS.items()
]

pytestmark = pytest.mark.skipif(not CONFORMANCE.is_dir(), reason=f"no recorded cases at {CONFORMANCE}")

SIMULATE = msgspec.json.Decoder(RebalanceRequest, dec_hook=decode_hook, float_hook=Decimal)
ANALYZE = msgspec.json.Decoder(BatchRebalanceRequest, dec_hook=decode_hook, float_hook=Decimal)


@pytest.mark.parametrize(("pack", "count"), EACH)
def test_every_recorded_case_agrees(pack: str, count: int) -> None:
    cases = recorded(pack)

    differing = {case["id"]: check().judge(case, 200, answered(case))[:3] for case in cases}

    assert len(cases) >= count
    assert {name: found for name, found in differing.items() if found} == {}


@pytest.mark.slow
@pytest.mark.parametrize("pack", PACKS)
def test_every_number_is_written_as_recorded_unless_a_solver_had_a_part_in_it(pack: str) -> None:
    differing = {case["id"]: text_differences(case)[:3] for case in recorded(pack)}

    assert {name: found for name, found in differing.items() if found} == {}


def recorded(pack: str) -> list[dict[str, Any]]:
    return load(pack, ENDPOINTS)


def answered(case: dict[str, Any]) -> Any:
    """The body a server would answer, read back from JSON."""
    body = json.dumps(case["request"]).encode()
    if case["endpoint"] == "/rebalance/simulate":
        request = SIMULATE.decode(body)
        identity = RunIdentity("rr_1", "corr_1", digest_of(canonical_json(request)))
        return json.loads(msgspec.json.encode(simulate(request, identity)))
    return json.loads(msgspec.json.encode(analyzed(ANALYZE.decode(body))))


def analyzed(request: BatchRebalanceRequest) -> dict[str, Any]:
    base_currency = request.portfolio_snapshot.base_currency
    results, metrics, failed = {}, {}, {}
    for name in sorted(request.scenarios):
        try:
            options = msgspec.convert(
                request.scenarios[name].options, EngineOptions, dec_hook=decode_hook, strict=False
            )
        except msgspec.ValidationError as refusal:
            failed[name] = f"INVALID_OPTIONS: {refusal}"
            continue
        identity = batch.scenario_identity("batch_1", name, f"rr_{name}", "corr_1")
        results[name] = simulate(request.request_of(options), identity)
        metrics[name] = batch.metric_of(results[name], base_currency)
    return {
        "base_snapshot_ids": batch.base_snapshot_ids(request),
        "results": results,
        "comparison_metrics": metrics,
        "failed_scenarios": failed,
        "warnings": batch.batch_warnings(failed),
    }


def text_differences(case: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    expected, request = case.get("expected") or {}, case["request"]
    body = answered(case)
    found: list[tuple[str, Any, Any]] = []
    if "scenarios" not in request:
        if not solver_had_a_part(request["options"]):
            differ(expected, body, "", found, check().SKIP_KEYS)
        return found
    for name, scenario in request["scenarios"].items():
        if not solver_had_a_part(scenario.get("options") or {}):
            for part in ("results", "comparison_metrics"):
                differ(
                    expected.get(part, {}).get(name),
                    body[part].get(name),
                    f".{part}.{name}",
                    found,
                    check().SKIP_KEYS,
                )
    return found


def solver_had_a_part(options: Any) -> bool:
    if not isinstance(options, dict):
        return True
    return options.get("target_method") == "SOLVER" or bool(options.get("compare_target_methods"))
