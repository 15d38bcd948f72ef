"""Replays the recorded proposals against the engine and the reading of bodies, without a server.

The packs lie beside the repository; without them the tests are skipped, visibly.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from service.errors.families import Unprocessable
from service.flows.proposals.computing import artifact_of_result, simulate_proposal_body
from service.web.requests import bodies
from tests.conftest import CONFORMANCE
from tests.unit.engines.recorded import check, differ, load

SIMULATE, ARTIFACT = "/rebalance/proposals/simulate", "/rebalance/proposals/artifact"
PACKS = {"goldens": 5, "advisory-generated": 150}
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)

# Instants, our own words and the hashes that cover them, ids that tests draw.
UNRECORDED = {
    "created_at",
    "correlation_id",
    "idempotency_key",
    "engine_version",
    "artifact_hash",
    "remediation_hint",
    "message",
    "title",
    "text",
    "notes",
    "risk_disclaimer",
    "doc_ref",
}
OUR_WORDS = re.compile(r"\.key_takeaways\[[0-9]+\]\.value")

pytestmark = pytest.mark.skipif(not CONFORMANCE.is_dir(), reason=f"no recorded cases at {CONFORMANCE}")


@pytest.mark.parametrize(("pack", "count"), PACKS.items())
def test_every_recorded_case_agrees(pack: str, count: int) -> None:
    cases = recorded(pack)

    differing = {case["id"]: check().judge(case, *answered(case))[:3] for case in cases}

    assert len(cases) == count
    assert {name: found for name, found in differing.items() if found} == {}


def test_every_character_of_an_answer_is_as_recorded_but_for_our_words() -> None:
    differing = {}
    for case in recorded("advisory-generated"):
        if case["status"] == 200:
            found: list[tuple[str, Any, Any]] = []
            differ(case["expected"], answered(case)[1], "", found, skipped(case))
            rest = [place for place in found if OUR_WORDS.search(place[0]) is None]
            if rest:
                differing[case["id"]] = rest[:3]

    assert differing == {}


def test_hashes_of_inputs_and_ids_made_of_them_are_as_recorded() -> None:
    for case in recorded("advisory-generated"):
        # A fraction is hashed by its text here, by its nearest binary number there (contract, section 9).
        if case["status"] == 200 and "json_numbers" not in case["features"]:
            body = answered(case)[1]
            assert hash_of(body) == hash_of(case["expected"])
            assert body["proposal_run_id"] == case["expected"]["proposal_run_id"]


def hash_of(body: Any) -> str:
    evidence = body.get("evidence_bundle")
    return str(evidence["hashes"]["request_hash"] if evidence else body["lineage"]["request_hash"])


def skipped(case: dict[str, Any]) -> set[str]:
    if "json_numbers" not in case["features"]:
        return UNRECORDED
    return UNRECORDED | {"request_hash", "proposal_run_id", "artifact_id", "inputs"}


def recorded(pack: str) -> list[dict[str, Any]]:
    return load(pack, (SIMULATE, ARTIFACT))


def answered(case: dict[str, Any]) -> tuple[int, Any]:
    """The status and the body a server would answer, read back from JSON."""
    try:
        simulated = simulate_proposal_body(
            bodies.decode_proposal, json.dumps(case["request"]).encode(), "corr_1", "key_1"
        )
    except Unprocessable as refused:
        return 422, {"detail": refused.detail}
    if case["endpoint"] == SIMULATE:
        return 200, json.loads(simulated.result)
    artifact = artifact_of_result(bodies.decode_proposal, simulated.request_body, simulated.result, AT)
    return 200, json.loads(artifact.body)
