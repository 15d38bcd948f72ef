"""What the solver says where it finds no weights."""

from functools import partial

import msgspec
import pytest

from scripts.harness.worst_bodies import grouped
from service.engines.dpm.stages import solver
from service.engines.dpm.v1 import RunIdentity, simulate
from service.engines.quadratic import projection
from service.web.requests import bodies


@pytest.mark.parametrize(
    ("steps", "cap", "status", "warning"),
    [
        (0, "0.9", "BLOCKED", "INFEASIBLE_USER_LIMIT"),
        (1e9, "0", "BLOCKED", "INFEASIBLE_INFEASIBLE"),
        (1e9, "0.9", None, None),
    ],
    ids=["too many steps", "contradicting caps", "weights"],
)
def test_weights_that_were_not_found_are_told_from_those_that_cannot_be(
    monkeypatch, steps, cap, status, warning
):
    document = grouped(20, 4, target_method="SOLVER", cash_band_max_weight="0.1")
    for limits in document["options"]["group_constraints"].values():
        limits["max_weight"] = cap
    monkeypatch.setattr(projection, "SPARE_STEPS", steps)
    monkeypatch.setattr(solver, "project", partial(projection.project, steps_max=steps))

    result = simulate(
        bodies.decode_rebalance(msgspec.json.encode(document)), RunIdentity("rr_1", "corr_1", "sha256:0")
    )

    said = [text for text in result.diagnostics.warnings if text.startswith("INFEASIBLE_")]
    assert said == ([] if warning is None else [warning])
    assert status in (None, result.status)
