"""Results of engine version 1, to the byte.

A stored run is proved by computing it again. Whoever has to change one of these files has made another engine
version, and must leave this one as it is.
"""

from __future__ import annotations

import json

import pytest

from service.engines.dpm import versions
from service.engines.dpm.v1 import RunIdentity
from service.flows.dpm_runs.computing import RESULT
from service.web.requests import bodies
from tests.conftest import ROOT

GOLDENS = ROOT / "tests" / "goldens"
DEMO = json.loads((ROOT / "scripts" / "demo" / "multi_currency.json").read_text(encoding="utf-8"))
IDENTITY = RunIdentity("rr_golden", "corr_golden", "sha256:golden")

# Options that replace or join those of the demo request.
VARIANTS = {
    "demo": {},
    "solver": {"target_method": "SOLVER", "compare_target_methods": True},
    "ladder": {"enable_settlement_awareness": True, "max_overdraft_by_ccy": {"EUR": "100000"}},
    "small_budgets": {"max_turnover_pct": "0.10", "max_realized_capital_gains": "2500.50"},
    "tight_group": {
        "group_constraints": {"region:SG": {"max_weight": "0.01"}},
        "allow_restricted": True,
    },
}


@pytest.mark.parametrize("name", VARIANTS)
def test_version_1_answers_as_it_always_did(name):
    document = DEMO | {"options": DEMO["options"] | VARIANTS[name]}
    request = bodies.decode_rebalance(json.dumps(document).encode())

    result = json.loads(RESULT.encode(versions.engine_of("1")(request, IDENTITY)))

    assert written(result) == (GOLDENS / f"{name}.json").read_text(encoding="utf-8")


def written(result: object) -> str:
    """One field a line, so that a difference reads like one."""
    return json.dumps(result, indent=1, ensure_ascii=False) + "\n"
