"""The order in which a caller writes the members of his objects reaches no hash, no answer and no replay."""

import json
from datetime import UTC, datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.harness.sample_requests import a_batch_body, a_body, a_proposal_body
from service.domains.callers import Caller
from service.domains.dpm_runs.values import DpmRun
from service.domains.values.canonical import digest_of
from service.domains.values.json_differences import equal_but_for_order
from service.flows.dpm_runs.analyses import (
    BatchAnalysis,
    BatchIdentity,
    analyze_body,
    batch_request,
    batch_runs,
    run_scenario,
)
from service.flows.dpm_runs.computing import simulate_body
from service.flows.dpm_runs.recording import simulated_request, simulated_run
from service.flows.dpm_runs.replays import compute_again
from service.flows.limits.result_sizes import RESULT_BYTES_MAX
from service.flows.proposals.computing import artifact_of_result, recompute_proposal, simulate_proposal_body
from service.flows.proposals.versions import ProposalReaders, build_documents, read_creation, simulate_asked
from service.web.answers.dpm_runs import batch_answer
from service.web.requests import bodies
from tests.unit.flows.test_replays import READERS

AT = datetime(2026, 11, 30, tzinfo=UTC)
SEEDS = st.integers(0, 10**6)
PROPOSALS = ProposalReaders(
    simulate=bodies.decode_proposal,
    create=bodies.decode_creation,
    version=bodies.decode_version,
    transition=bodies.decode_transition,
    approval=bodies.decode_approval,
)
few = settings(max_examples=15, deadline=None)


def tagged(body: bytes) -> dict:
    """The request with several attributes on every shelf entry, and caps on some of them."""
    document = json.loads(body)
    for number, entry in enumerate(document["shelf_entries"]):
        entry["attributes"] = {
            "sector": f"s{number % 3}",
            "region": f"r{number % 2}",
            "Ärea": "x",
            "area": "y",
        }
        if number % 3:
            del entry["attributes"]["region"]
    return document


def shuffled(value, random):
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: shuffled(value[name], random) for name in names}
    if isinstance(value, list):
        return [shuffled(item, random) for item in value]
    return value


def written(document: dict) -> bytes:
    return json.dumps(document).encode()


def recorded(body: bytes) -> tuple[DpmRun, object]:
    computed = simulate_body(READERS, body, "rr_1", "corr-1")
    run = simulated_run(
        Caller.local(), computed, "rr_1", idempotency_key="key-1", correlation_id="corr-1", created_at=AT
    )
    return run, simulated_request(computed, run)


@few
@given(SEEDS)
def test_a_simulation_is_the_same_and_is_computed_again(seed):
    options = {"group_constraints": {"sector:s1": {"max_weight": "0.2"}, "area:y": {"max_weight": "0.9"}}}
    document = tagged(a_body(positions=8, seed=seed, **options))

    run, request = recorded(written(document))
    again, _ = recorded(written(shuffled(document, Random(seed))))

    assert (again.request_hash, again.result) == (run.request_hash, run.result)
    assert compute_again(READERS, again, request).difference is None
    assert compute_again(READERS, again, request).replayed_hash == digest_of(run.result)


@few
@given(SEEDS)
def test_an_analysis_is_the_same_waited_for_or_not_and_is_computed_again(seed):
    scenarios = {
        "b": {"options": {"target_method": "SOLVER", "max_turnover_pct": "0.2"}},
        "a": {"options": {}},
    }
    document = tagged(a_batch_body(scenarios, positions=8, seed=seed))
    identity = BatchIdentity("batch_1", "corr-1", ("rr_1", "rr_2"))

    first = analyze_body(READERS, written(document), identity)
    again = analyze_body(READERS, written(shuffled(document, Random(seed))), identity)

    assert batch_answer(BatchAnalysis(again, AT)) == batch_answer(BatchAnalysis(first, AT))
    assert again.plan.written() == first.plan.written()
    assert run_scenario(again.plan.written(), RESULT_BYTES_MAX, "b") == first.outcomes[1]
    for run in batch_runs(Caller.local(), again, AT):
        assert compute_again(READERS, run, batch_request(Caller.local(), again.plan, AT)).difference is None


@few
@given(SEEDS)
def test_a_proposal_and_its_documents_are_the_same_and_computed_again(seed):
    document = tagged(a_proposal_body(positions=8, seed=seed, enable_proposal_simulation=True))
    other = shuffled(document, Random(seed))
    read = bodies.decode_proposal

    first = simulate_proposal_body(read, written(document), "corr-1", "key-1")
    again = simulate_proposal_body(read, written(other), "corr-1", "key-1")
    creations = [
        read_creation(PROPOSALS, written({"created_by": "a", "simulate_request": one}))
        for one in (document, other)
    ]
    results = [simulate_asked(read, asked, "corr-1", "key-1") for asked in creations]

    assert again == first
    assert recompute_proposal(read, again.request_body, again.result) == again.result
    assert artifact_of_result(read, first.request_body, first.result, AT) == artifact_of_result(
        read, again.request_body, again.result, AT
    )
    assert creations[0].request_hash == creations[1].request_hash
    assert results[0] == results[1]
    assert build_documents(read, creations[0], results[0], AT, True) == build_documents(
        read, creations[1], results[1], AT, True
    )


def stored_before(run: DpmRun) -> DpmRun:
    """The run as it was stored when its attributes stood as the caller had sent them."""
    result = json.loads(run.result)
    for state in (result["before"], result["after_simulated"]):
        buckets = state["allocation_by_attribute"]
        state["allocation_by_attribute"] = {name: buckets[name] for name in reversed(buckets)}
    return DpmRun(
        **{**_fields(run), "result": json.dumps(result, separators=(",", ":"), ensure_ascii=False).encode()}
    )


def _fields(run: DpmRun) -> dict:
    return {name: getattr(run, name) for name in DpmRun.__dataclass_fields__}


def test_a_run_that_was_stored_in_the_order_of_its_caller_matches():
    run, request = recorded(written(tagged(a_body(positions=8))))
    before = stored_before(run)
    assert before.result != run.result

    found = compute_again(READERS, before, request)

    assert found.difference is None
    assert found.recorded_hash == found.replayed_hash == digest_of(before.result)


def test_what_is_more_than_an_order_is_still_a_difference():
    run, request = recorded(written(tagged(a_body(positions=8))))
    before = stored_before(run)
    for changed in (
        before.result.replace(b'"key":"s1"', b'"key":"s9"', 1),
        before.result.replace(b'{"', b'{ "', 1),
        before.result.replace(b'"status":', b'"status":"READY","status":', 1),
        before.result.replace(b'"key":"s', b'"key":"\\u0073', 1),
    ):
        found = compute_again(READERS, DpmRun(**{**_fields(run), "result": changed}), request)
        assert found.difference is not None
        assert found.replayed_hash != found.recorded_hash


def test_only_members_may_stand_in_another_order():
    assert equal_but_for_order(b'{"a":[1,{"b":2,"c":3}],"d":"x"}', b'{"d":"x","a":[1,{"c":3,"b":2}]}')
    assert not equal_but_for_order(b'{"a":[1,2]}', b'{"a":[2,1]}')
    assert not equal_but_for_order(b'{"a":1}', b'{"a":"1"}')
    assert not equal_but_for_order(b"no text of ours", b"{}")
