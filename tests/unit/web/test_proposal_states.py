"""Every state with every event and every approval, as a client meets them (HTTP contract 7.3)."""

from __future__ import annotations

import pytest

from tests.unit.web.proposal_fixtures import approved, moved, proposal_of

# How a proposal comes to a state: transitions by their event, approvals by their type and what was said.
WAYS = {
    "DRAFT": [],
    "RISK_REVIEW": ["SUBMITTED_FOR_RISK_REVIEW"],
    "COMPLIANCE_REVIEW": ["SUBMITTED_FOR_COMPLIANCE_REVIEW"],
    "AWAITING_CLIENT_CONSENT": ["SUBMITTED_FOR_RISK_REVIEW", ("RISK", True)],
    "EXECUTION_READY": ["SUBMITTED_FOR_RISK_REVIEW", ("RISK", True), ("CLIENT_CONSENT", True)],
    "EXECUTED": ["SUBMITTED_FOR_RISK_REVIEW", ("RISK", True), ("CLIENT_CONSENT", True), "EXECUTED"],
    "EXPIRED": ["SUBMITTED_FOR_RISK_REVIEW", ("RISK", True), ("CLIENT_CONSENT", True), "EXPIRED"],
    "REJECTED": ["SUBMITTED_FOR_COMPLIANCE_REVIEW", ("COMPLIANCE", False)],
    "CANCELLED": ["CANCELLED"],
}
OPEN = ["DRAFT", "RISK_REVIEW", "COMPLIANCE_REVIEW", "AWAITING_CLIENT_CONSENT", "EXECUTION_READY"]
EVENTS = [
    *("CREATED", "NEW_VERSION_CREATED", "SUBMITTED_FOR_RISK_REVIEW", "RISK_APPROVED"),
    *("SUBMITTED_FOR_COMPLIANCE_REVIEW", "COMPLIANCE_APPROVED", "CLIENT_CONSENT_RECORDED"),
    *("EXECUTION_REQUESTED", "EXECUTED", "REJECTED", "EXPIRED", "CANCELLED"),
]
LEADS = {
    ("DRAFT", "SUBMITTED_FOR_RISK_REVIEW"): "RISK_REVIEW",
    ("DRAFT", "SUBMITTED_FOR_COMPLIANCE_REVIEW"): "COMPLIANCE_REVIEW",
    ("RISK_REVIEW", "RISK_APPROVED"): "AWAITING_CLIENT_CONSENT",
    ("RISK_REVIEW", "REJECTED"): "REJECTED",
    ("COMPLIANCE_REVIEW", "COMPLIANCE_APPROVED"): "AWAITING_CLIENT_CONSENT",
    ("COMPLIANCE_REVIEW", "REJECTED"): "REJECTED",
    ("AWAITING_CLIENT_CONSENT", "CLIENT_CONSENT_RECORDED"): "EXECUTION_READY",
    ("AWAITING_CLIENT_CONSENT", "REJECTED"): "REJECTED",
    ("EXECUTION_READY", "EXECUTED"): "EXECUTED",
    ("EXECUTION_READY", "EXPIRED"): "EXPIRED",
    **{(state, "CANCELLED"): "CANCELLED" for state in OPEN},
}
MEANING_APPROVAL = {"RISK_APPROVED", "COMPLIANCE_APPROVED", "CLIENT_CONSENT_RECORDED"}
GIVEN_IN = {
    "RISK": ("RISK_REVIEW", "RISK_APPROVED"),
    "COMPLIANCE": ("COMPLIANCE_REVIEW", "COMPLIANCE_APPROVED"),
    "CLIENT_CONSENT": ("AWAITING_CLIENT_CONSENT", "CLIENT_CONSENT_RECORDED"),
}


async def proposal_in(client, state):
    """The path of a proposal that was brought to a state."""
    path = await proposal_of(client)
    at = "DRAFT"
    for step in WAYS[state]:
        if isinstance(step, str):
            answer = await moved(client, path, step, at)
        else:
            answer = await approved(client, path, step[0], at, approved=step[1])
        assert answer.status == 200, await answer.text()
        at = (await answer.json())["current_state"]
    assert at == state
    return path


@pytest.mark.slow
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", WAYS)
@pytest.mark.parametrize("switch", ["on", "off"])
async def test_an_event_leads_where_the_table_says_or_is_refused(start, state, event, switch, monkeypatch):
    monkeypatch.setenv("PROPOSAL_APPROVAL_EVENTS_NEED_APPROVAL", switch)
    client = await start()
    path = await proposal_in(client, state)

    answer = await moved(client, path, event, state)

    told = await answer.json()
    leads_to = LEADS.get((state, event))
    if leads_to is None:
        assert (answer.status, told["code"], told["detail"]) == (
            422,
            "INVALID_TRANSITION",
            "INVALID_TRANSITION",
        )
    elif event in MEANING_APPROVAL and switch == "on":
        assert (answer.status, told["code"]) == (422, "APPROVAL_REQUIRED")
    else:
        assert (answer.status, told["current_state"], told["approval"]) == (200, leads_to, None)
        happened = told["latest_workflow_event"]
        assert (happened["event_type"], happened["from_state"], happened["to_state"]) == (
            event,
            state,
            leads_to,
        )


@pytest.mark.parametrize("said", [True, False], ids=["given", "refused"])
@pytest.mark.parametrize("kind", GIVEN_IN)
@pytest.mark.parametrize("state", WAYS)
async def test_an_approval_is_taken_in_its_state_and_refused_in_all_others(start, state, kind, said):
    client = await start()
    path = await proposal_in(client, state)

    answer = await approved(client, path, kind, state, approved=said)

    told = await answer.json()
    given_in, event = GIVEN_IN[kind]
    if state != given_in:
        assert (answer.status, told["code"]) == (422, "INVALID_APPROVAL_STATE")
        return
    event = event if said else "REJECTED"
    assert (answer.status, told["current_state"]) == (200, LEADS[state, event])
    assert told["latest_workflow_event"]["event_type"] == event
    assert (told["approval"]["approval_type"], told["approval"]["approved"]) == (kind, said)
