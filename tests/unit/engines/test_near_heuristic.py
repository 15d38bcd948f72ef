"""The rules of thumb without their rounded steps say what those steps say, or nothing."""

from __future__ import annotations

from decimal import Decimal, localcontext
from random import Random
from typing import Any

import msgspec
import pytest

from scripts.harness.worst_bodies import grouped
from service.domains.values.money import ENGINE_CONTEXT
from service.engines.dpm.comparison import near_heuristic as thumb
from service.engines.dpm.comparison.near_heuristic import Undecided, near_heuristic
from service.engines.dpm.run import Run
from service.engines.dpm.stages import solver
from service.engines.dpm.stages.targets import heuristic_targets
from service.engines.dpm.v1 import RunIdentity, open_run, simulate, universe_stage
from service.web.requests import bodies

IDENTITY = RunIdentity("rr_1", "corr_1", "sha256:0")
STATUSES = ("APPROVED",) * 6 + ("SELL_ONLY", "SUSPENDED", "BANNED")


def drawn(seed: int, **options: Any) -> bytes:
    """A book with many caps, most of them below what is wanted."""
    chance = Random(seed)
    rows = chance.choice([5, 20, 60])
    document = grouped(rows, chance.choice([1, 4, 50]), target_method="SOLVER", **options)
    for row in document["shelf_entries"]:
        row["status"] = chance.choice(STATUSES)
    asked = document["options"]
    for cap in asked["group_constraints"].values():
        cap["max_weight"] = f"{min(1.0, float(cap['max_weight']) * chance.choice([0, 0.7, 1.2, 3])):.4f}"
    if chance.random() < 0.5:
        asked["single_position_max_weight"] = f"{chance.uniform(0.5, 4) / rows:.5f}"
    asked["min_cash_buffer_pct"] = chance.choice(["0", "0.05", "1"])
    asked["compare_target_methods_tolerance"] = chance.choice(["0", "0.0001", "0.01"])
    return msgspec.json.encode(document)


def run_of(body: bytes) -> Run:
    return universe_stage(open_run(bodies.decode_rebalance(body), IDENTITY))


def test_it_says_what_the_rounded_steps_say():
    told = 0
    for seed in range(60):
        with localcontext(ENGINE_CONTEXT):
            run = run_of(drawn(seed))
            exact = heuristic_targets(run.index, run.universe, run.before.total)
            theirs = {row.instrument_id: row.final_weight for row in exact.trace}
            ours = {key: Decimal(f"{weight + Decimal('0.0001'):.4f}") for key, weight in theirs.items()}
            for tolerance in map(Decimal, ("0", "0.00005", "0.0001")):
                try:
                    near = near_heuristic(run.index, run.universe)
                    differing = near.differing(ours, tolerance)
                except Undecided:
                    continue
                told += 1
                assert (near.status, near.warnings) == (exact.status, exact.warnings)
                assert sorted(differing) == sorted(
                    [key for key in theirs if abs(ours[key] - theirs[key]) > tolerance]
                )
                for key, weight in theirs.items():
                    assert abs(near.weights[key] - weight) <= (0 if key in near.exact else near.error)

    assert told > 60


@pytest.mark.parametrize("seed", range(12))
def test_a_comparison_is_the_same_with_it_and_without(seed, monkeypatch):
    request = bodies.decode_rebalance(drawn(seed, compare_target_methods=True))

    monkeypatch.setattr(solver, "FEW_STEPS", 0)
    near = simulate(request, IDENTITY)
    monkeypatch.setattr(solver, "FEW_STEPS", 10**9)

    assert simulate(request, IDENTITY) == near


def test_a_weight_that_differs_by_just_the_tolerance_is_left_to_the_rounded_steps():
    body = msgspec.json.encode(grouped(20, 1, target_method="SOLVER"))
    with localcontext(ENGINE_CONTEXT):
        run = run_of(body)
        exact = heuristic_targets(run.index, run.universe, run.before.total)
        ours = {row.instrument_id: row.final_weight for row in exact.trace}
        near = near_heuristic(run.index, run.universe)

        with pytest.raises(Undecided):
            near.differing(ours, Decimal(0))


def test_many_caps_take_none_of_the_rounded_steps(monkeypatch):
    taken = []
    monkeypatch.setattr(solver, "FEW_STEPS", 0)
    monkeypatch.setitem(solver.TARGETS_BY_METHOD, solver.TargetMethod.HEURISTIC, lambda *_: taken.append(1))
    request = bodies.decode_rebalance(
        msgspec.json.encode(grouped(400, 2, target_method="SOLVER", compare_target_methods=True))
    )

    assert simulate(request, IDENTITY).explanation.target_method_comparison is not None
    assert not taken


def test_a_locked_name_that_no_cap_touches_is_known_exactly():
    document = grouped(40, 2, target_method="SOLVER")
    document["shelf_entries"][-1] |= {"status": "BANNED", "attributes": {}}
    locked = document["shelf_entries"][-1]["instrument_id"]
    with localcontext(ENGINE_CONTEXT):
        run = run_of(msgspec.json.encode(document))
        exact = heuristic_targets(run.index, run.universe, run.before.total)
        ours = {row.instrument_id: row.final_weight + Decimal("0.00003") for row in exact.trace}
        near = near_heuristic(run.index, run.universe)
        assert near.weights[locked] > 0
        ours[locked] = near.weights[locked]

        assert set(near.differing(ours, Decimal(0))) == ours.keys() - {locked}


def test_a_comparison_reads_the_caps_once(monkeypatch):
    read = []
    for module in (solver, thumb):
        actual = module.read_groups
        monkeypatch.setattr(
            module, "read_groups", lambda *given, actual=actual: read.append(1) or actual(*given)
        )
    monkeypatch.setattr(solver, "FEW_STEPS", 0)
    request = bodies.decode_rebalance(
        msgspec.json.encode(grouped(400, 2, target_method="SOLVER", compare_target_methods=True))
    )

    simulate(request, IDENTITY)

    assert len(read) == 1
