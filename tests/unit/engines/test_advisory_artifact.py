"""The artifact of a proposal: its parts, its hash, and that it is the same at every call."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from service.domains.proposals.artifacts import ProposalArtifact
from service.engines.advisory.artifacts.artifact import artifact_id_of
from service.engines.advisory.artifacts.trades import plain
from service.flows.proposals.computing import artifact_of_result, simulate_proposal_body
from service.web.requests import bodies
from tests.unit.engines.advisory_cases import read
from tests.unit.engines.test_advisory_goldens import REFUSED, REVIEW, SWITCH

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def artifact_of(text: str, at: datetime = AT, key: str = "key_1") -> ProposalArtifact:
    body = json.dumps(read(text)).encode()
    simulated = simulate_proposal_body(bodies.decode_proposal, body, "corr_1", key)
    return artifact_of_result(bodies.decode_proposal, simulated.request_body, simulated.result, at)


def document_of(text: str) -> Any:
    return json.loads(artifact_of(text).body)


def hash_by_the_specification(document: Any) -> str:
    """Section 4.7, from the answer alone: keys sorted, no blanks, all but ASCII escaped."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            left = value.keys() - {"created_at", "artifact_hash"}
            return {key: without(item) for key, item in value.items() if key in left}
        if isinstance(value, list):
            return [without(item) for item in value]
        return value

    text = json.dumps(without(document), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("text", [SWITCH, REFUSED, REVIEW])
def test_the_hash_can_be_taken_again_from_the_answer_alone(text: str) -> None:
    artifact = artifact_of(text)

    document = json.loads(artifact.body)
    assert document["evidence_bundle"]["hashes"]["artifact_hash"] == artifact.artifact_hash
    assert hash_by_the_specification(document) == artifact.artifact_hash


def test_a_tag_with_the_name_of_a_hashed_out_member_is_left_out_like_it() -> None:
    tagged = SWITCH.replace("region=CH", "created_at=CH artifact_hash=Zürich")

    artifact = artifact_of(tagged)

    assert "Zürich" in artifact.body.decode()
    assert hash_by_the_specification(json.loads(artifact.body)) == artifact.artifact_hash


def test_the_instant_is_not_hashed_and_the_key_is() -> None:
    later = artifact_of(SWITCH, AT.replace(microsecond=5))

    assert later.artifact_hash == artifact_of(SWITCH).artifact_hash
    assert json.loads(later.body)["created_at"] == "2026-11-21T09:30:00.000005+00:00"
    assert artifact_of(SWITCH, key="key_2").artifact_hash != later.artifact_hash


def test_the_result_is_embedded_in_the_very_bytes_of_the_answer() -> None:
    body = json.dumps(read(SWITCH)).encode()
    simulated = simulate_proposal_body(bodies.decode_proposal, body, "corr_1", "key_1")

    artifact = artifact_of_result(bodies.decode_proposal, simulated.request_body, simulated.result, AT)

    assert b'"proposal_result":' + simulated.result in artifact.body
    inputs = json.loads(artifact.body)["evidence_bundle"]["inputs"]
    assert inputs == json.loads(simulated.request_body)
    assert list(inputs)[:4] == ["portfolio_snapshot", "market_data_snapshot", "shelf_entries", "options"]


def test_states_are_sorted_by_unrounded_weight() -> None:
    # 10,000.04 and 10,000.01 of 30,000 both print 0.3333; the heavier one stands first.
    impact = document_of("""
        cash SGD 9999.95
        hold B 1000001
        hold A 1000004
        price A 0.01 SGD
        price B 0.01 SGD
    """)["portfolio_impact"]

    rows = impact["before"]["allocation_by_instrument"]
    assert [(row["key"], row["weight"]) for row in rows] == [("A", "0.3333"), ("B", "0.3333")]
    assert [row["key"] for row in impact["before"]["allocation_by_asset_class"]] == ["UNKNOWN", "CASH"]


def test_changes_of_weight_are_rounded_after_they_are_taken() -> None:
    # 0.00005 + 0.0001 = 0.00015: the printed weights are 0.0000 and 0.0002, their difference is 0.0001.
    impact = document_of("""
        cash SGD 99995
        hold A 5
        price A 1 SGD
        shelf A APPROVED
        buy A 10
    """)["portfolio_impact"]

    assert impact["delta"]["largest_weight_changes"] == [
        {
            "bucket_type": "INSTRUMENT",
            "bucket_id": "A",
            "weight_before": "0.0000",
            "weight_after": "0.0002",
            "delta": "0.0001",
        }
    ]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("cash SGD 1", ["PORTFOLIO_MAINTENANCE"]),
        ("cash SGD 1\nflow SGD -1", ["CASH_DEPLOYMENT"]),
        (SWITCH, ["RISK_ALIGNMENT", "CASH_DEPLOYMENT", "DRIFT_REDUCTION"]),
    ],
)
def test_objectives_are_read_off_what_is_proposed(text: str, tags: list[str]) -> None:
    assert document_of(text)["summary"]["objective_tags"] == tags


GOVERNED = """
    cash SGD 100
    price A 1 SGD
    shelf A {} issuer=I tier=L1
    limit cash_band_max_weight "1"
    limit single_position_max_weight "1"
    buy A {}
"""


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("cash SGD 1", "CLIENT_CONSENT"),
        ("cash SGD 1\noption client_consent_already_obtained true", "EXECUTION_READY"),
        ('cash SGD 1\noption cash_band_max_weight "0"', "RISK_REVIEW"),
        (SWITCH, "COMPLIANCE_REVIEW"),
        ("cash SGD -1", "RISK_REVIEW"),
        # Blocked, and the attempt is a HIGH reason of the scanner.
        (GOVERNED.format("SELL_ONLY", 1), "COMPLIANCE_REVIEW"),
    ],
)
@pytest.mark.parametrize("gates", ["true", "false"])
def test_the_next_step_follows_the_gate_or_without_gates_the_scanner_and_the_status(
    text: str, step: str, gates: str
) -> None:
    document = document_of(f"{text}\noption enable_workflow_gates {gates}")

    # Without a gate nobody looks whether consent was given.
    expected = "CLIENT_CONSENT" if step == "EXECUTION_READY" and gates == "false" else step
    assert document["summary"]["recommended_next_step"] == expected
    assert document["gate_decision"]["gate"]
    result = document["evidence_bundle"]["engine_outputs"]["proposal_result"]
    assert (result["gate_decision"] is None) == (gates == "false")


def test_the_rate_shown_is_the_last_of_the_very_pair_or_none() -> None:
    # The first row counts: 100 USD cost 134.82. Shown is the second, at four places.
    trades = document_of("""
        cash SGD 1000
        price A 10 USD
        rate USD/SGD 1.3482
        rate USD/SGD 1.40005
        shelf A APPROVED
        buy A 10.00
    """)["trades_and_funding"]
    inverse = document_of(REVIEW)["trades_and_funding"]

    assert trades["fx_list"] == [
        {
            "intent_id": "oi_fx_1",
            "pair": "USD/SGD",
            "buy_amount": "100",
            "sell_amount_estimated": "134.82",
            "rate": "1.4000",
        }
    ]
    assert trades["trade_list"][0]["quantity"] == "10"
    assert trades["trade_list"][0]["dependencies"] == ["oi_fx_1"]
    assert [note["code"] for note in trades["execution_notes"]] == ["DEPENDENCY"]
    assert inverse["fx_list"][0]["rate"] is None


def test_a_scanner_that_was_off_says_so() -> None:
    document = document_of("cash SGD 1")

    assert document["suitability_summary"] == {
        "status": "NOT_AVAILABLE",
        "new_issues": 0,
        "resolved_issues": 0,
        "persistent_issues": 0,
        "highest_severity_new": None,
        "highlights": [],
        "issues": [],
    }
    assert [row["code"] for row in document["summary"]["key_takeaways"]] == ["STATUS", "INTENTS", "CASH"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [("10.00", "10"), ("1E+3", "1000"), ("0.500", "0.5"), ("1000", "1000"), ("1E-9", "0.000000001")],
)
def test_figures_for_reading_have_no_exponent_and_no_idle_zeros(written: str, shown: str) -> None:
    assert plain(Decimal(written)) == shown


def test_only_the_first_prefix_of_a_run_id_is_replaced() -> None:
    assert artifact_id_of("pr_0pr_1") == "pa_0pr_1"
