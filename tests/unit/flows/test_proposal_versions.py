"""The documents of a version are the same, whether they are built of values at hand or of bytes."""

import json
import pickle
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.harness.sample_requests import a_proposal_body
from service.domains.values.canonical import canonical_json, digest_of, without_keys
from service.flows.proposals.computing import RESULT, stored_result
from service.flows.proposals.versions import build_documents, read_creation, read_version, simulate_asked
from service.web.answers.proposals.parts import NO_EVIDENCE
from service.wiring.proposals import LENIENT_PROPOSAL_READERS as READERS

AT = datetime(2026, 11, 30, 1, 2, 3, tzinfo=UTC)
READ = READERS.simulate
few = settings(max_examples=25, deadline=None)
# The two names are those that the hash leaves out.
NAMES = st.sampled_from(
    ["sector", "Ärea", "created_at", "artifact_hash", 'x"created_at', "\x7f", "é\U0001f600"]
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.sampled_from(
    ['"created_at":', '\\"artifact_hash":', "created_at"]
)


@st.composite
def requests(draw) -> dict[str, Any]:
    seed = draw(st.integers(0, 10**6))
    document = json.loads(a_proposal_body(positions=draw(st.integers(4, 8)), seed=seed))
    document["options"] |= {
        "enable_proposal_simulation": True,
        "enable_workflow_gates": draw(st.booleans()),
        "max_overdraft_by_ccy": draw(st.dictionaries(NAMES, st.sampled_from(["1.10", "0"]), max_size=3)),
    }
    for entry in document["shelf_entries"]:
        entry["attributes"] = draw(st.dictionaries(NAMES, TEXTS, max_size=3))
    document["portfolio_snapshot"]["portfolio_id"] = draw(TEXTS)
    return document


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def read_creation_of(document: dict[str, Any], title: str = "t"):
    body = {"created_by": "adviser", "simulate_request": document, "metadata": {"title": title}}
    return read_creation(READERS, encoded(body))


def hash_by_reading(artifact: bytes) -> str:
    """As the specification has it: the whole is read, the two names are left out of it, and it is written."""
    content = without_keys(msgspec.json.decode(artifact), frozenset({"created_at", "artifact_hash"}))
    return digest_of(canonical_json(content))


@few
@given(requests(), TEXTS)
def test_what_is_read_once_is_hashed_as_if_it_were_written_whole(document, title):
    asked = read_creation_of(document, title)
    creation = READERS.create(
        encoded({"created_by": "adviser", "simulate_request": document, "metadata": {"title": title}})
    )
    sent = {"created_by": "adviser", "simulate_request": document, "expected_revision": 3}
    version, versioned = read_version(READERS, encoded(sent)), READERS.version(encoded(sent))

    assert asked.body == canonical_json(creation)
    assert asked.request == canonical_json(creation.simulate_request)
    assert asked.request_hash == digest_of(asked.body)
    assert version.body == canonical_json(versioned)
    contracted = {"created_by": "adviser", "simulate_request": versioned.simulate_request}
    assert version.request_hash == digest_of(canonical_json(contracted))


@few
@given(requests())
def test_documents_of_values_are_those_of_bytes(document):
    asked = read_creation_of(document)
    there = pickle.loads(pickle.dumps(asked))
    outcome = simulate_asked(READ, asked, "corr-1", "key-1")
    outcome_there = simulate_asked(READ, there, "corr-1", "key-1")

    assert there.value.value is None
    assert outcome_there == outcome

    carried = pickle.loads(pickle.dumps(outcome_there))
    assert carried.value.value is None
    here = build_documents(READ, asked, outcome, AT, True)
    assert here == build_documents(READ, there, carried, AT, True)

    result, artifact = msgspec.json.decode(here.result), msgspec.json.decode(here.artifact)
    assert here.artifact_hash == hash_by_reading(here.artifact)
    assert artifact["evidence_bundle"]["hashes"]["artifact_hash"] == here.artifact_hash
    assert here.artifact.endswith(b',"evidence_bundle":' + here.evidence + b"}")
    assert msgspec.json.decode(here.evidence) == artifact["evidence_bundle"]
    assert here.simulation_hash == digest_of(canonical_json(result))
    assert here.status == result["status"]
    gate = msgspec.json.decode(b"null" if here.gate_decision is None else here.gate_decision)
    assert gate == result["gate_decision"]
    assert here.gate_decision is None or b'"gate_decision":' + here.gate_decision in here.result
    assert stored_result(here.result) == outcome.value.value
    assert build_documents(READ, asked, outcome, AT, False).evidence == NO_EVIDENCE


@few
@given(requests())
def test_a_request_whose_names_are_in_disorder_is_what_its_canonical_text_is_read_as(document):
    asked = read_creation_of(document)
    shuffled = json.loads(encoded(document))
    for entry in shuffled["shelf_entries"]:
        names = list(entry["attributes"])
        Random(len(names)).shuffle(names)
        entry["attributes"] = {name: entry["attributes"][name] for name in names}
    again = read_creation_of(shuffled)

    outcomes = [simulate_asked(READ, one, "c", None) for one in (asked, again)]
    assert outcomes[0] == outcomes[1]
    assert build_documents(READ, asked, outcomes[0], AT, True) == build_documents(
        READ, again, outcomes[1], AT, True
    )
    for one, outcome in zip((asked, again), outcomes, strict=True):
        inputs = b'"inputs":' + RESULT.encode(READ(one.request)) + b","
        assert inputs in build_documents(READ, one, outcome, AT, True).evidence


@pytest.mark.parametrize(
    "options",
    [
        {"max_overdraft_by_ccy": {"b": "1", "a": "1"}},
        {"group_constraints": {"b:x": {"max_weight": "1"}, "a:x": {"max_weight": "1"}}},
        {"suitability_thresholds": {"max_weight_by_liquidity_tier": {"L5": "1", "L4": "1"}}},
    ],
)
def test_options_in_disorder_are_put_in_order(options):
    document = json.loads(a_proposal_body(positions=4))
    document["options"] |= options

    asked = read_creation_of(document)

    documents = build_documents(READ, asked, simulate_asked(READ, asked, "c", None), AT, True)
    assert b'"inputs":' + RESULT.encode(READ(asked.request)) + b"," in documents.evidence
    evidence = json.loads(documents.evidence)["inputs"]["options"]
    (name,) = options
    kept = evidence[name].get("max_weight_by_liquidity_tier", evidence[name])
    assert list(kept) == sorted(kept)
