"""From the bytes of a proposal to the bytes that are stored, and back."""

import json
from datetime import UTC, datetime

import pytest

from service.domains.values.canonical import digest_of
from service.errors.proposals import ProposalSimulationDisabled
from service.errors.requests import RequestInvalid
from service.flows.proposals import computing
from service.web.requests import bodies

READ = bodies.decode_proposal
MIGRATION_TABLE = {
    "portfolio_snapshot": {
        "portfolio_id": "pf_1",
        "base_currency": "SGD",
        "cash_balances": [{"currency": "SGD", "amount": "10.00"}],
    },
    "market_data_snapshot": {},
    "shelf_entries": [],
    "options": {"enable_proposal_simulation": True},
}


def body_of(**more):
    return json.dumps(MIGRATION_TABLE | more).encode()


def simulated(body=None, key="key_1"):
    return computing.simulate_proposal_body(READ, body or body_of(), "corr_1", key)


def test_the_hash_is_of_the_parsed_request_and_names_the_run():
    computed = simulated()

    assert (
        computed.request_hash
        == digest_of(computed.request_body)
        == computing.hash_proposal_body(READ, body_of())
    )
    result = json.loads(computed.result)
    assert result["lineage"]["request_hash"] == computed.request_hash
    assert result["lineage"]["idempotency_key"] == "key_1"
    assert result["proposal_run_id"] == computed.proposal_run_id
    assert (computed.portfolio_id, computed.status, result["status"]) == ("pf_1", "READY", "READY")


def test_layout_defaults_and_unknown_members_do_not_matter_to_the_hash():
    spelt = body_of(
        proposed_trades=[],
        reference_model=None,
        note="x",
        options={"fx_buffer_pct": "0.01", "enable_proposal_simulation": "yes"},
    )

    assert computing.hash_proposal_body(READ, spelt) == computing.hash_proposal_body(READ, body_of())
    assert simulated(spelt).result == simulated().result
    assert simulated(body_of(proposed_cash_flows=[{"currency": "SGD", "amount": "1"}])).request_hash != (
        simulated(body_of(proposed_cash_flows=[{"currency": "SGD", "amount": "1.0"}])).request_hash
    )


@pytest.mark.parametrize("compute", [computing.hash_proposal_body, simulated])
def test_the_switch_is_asked_after_the_body_is_right(compute):
    def run(body):
        return compute(body) if compute is simulated else compute(READ, body)

    with pytest.raises(ProposalSimulationDisabled) as refused:
        run(body_of(options={}))
    assert refused.value.detail == "PROPOSAL_SIMULATION_DISABLED: set options.enable_proposal_simulation=true"
    with pytest.raises(RequestInvalid):
        run(body_of(options={}, proposed_trades=[{}]))


def test_a_request_inside_another_body_has_the_hash_of_that_body():
    request = READ(body_of())

    computed = computing.simulate_proposal(request, b"{}", "sha256:outer", "corr_1", None)

    lineage = json.loads(computed.result)["lineage"]
    assert (lineage["request_hash"], lineage["idempotency_key"]) == ("sha256:outer", None)
    assert computed.proposal_run_id == computing.proposal_run_id_of("sha256:outer")
    assert computed.request_body == b"{}"


def test_a_stored_proposal_is_computed_again_to_the_byte():
    computed = simulated(key="é")

    assert computing.recompute_proposal(READ, computed.request_body, computed.result) == computed.result


def test_an_engine_version_this_build_does_not_carry_is_a_key_error():
    computed = simulated()

    with pytest.raises(KeyError):
        computing.recompute_proposal(
            READ,
            computed.request_body,
            computed.result.replace(b'"engine_version":"1"', b'"engine_version":"0"'),
        )


def test_what_is_no_result_has_no_artifact():
    with pytest.raises(ValueError, match="required field"):
        computing.artifact_of_result(READ, simulated().request_body, b"{}", datetime.now(UTC))
