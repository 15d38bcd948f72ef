"""An analysis is resolved once; whoever computes it then, and when, gets the same bytes."""

import json
from decimal import Decimal

import pytest

from scripts.harness.sample_requests import a_batch_body
from service.domains.rebalances.analyses import read_plan
from service.engines.dpm import versions
from service.flows.dpm_runs.analyses import BatchIdentity, analyze_body, plan_body, run_scenario
from service.flows.dpm_runs.computing import Readers
from service.flows.limits.result_sizes import RESULT_BYTES_MAX
from service.web.requests import bodies
from tests.unit.flows.operation_fixtures import BODY, SCENARIOS

LENIENT = Readers(bodies.decode_rebalance, bodies.decode_batch, bodies.decode_options)
STRICT = Readers(bodies.decode_rebalance.strict, bodies.decode_batch.strict, bodies.decode_options.strict)
IDENTITY = BatchIdentity("batch_1", "corr-1", tuple(f"rr_{number}" for number in range(20)))


def test_a_plan_has_its_scenarios_in_the_order_of_names_each_with_a_run_id():
    plan = plan_body(LENIENT, BODY, IDENTITY)

    assert [(one.name, one.run_id) for one in plan.scenarios] == [
        (name, f"rr_{place}") for place, name in enumerate(sorted(SCENARIOS))
    ]


def test_options_are_resolved_with_every_default_and_each_digit():
    plan = plan_body(LENIENT, BODY, IDENTITY)
    asked = json.loads(BODY, parse_float=Decimal)["scenarios"]

    for scenario in plan.scenarios:
        if scenario.name == "c_bad":
            assert (bytes(scenario.options), bool(scenario.refusal)) == (b"null", True)
            continue
        assert scenario.read_options() == bodies.decode_options(asked[scenario.name]["options"])
    resolved = json.loads(bytes(plan.scenarios[1].options))
    assert (resolved["cash_band_min_weight"], resolved["single_position_max_weight"]) == ("0.050", "0.2")
    assert resolved["settlement_horizon_days"] == 5


def test_what_refuses_an_option_is_settled_when_it_is_planned():
    body = a_batch_body({"odd": {"no_such_option": 1}}, positions=3)

    (lenient,), (strict,) = (plan_body(readers, body, IDENTITY).scenarios for readers in (LENIENT, STRICT))

    assert (lenient.refusal, bytes(strict.options)) == (None, b"null")
    assert strict.refusal.startswith("INVALID_OPTIONS: ")
    assert (
        run_scenario(plan_body(STRICT, body, IDENTITY).written(), RESULT_BYTES_MAX, "odd").failure
        == strict.refusal
    )


def test_a_written_plan_is_read_back_as_it_was():
    plan = plan_body(LENIENT, BODY, IDENTITY)

    again = read_plan(plan.written())

    assert again.written() == plan.written()
    assert again.read_request() == plan.read_request()


def test_a_scenario_computed_by_itself_gives_the_bytes_of_the_whole_analysis():
    analyzed = analyze_body(LENIENT, BODY, IDENTITY)
    plan = analyzed.plan.written()

    assert analyzed.outcomes == tuple(
        run_scenario(plan, RESULT_BYTES_MAX, name) for name in sorted(SCENARIOS)
    )
    assert [one.scenario for one in analyzed.outcomes if one.failure] == ["c_bad"]


def test_an_engine_that_this_build_lacks_is_no_failure_of_the_scenario(monkeypatch):
    plan = plan_body(LENIENT, BODY, IDENTITY).written()
    monkeypatch.delitem(versions.ENGINES, versions.CURRENT_VERSION)

    with pytest.raises(KeyError):
        run_scenario(plan, RESULT_BYTES_MAX, "a_base")
