"""The life of proposals: what a caller is answered, what is kept, and who comes first of two."""

import json
from itertools import pairwise

import pytest

from scripts.harness.sample_requests import a_proposal_body
from service.domains.callers import DEFAULT_TENANT, Caller
from service.domains.values.canonical import canonical_json, digest_of
from service.domains.values.pages import all_of
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.proposals import (
    FourEyesViolation,
    InvalidApprovalState,
    InvalidTransition,
    PortfolioContextMismatch,
    ProposalConcurrentUpdate,
    ProposalKeyNotFound,
    ProposalNotFound,
    ProposalSimulationDisabled,
    ProposalStateConflict,
    ProposalTerminal,
    ProposalVersionBlocked,
    ProposalVersionNotFound,
)
from service.errors.requests import RequestInvalid
from service.flows.proposals import documents
from service.web.answers.proposals import proposals
from tests.unit.flows.proposal_fixtures import AT, OFF, READERS, ProposalDesk, body_of, told


@pytest.fixture
def desk():
    return ProposalDesk()


@pytest.fixture
def simulated(monkeypatch):
    """The ids of the correlations that were simulated for."""
    seen = []

    def counting(read, asked, correlation_id, key, bytes_max, simulate=documents.simulate_asked):
        seen.append(correlation_id)
        return simulate(read, asked, correlation_id, key, bytes_max)

    monkeypatch.setattr(documents, "simulate_asked", counting)
    return seen


async def test_a_creation_begins_a_draft_with_its_first_version(desk):
    metadata = {"title": "t", "advisor_notes": "n", "jurisdiction": "SG", "mandate_id": "m"}

    answered = await desk.create(correlation_id="corr-1", metadata=metadata)

    answer, at = told(answered), AT.isoformat()
    proposal_id = answer["proposal"]["proposal_id"]
    assert not answered.replayed
    assert answer["proposal"] == {
        "proposal_id": proposal_id,
        "portfolio_id": "pf_1",
        "mandate_id": "m",
        "jurisdiction": "SG",
        "created_by": "adviser",
        "created_at": at,
        "last_event_at": at,
        "current_state": "DRAFT",
        "current_version_no": 1,
        "title": "t",
        "revision": 1,
    }
    event = answer["latest_workflow_event"]
    assert (event["event_type"], event["from_state"], event["to_state"]) == ("CREATED", None, "DRAFT")
    assert (event["reason"], event["related_version_no"]) == ({"correlation_id": "corr-1"}, 1)
    assert event["occurred_at"] == answer["version"]["created_at"] == at
    assert (await desk.get(proposal_id)).advisor_notes == "n"


async def test_the_first_version_has_the_simulation_and_the_artifact_of_one_instant(desk):
    body = body_of(deposit=5)

    version = told(await desk.create(correlation_id="corr-1", deposit=5))["version"]

    result, artifact = version["proposal_result"], version["artifact"]
    assert version["request_hash"] == digest_of(canonical_json(READERS.create(body)))
    assert version["simulation_hash"] == digest_of(canonical_json(result))
    assert (result["correlation_id"], result["lineage"]["idempotency_key"]) == ("corr-1", "key-1")
    assert result["lineage"]["request_hash"] == version["request_hash"]
    assert (version["version_no"], version["status_at_creation"], result["status"]) == (1, "READY", "READY")
    assert (artifact["created_at"], artifact["evidence_bundle"]) == (
        AT.isoformat(),
        version["evidence_bundle"],
    )
    assert version["evidence_bundle"] != {} and version["gate_decision"] == result["gate_decision"]


async def test_a_drawn_correlation_id_is_in_the_result_and_is_no_reason(desk):
    answer = told(await desk.create())

    assert answer["latest_workflow_event"]["reason"] == {}
    assert answer["version"]["proposal_result"]["correlation_id"].startswith("corr_")


async def test_a_replay_is_the_first_answer_to_the_byte_whatever_came_since(desk, simulated):
    first = await desk.create(correlation_id="corr-1")
    proposal_id = told(first)["proposal"]["proposal_id"]
    desk.wait(60)
    await desk.add_version(proposal_id, deposit=5)
    await desk.move(proposal_id, "CANCELLED", "DRAFT")
    simulated.clear()

    again = await desk.create(correlation_id="corr-2")

    assert (again.body, again.replayed) == (first.body, True)
    assert (simulated, desk.count()) == ([], 1)
    key = json.loads(proposals.answer_key(await desk.flow.get_key(Caller.local(), "key-1")))
    assert (key["proposal_id"], key["proposal_version_no"]) == (proposal_id, 1)


async def test_a_key_stands_for_one_request(desk):
    await desk.create()

    for other in ({"created_by": "colleague"}, {"metadata": {"title": "t"}}, {"deposit": 5}):
        with pytest.raises(IdempotencyKeyConflict):
            await desk.create(**other)
    assert desk.count() == 1
    with pytest.raises(ProposalKeyNotFound):
        await desk.flow.get_key(Caller.local(), "key-2")


async def test_of_two_creations_with_one_key_the_later_gets_what_the_earlier_was_answered(desk):
    first = []

    async def another():
        first.append(await desk.create())

    desk.overtaken().before_change = [another]

    second = await desk.create(correlation_id="corr-2")

    assert (second.body, second.replayed, first[0].replayed) == (first[0].body, True, False)
    assert desk.count() == 1


async def test_a_creation_whose_id_is_taken_draws_another(desk):
    async def clash():
        raise ProposalConcurrentUpdate()

    desk.overtaken().before_change = [clash]

    answered = await desk.create()

    assert await desk.get(told(answered)["proposal"]["proposal_id"])
    assert desk.count() == 1


async def test_a_simulation_must_be_asked_for_unless_that_is_configured_away(desk):
    with pytest.raises(ProposalSimulationDisabled):
        await desk.create(options=OFF)
    with pytest.raises(ProposalKeyNotFound):
        await desk.flow.get_key(Caller.local(), "key-1")
    await desk.flow.check_create(Caller.local(), body_of(options=OFF))

    lenient = ProposalDesk(simulation_flag_required=False)
    proposal_id = await lenient.created(options=OFF)
    version = told(await lenient.add_version(proposal_id, options=OFF))["version"]

    assert (version["version_no"], version["status_at_creation"]) == (2, "READY")


@pytest.mark.parametrize("kept", [True, False])
async def test_evidence_is_kept_only_while_the_control_is_on(kept):
    desk = ProposalDesk(evidence_kept=kept)
    answer = told(await desk.create())
    proposal_id = answer["proposal"]["proposal_id"]

    found = await desk.flow.get(Caller.local(), proposal_id)
    detail, without = (
        json.loads(proposals.answer_detail(found.proposal, found.version, include_evidence=shown))
        for shown in (True, False)
    )

    assert (detail["current_version"]["evidence_bundle"] != {}) is kept
    assert answer["version"] == detail["current_version"]
    assert without["current_version"]["evidence_bundle"] == {}
    assert without["current_version"]["artifact"] == detail["current_version"]["artifact"]


async def test_large_bodies_are_computed_elsewhere_and_come_to_the_same():
    simulate_request = json.loads(a_proposal_body(positions=150))
    body = json.dumps({"created_by": "adviser", "simulate_request": simulate_request}).encode()
    assert len(body) > documents.LOOP_BODY_BYTES_MAX
    near, far = ProposalDesk(), ProposalDesk()
    near.flow.documents._compute = lambda size, work, *args: near.offload(work, *args)

    answers = [
        await desk.flow.create(Caller.local(), body, idempotency_key="key-1", correlation_id="c")
        for desk in (near, far)
    ]

    assert far.offloaded == ["read_creation", "simulate_asked", "build_documents"]
    assert answers[0] == answers[1]


async def test_a_version_takes_the_next_number_and_returns_the_proposal_to_a_draft(desk):
    proposal_id = await desk.created()
    approval_id = await desk.to_consent(proposal_id)
    desk.wait(60)

    answer = told(
        await desk.add_version(proposal_id, correlation_id="corr-2", created_by="colleague", deposit=5)
    )

    assert answer["proposal"]["current_state"] == "DRAFT"
    assert (answer["proposal"]["current_version_no"], answer["proposal"]["revision"]) == (2, 4)
    event, version = answer["latest_workflow_event"], answer["version"]
    assert (event["event_type"], event["from_state"]) == ("NEW_VERSION_CREATED", "AWAITING_CLIENT_CONSENT")
    assert (event["actor_id"], event["related_version_no"], version["version_no"]) == ("colleague", 2, 2)
    assert event["reason"] == {
        "correlation_id": "corr-2",
        "returned_to_draft": True,
        "voided_approvals": [approval_id],
    }
    assert version["proposal_result"]["lineage"]["idempotency_key"] is None
    assert answer["proposal"]["last_event_at"] == version["created_at"] == desk.at.isoformat()
    kept = await desk.get(proposal_id)
    assert (kept.created_by, kept.versioned_by, kept.version_status) == ("adviser", "colleague", "READY")


async def test_a_version_voids_only_what_was_approved_since_the_one_before(desk):
    proposal_id = await desk.created()
    earlier = await desk.to_consent(proposal_id)
    await desk.add_version(proposal_id)
    later = await desk.to_consent(proposal_id)
    consent = told(await desk.approve(proposal_id, "CLIENT_CONSENT", "AWAITING_CLIENT_CONSENT"))

    answer = told(await desk.add_version(proposal_id))
    draft = told(await desk.add_version(proposal_id))

    voided = answer["latest_workflow_event"]["reason"]["voided_approvals"]
    assert voided == [later, consent["approval"]["approval_id"]] and earlier not in voided
    assert draft["latest_workflow_event"]["reason"] == {"returned_to_draft": False, "voided_approvals": []}
    lineage = json.loads(
        proposals.answer_lineage(
            await desk.flow.get_lineage(Caller.local(), proposal_id, limit=200, cursor=None)
        )
    )
    assert [version["version_no"] for version in lineage["versions"]] == [1, 2, 3, 4]
    ids = [version["proposal_version_id"] for version in lineage["versions"]]
    ends = [
        (edge["source_entity_id"], edge["edge_type"], edge["target_entity_id"]) for edge in lineage["edges"]
    ]
    artifacts = [end for end in ends if end[0].startswith("pa_")]
    assert {target for _, _, target in artifacts} == set(ids)
    assert set(ends) - set(artifacts) == {
        (later, "DERIVED_FROM", earlier) for earlier, later in pairwise(ids)
    }


async def test_a_version_leaves_the_state_where_that_is_configured():
    desk = ProposalDesk(new_version_to_draft=False)
    proposal_id = await desk.created()
    await desk.to_consent(proposal_id)

    answer = told(await desk.add_version(proposal_id))

    event = answer["latest_workflow_event"]
    assert event["from_state"] == event["to_state"] == "AWAITING_CLIENT_CONSENT"
    assert event["reason"] == {}


async def test_what_a_version_is_refused_with_comes_in_its_order(desk):
    with pytest.raises(ProposalNotFound):
        await desk.add_version("pp_none", options=OFF)
    proposal_id = await desk.created()
    with pytest.raises(ProposalStateConflict):
        await desk.add_version(proposal_id, expected_revision=2, options=OFF, portfolio_id="pf_2")
    with pytest.raises(ProposalSimulationDisabled):
        await desk.add_version(proposal_id, expected_revision=1, options=OFF, portfolio_id="pf_2")
    with pytest.raises(PortfolioContextMismatch):
        await desk.add_version(proposal_id, portfolio_id="pf_2")
    await desk.move(proposal_id, "CANCELLED", "DRAFT")
    with pytest.raises(ProposalTerminal):
        await desk.add_version(proposal_id, options=OFF, portfolio_id="pf_2")
    assert (await desk.get(proposal_id)).revision == 2


async def test_a_version_for_another_portfolio_leaves_the_proposal_where_it_is():
    desk = ProposalDesk(portfolio_may_change=True)
    proposal_id = await desk.created()

    answer = told(await desk.add_version(proposal_id, portfolio_id="pf_2"))

    assert answer["proposal"]["portfolio_id"] == "pf_1"
    assert (await desk.get(proposal_id)).portfolio_id == "pf_1"


async def test_a_version_under_a_key_is_added_once(desk, simulated):
    proposal_id = await desk.created()
    first = await desk.add_version(proposal_id, key="key-1", expected_revision=1)
    await desk.move(proposal_id, "CANCELLED", "DRAFT")
    simulated.clear()

    again = await desk.add_version(proposal_id, key="key-1", expected_revision=1)

    assert (again.body, again.replayed, simulated) == (first.body, True, [])
    with pytest.raises(IdempotencyKeyConflict):
        await desk.add_version(proposal_id, key="key-1", deposit=5)
    with pytest.raises(ProposalTerminal):
        await desk.add_version(proposal_id, key="key-2")
    assert (await desk.get(proposal_id)).version_no == 2


async def test_who_is_overtaken_gets_the_next_number_and_simulates_once(desk, simulated):
    proposal_id = await desk.created()
    simulated.clear()

    async def another():
        await desk.add_version(proposal_id, correlation_id="theirs", deposit=5)

    async def onwards():
        await desk.to_consent(proposal_id)

    store = desk.overtaken()
    store.before_change = [another, onwards]

    answer = told(await desk.add_version(proposal_id, correlation_id="ours"))

    assert simulated == ["ours", "theirs"]
    assert (answer["version"]["version_no"], answer["proposal"]["revision"]) == (3, 5)
    event = answer["latest_workflow_event"]
    assert (event["from_state"], len(event["reason"]["voided_approvals"])) == ("AWAITING_CLIENT_CONSENT", 1)
    assert [to for _, to in await desk.events(proposal_id)] == [
        *("DRAFT", "DRAFT", "RISK_REVIEW", "AWAITING_CLIENT_CONSENT", "DRAFT")
    ]


async def test_a_version_that_simulated_while_its_proposal_ended_is_refused(desk):
    proposal_id = await desk.created()

    async def cancelled():
        await desk.move(proposal_id, "CANCELLED", "DRAFT")

    desk.overtaken().before_change = [cancelled]

    with pytest.raises(ProposalTerminal):
        await desk.add_version(proposal_id)

    kept = await desk.get(proposal_id)
    assert (kept.state.value, kept.version_no) == ("CANCELLED", 1)
    with pytest.raises(ProposalVersionNotFound):
        await desk.flow.get_version(Caller.local(), proposal_id, 2)


async def test_of_two_who_saw_one_state_one_moves_the_proposal(desk):
    proposal_id = await desk.created()
    await desk.move(proposal_id, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT")

    async def rejected():
        await desk.approve(proposal_id, "RISK", "RISK_REVIEW", approved=False)

    desk.overtaken().before_change = [rejected]

    with pytest.raises(ProposalStateConflict):
        await desk.approve(proposal_id, "RISK", "RISK_REVIEW")

    assert (await desk.events(proposal_id))[-1] == ("REJECTED", "REJECTED")
    shown = json.loads(
        proposals.answer_approvals(
            proposal_id,
            await desk.flow.list_approvals(Caller.local(), proposal_id, limit=1_000, cursor=None),
        )
    )["approvals"]
    assert [(one["approval_type"], one["approved"]) for one in shown] == [("RISK", False)]


async def test_who_expects_nothing_of_a_proposal_that_moved_is_decided_anew():
    desk = ProposalDesk(expected_state_required=False)
    proposal_id = await desk.created()

    async def submitted():
        await desk.move(proposal_id, "SUBMITTED_FOR_RISK_REVIEW")

    store = desk.overtaken()
    store.before_change = [submitted]

    event = told(await desk.move(proposal_id, "CANCELLED"))["latest_workflow_event"]

    assert (event["from_state"], event["to_state"], store.asked_for) == ("RISK_REVIEW", "CANCELLED", 3)


async def test_a_transition_and_an_approval_are_told_with_what_was_said(desk):
    proposal_id = await desk.created()
    desk.wait(1)

    answer = told(
        await desk.move(
            proposal_id, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT", reason={"why": 0.5}, related_version_no=1
        )
    )
    desk.wait(1)
    approved = told(await desk.approve(proposal_id, "RISK", expected_revision=2, details={"a": [1, None]}))

    event = answer["latest_workflow_event"]
    assert (answer["current_state"], answer["approval"]) == ("RISK_REVIEW", None)
    assert (event["reason"], event["related_version_no"], event["actor_id"]) == ({"why": 0.5}, 1, "adviser")
    approval, event = approved["approval"], approved["latest_workflow_event"]
    assert (event["event_type"], event["reason"]) == ("RISK_APPROVED", {"a": [1, None]})
    assert (approval["details"], approval["approved"], approval["actor_id"]) == (
        {"a": [1, None]},
        True,
        "officer",
    )
    assert approval["occurred_at"] == event["occurred_at"] == desk.at.isoformat()
    assert (await desk.get(proposal_id)).last_event_at == desk.at


async def test_a_proposal_walks_to_its_execution_and_keeps_every_event(desk):
    proposal_id = await desk.created()
    await desk.move(proposal_id, "SUBMITTED_FOR_COMPLIANCE_REVIEW", "DRAFT")
    await desk.approve(proposal_id, "COMPLIANCE", "COMPLIANCE_REVIEW")
    await desk.approve(proposal_id, "CLIENT_CONSENT", "AWAITING_CLIENT_CONSENT")
    await desk.move(proposal_id, "EXECUTED", "EXECUTION_READY")

    assert await desk.events(proposal_id) == [
        ("CREATED", "DRAFT"),
        ("SUBMITTED_FOR_COMPLIANCE_REVIEW", "COMPLIANCE_REVIEW"),
        ("COMPLIANCE_APPROVED", "AWAITING_CLIENT_CONSENT"),
        ("CLIENT_CONSENT_RECORDED", "EXECUTION_READY"),
        ("EXECUTED", "EXECUTED"),
    ]
    with pytest.raises(InvalidTransition):
        await desk.move(proposal_id, "CANCELLED", "EXECUTED")
    assert (await desk.get(proposal_id)).revision == 5


async def test_refusals_leave_nothing_behind(desk):
    proposal_id = await desk.created()

    with pytest.raises(ProposalStateConflict):
        await desk.move(proposal_id, "SUBMITTED_FOR_RISK_REVIEW", key="key-1")
    with pytest.raises(InvalidApprovalState):
        await desk.approve(proposal_id, "RISK", "DRAFT", key="key-1")
    with pytest.raises(ProposalNotFound):
        await desk.move("pp_none", "CANCELLED", "DRAFT", key="key-1")
    with pytest.raises(RequestInvalid):
        await desk.move(proposal_id, "FORGOTTEN", "DRAFT")

    assert (await desk.get(proposal_id)).revision == 1
    # The key of what was refused is free.
    assert not (await desk.move(proposal_id, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT", key="key-1")).replayed


async def test_keys_of_transitions_and_approvals_are_replayed_to_the_byte(desk):
    proposal_id = await desk.created()
    moved = await desk.move(proposal_id, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT", key="key-1")
    approved = await desk.approve(proposal_id, "RISK", "RISK_REVIEW", key="key-1")
    await desk.move(proposal_id, "CANCELLED", "AWAITING_CLIENT_CONSENT")
    desk.wait(60)

    moved_again = await desk.move(proposal_id, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT", key="key-1")
    approved_again = await desk.approve(proposal_id, "RISK", "RISK_REVIEW", key="key-1")

    assert (moved_again.body, moved_again.replayed) == (moved.body, True)
    assert (approved_again.body, approved_again.replayed) == (approved.body, True)
    with pytest.raises(IdempotencyKeyConflict):
        await desk.move(proposal_id, "CANCELLED", "DRAFT", key="key-1")
    with pytest.raises(IdempotencyKeyConflict):
        await desk.approve(proposal_id, "RISK", "RISK_REVIEW", key="key-1", approved=False)
    assert (await desk.get(proposal_id)).revision == 4


async def test_a_number_and_its_text_are_two_requests(desk):
    proposal_id = await desk.created()
    await desk.move(proposal_id, "CANCELLED", "DRAFT", key="key-1", reason={"score": 0.5})

    with pytest.raises(IdempotencyKeyConflict):
        await desk.move(proposal_id, "CANCELLED", "DRAFT", key="key-1", reason={"score": "0.5"})


async def test_who_comes_second_with_a_key_gets_its_answer_and_not_the_refusal_it_brought(desk):
    proposal_id = await desk.created()
    acts = [
        lambda: desk.add_version(proposal_id, key="key-1", expected_revision=1),
        lambda: desk.move(proposal_id, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT", key="key-1"),
        lambda: desk.approve(proposal_id, "RISK", "RISK_REVIEW", key="key-1"),
    ]
    store = desk.overtaken()
    for revision, act in enumerate(acts, start=2):
        first = []

        async def another(act=act, first=first):
            first.append(await act())

        store.after_look = [another]
        second = await act()

        assert (second.body, second.replayed, first[0].replayed) == (first[0].body, True, False)
        assert (await desk.get(proposal_id)).revision == revision


async def test_keys_of_one_proposal_are_none_of_another(desk):
    one, other = await desk.created("key-1"), await desk.created("key-2")

    await desk.move(one, "CANCELLED", "DRAFT", key="key-3")
    assert not (await desk.move(other, "CANCELLED", "DRAFT", key="key-3")).replayed


async def test_a_blocked_proposal_is_kept_and_never_gets_consent(desk):
    answer = told(await desk.create(deposit=-50))
    proposal_id = answer["proposal"]["proposal_id"]
    assert answer["version"]["status_at_creation"] == "BLOCKED"
    await desk.to_consent(proposal_id)

    with pytest.raises(ProposalVersionBlocked):
        await desk.approve(proposal_id, "CLIENT_CONSENT", "AWAITING_CLIENT_CONSENT")

    await desk.add_version(proposal_id)
    await desk.to_consent(proposal_id)
    assert await desk.approve(proposal_id, "CLIENT_CONSENT", "AWAITING_CLIENT_CONSENT")


async def test_the_last_who_brought_a_version_may_not_approve_it_under_four_eyes():
    desk = ProposalDesk(four_eyes=True)
    proposal_id = await desk.created()
    await desk.add_version(proposal_id, created_by="officer")
    await desk.add_version(proposal_id, created_by="colleague")
    await desk.move(proposal_id, "SUBMITTED_FOR_RISK_REVIEW", "DRAFT")

    for actor in ("adviser", "colleague"):
        with pytest.raises(FourEyesViolation):
            await desk.approve(proposal_id, "RISK", "RISK_REVIEW", actor=actor)

    assert await desk.approve(proposal_id, "RISK", "RISK_REVIEW", actor="officer")


async def test_a_version_is_derived_from_the_one_before_and_its_artifact_from_it(desk):
    proposal_id = await desk.created()
    answer = told(await desk.add_version(proposal_id))

    first, second = await all_of(desk.store.proposals.list_versions, DEFAULT_TENANT, proposal_id)
    artifact_id = answer["version"]["artifact"]["artifact_id"]
    edges = desk.edges()

    assert len(edges) == 3
    assert (second.proposal_version_id, "DERIVED_FROM", first.proposal_version_id) in edges
    assert (artifact_id, "DERIVED_FROM", second.proposal_version_id) in edges
