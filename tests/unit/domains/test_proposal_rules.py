"""What may happen to a proposal, what is refused, and which refusal comes first."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from service.domains.proposals.rules import (
    ApprovalBinding,
    Expected,
    ProposalRules,
    Step,
    decide_approval,
    decide_transition,
    decide_version,
    require_same_portfolio,
    require_versionable,
)
from service.domains.proposals.states import ApprovalType, ProposalEventType, ProposalState
from service.domains.proposals.values import Proposal
from service.errors.proposals import (
    ApprovalRequired,
    FourEyesViolation,
    InvalidApprovalState,
    InvalidTransition,
    PortfolioContextMismatch,
    ProposalStateConflict,
    ProposalTerminal,
    ProposalVersionBlocked,
    ProposalVersionMismatch,
)

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
NOBODY = Expected()
# Nothing is refused but what the existing service refuses.
LENIENT = ProposalRules(
    expected_state_required=False,
    blocked_refused=False,
    related_version_checked=False,
    approvals_by_approval_only=False,
)

# The table of the advisory specification, section 6.2, as it is printed there.
TABLE = """
DRAFT                    SUBMITTED_FOR_RISK_REVIEW        RISK_REVIEW
DRAFT                    SUBMITTED_FOR_COMPLIANCE_REVIEW  COMPLIANCE_REVIEW
RISK_REVIEW              RISK_APPROVED                    AWAITING_CLIENT_CONSENT
RISK_REVIEW              REJECTED                         REJECTED
COMPLIANCE_REVIEW        COMPLIANCE_APPROVED              AWAITING_CLIENT_CONSENT
COMPLIANCE_REVIEW        REJECTED                         REJECTED
AWAITING_CLIENT_CONSENT  CLIENT_CONSENT_RECORDED          EXECUTION_READY
AWAITING_CLIENT_CONSENT  REJECTED                         REJECTED
EXECUTION_READY          EXECUTED                         EXECUTED
EXECUTION_READY          EXPIRED                          EXPIRED
DRAFT                    CANCELLED                        CANCELLED
RISK_REVIEW              CANCELLED                        CANCELLED
COMPLIANCE_REVIEW        CANCELLED                        CANCELLED
AWAITING_CLIENT_CONSENT  CANCELLED                        CANCELLED
EXECUTION_READY          CANCELLED                        CANCELLED
"""
STATES = [
    *("DRAFT", "RISK_REVIEW", "COMPLIANCE_REVIEW", "AWAITING_CLIENT_CONSENT", "EXECUTION_READY"),
    *("EXECUTED", "REJECTED", "CANCELLED", "EXPIRED"),
]
ENDED = ["EXECUTED", "REJECTED", "CANCELLED", "EXPIRED"]
EVENTS = [
    *("CREATED", "NEW_VERSION_CREATED", "SUBMITTED_FOR_RISK_REVIEW", "RISK_APPROVED"),
    *("SUBMITTED_FOR_COMPLIANCE_REVIEW", "COMPLIANCE_APPROVED", "CLIENT_CONSENT_RECORDED"),
    *("EXECUTION_REQUESTED", "EXECUTED", "REJECTED", "EXPIRED", "CANCELLED"),
]
APPROVING = ["RISK_APPROVED", "COMPLIANCE_APPROVED", "CLIENT_CONSENT_RECORDED"]
# Type of an approval, the state it is given in, and the event and the state when it is given.
APPROVALS = [
    ("RISK", "RISK_REVIEW", "RISK_APPROVED", "AWAITING_CLIENT_CONSENT"),
    ("COMPLIANCE", "COMPLIANCE_REVIEW", "COMPLIANCE_APPROVED", "AWAITING_CLIENT_CONSENT"),
    ("CLIENT_CONSENT", "AWAITING_CLIENT_CONSENT", "CLIENT_CONSENT_RECORDED", "EXECUTION_READY"),
]


def led_by(state, event):
    """Where the table leads from a state by an event; None where it does not."""
    rows = [line.split() for line in TABLE.strip().splitlines()]
    return next((to for before, by, to in rows if (before, by) == (state, event)), None)


def proposal_in(state, **changes):
    proposal = Proposal(
        proposal_id="pp_1",
        tenant_id="default",
        portfolio_id="pf_1",
        mandate_id=None,
        jurisdiction=None,
        title=None,
        advisor_notes=None,
        created_by="adviser",
        created_at=AT,
        last_event_at=AT,
        state=ProposalState(state),
        version_no=3,
        version_status="READY",
        versioned_by="colleague",
        revision=7,
    )
    return replace(proposal, **changes)


def moved(proposal, event, *, related=None, expected=NOBODY, rules=LENIENT):
    return decide_transition(proposal, ProposalEventType(event), related, expected, rules)


def approved(proposal, kind, *, given=True, actor="officer", related=None, expected=NOBODY, rules=LENIENT):
    return decide_approval(proposal, ApprovalType(kind), given, actor, related, expected, rules)


def test_the_vocabularies_are_those_of_the_contract():
    assert [state.value for state in ProposalState] == STATES
    assert [event.value for event in ProposalEventType] == EVENTS
    assert [kind.value for kind in ApprovalType] == ["RISK", "COMPLIANCE", "CLIENT_CONSENT"]


@pytest.mark.parametrize(("state", "event"), list(product(STATES, EVENTS)))
def test_an_event_leads_where_the_table_says_and_nowhere_else(state, event):
    to = led_by(state, event)
    if to is None:
        with pytest.raises(InvalidTransition):
            moved(proposal_in(state), event)
    else:
        assert moved(proposal_in(state), event) == Step(ProposalEventType(event), ProposalState(to), None)


@pytest.mark.parametrize(("state", "approval"), list(product(STATES, APPROVALS)))
def test_an_approval_is_given_and_refused_in_its_state_only(state, approval):
    kind, given_in, event, to = approval
    if state == given_in:
        assert approved(proposal_in(state), kind) == Step(ProposalEventType(event), ProposalState(to), None)
        assert approved(proposal_in(state), kind, given=False) == Step(
            ProposalEventType.REJECTED, ProposalState.REJECTED, None
        )
    else:
        for given in (True, False):
            with pytest.raises(InvalidApprovalState):
                approved(proposal_in(state), kind, given=given)


@pytest.mark.parametrize("event", APPROVING)
def test_events_that_mean_an_approval_need_one_while_the_control_is_on(event):
    state = next(given_in for _, given_in, by, _ in APPROVALS if by == event)
    strict = replace(LENIENT, approvals_by_approval_only=True)

    with pytest.raises(ApprovalRequired):
        moved(proposal_in(state), event, rules=strict)
    with pytest.raises(InvalidTransition):
        moved(proposal_in("DRAFT"), event, rules=strict)
    assert moved(proposal_in(state), "REJECTED", rules=strict).to_state is ProposalState.REJECTED
    assert moved(proposal_in(state), event).event_type.value == event


EXPECTATIONS = [
    (Expected(), None),
    (Expected(state=ProposalState.RISK_REVIEW), None),
    (Expected(revision=7), None),
    (Expected(state=ProposalState.RISK_REVIEW, revision=7), None),
    (Expected(state=ProposalState.DRAFT), "expected_state mismatch"),
    (Expected(state=ProposalState.DRAFT, revision=7), "expected_state mismatch"),
    (Expected(state=ProposalState.DRAFT, revision=6), "expected_state mismatch"),
    (Expected(state=ProposalState.RISK_REVIEW, revision=6), "expected_revision mismatch"),
    (Expected(revision=8), "expected_revision mismatch"),
]


@pytest.mark.parametrize(("expected", "refusal"), EXPECTATIONS)
@pytest.mark.parametrize("required", [True, False])
def test_what_a_caller_expects_must_be_so(expected, refusal, required):
    proposal, rules = proposal_in("RISK_REVIEW"), replace(LENIENT, expected_state_required=required)
    if required and expected == NOBODY:
        refusal = "expected_state is required"
    for decide, what in ((moved, "CANCELLED"), (approved, "RISK")):
        if refusal is None:
            assert decide(proposal, what, expected=expected, rules=rules)
            continue
        with pytest.raises(ProposalStateConflict) as refused:
            decide(proposal, what, expected=expected, rules=rules)
        assert str(refused.value) == f"STATE_CONFLICT: {refusal}"


@pytest.mark.parametrize("related", [None, 1, 2, 3])
def test_an_event_may_be_about_any_version_there_is_or_none(related):
    strict = ProposalRules(expected_state_required=False)

    assert moved(proposal_in("DRAFT"), "CANCELLED", related=related, rules=strict).related_version_no == (
        related
    )
    assert approved(proposal_in("RISK_REVIEW"), "RISK", related=related, rules=strict).related_version_no == (
        related
    )


@pytest.mark.parametrize("related", [-1, 0, 4, 99])
@pytest.mark.parametrize("given", [True, False])
def test_a_version_there_is_not_is_refused_while_the_control_is_on(related, given):
    strict = replace(LENIENT, related_version_checked=True)
    proposal = proposal_in("RISK_REVIEW")

    with pytest.raises(ProposalVersionMismatch):
        moved(proposal, "CANCELLED", related=related, rules=strict)
    with pytest.raises(ProposalVersionMismatch):
        approved(proposal, "RISK", given=given, related=related, rules=strict)
    assert moved(proposal, "CANCELLED", related=related).related_version_no == related
    assert approved(proposal, "RISK", given=given, related=related).related_version_no == related


@pytest.mark.parametrize("given", [True, False])
def test_a_bound_approval_is_about_the_current_version(given):
    bound = replace(LENIENT, approval_binding=ApprovalBinding.CURRENT)
    proposal = proposal_in("RISK_REVIEW")

    assert approved(proposal, "RISK", given=given, rules=bound).related_version_no == 3
    assert approved(proposal, "RISK", given=given, related=3, rules=bound).related_version_no == 3
    for related in (1, 2, 4):
        with pytest.raises(ProposalVersionMismatch):
            approved(proposal, "RISK", given=given, related=related, rules=bound)
    assert moved(proposal, "CANCELLED", related=1, rules=bound).related_version_no == 1


@pytest.mark.parametrize("kind", ["RISK", "COMPLIANCE"])
@pytest.mark.parametrize("actor", ["adviser", "colleague", "officer"])
def test_nobody_approves_what_they_brought_while_four_eyes_are_asked_for(kind, actor):
    proposal = proposal_in(f"{kind}_REVIEW")
    strict = replace(LENIENT, four_eyes=True)

    if actor == "officer":
        assert approved(proposal, kind, actor=actor, rules=strict)
    else:
        with pytest.raises(FourEyesViolation):
            approved(proposal, kind, actor=actor, rules=strict)
    assert approved(proposal, kind, actor=actor, given=False, rules=strict).to_state is ProposalState.REJECTED
    assert approved(proposal, kind, actor=actor)


@pytest.mark.parametrize("actor", ["adviser", "colleague"])
def test_consent_may_be_written_down_by_who_brought_the_proposal(actor):
    step = approved(
        proposal_in("AWAITING_CLIENT_CONSENT"),
        "CLIENT_CONSENT",
        actor=actor,
        rules=replace(LENIENT, four_eyes=True),
    )

    assert step.to_state is ProposalState.EXECUTION_READY


BLOCKED_STEPS = [
    (moved, "AWAITING_CLIENT_CONSENT", "CLIENT_CONSENT_RECORDED", True),
    (approved, "AWAITING_CLIENT_CONSENT", "CLIENT_CONSENT", True),
    (moved, "EXECUTION_READY", "EXECUTED", True),
    (approved, "RISK_REVIEW", "RISK", False),
    (approved, "COMPLIANCE_REVIEW", "COMPLIANCE", False),
    (moved, "EXECUTION_READY", "EXPIRED", False),
    (moved, "EXECUTION_READY", "CANCELLED", False),
    (moved, "DRAFT", "SUBMITTED_FOR_RISK_REVIEW", False),
]


@pytest.mark.parametrize(("decide", "state", "what", "executable"), BLOCKED_STEPS)
def test_a_blocked_version_is_never_executed_while_the_control_is_on(decide, state, what, executable):
    strict = replace(LENIENT, blocked_refused=True)
    blocked = proposal_in(state, version_status="BLOCKED")

    if executable:
        with pytest.raises(ProposalVersionBlocked):
            decide(blocked, what, rules=strict)
    else:
        assert decide(blocked, what, rules=strict)
    assert decide(blocked, what)
    for status in ("READY", "PENDING_REVIEW"):
        assert decide(proposal_in(state, version_status=status), what, rules=strict)


def test_refusing_consent_to_a_blocked_version_rejects_it():
    blocked = proposal_in("AWAITING_CLIENT_CONSENT", version_status="BLOCKED")

    step = approved(blocked, "CLIENT_CONSENT", given=False, rules=replace(LENIENT, blocked_refused=True))

    assert step.to_state is ProposalState.REJECTED


def test_refusals_of_a_transition_come_in_their_order():
    strict = ProposalRules()
    seen = Expected(state=ProposalState.AWAITING_CLIENT_CONSENT)
    blocked = proposal_in("AWAITING_CLIENT_CONSENT", version_status="BLOCKED")

    with pytest.raises(ProposalStateConflict):
        moved(blocked, "EXECUTED", related=99, rules=strict)
    with pytest.raises(InvalidTransition):
        moved(blocked, "RISK_APPROVED", related=99, expected=seen, rules=strict)
    with pytest.raises(ApprovalRequired):
        moved(blocked, "CLIENT_CONSENT_RECORDED", related=99, expected=seen, rules=strict)
    without = replace(strict, approvals_by_approval_only=False)
    with pytest.raises(ProposalVersionMismatch):
        moved(blocked, "CLIENT_CONSENT_RECORDED", related=99, expected=seen, rules=without)
    with pytest.raises(ProposalVersionBlocked):
        moved(blocked, "CLIENT_CONSENT_RECORDED", related=1, expected=seen, rules=without)


def test_refusals_of_an_approval_come_in_their_order():
    strict = ProposalRules(four_eyes=True)
    own = {"actor": "adviser", "rules": strict}
    blocked = proposal_in("RISK_REVIEW", version_status="BLOCKED")
    seen = Expected(revision=7)

    with pytest.raises(ProposalStateConflict):
        approved(blocked, "COMPLIANCE", related=99, **own)
    with pytest.raises(InvalidApprovalState):
        approved(blocked, "COMPLIANCE", related=99, expected=seen, **own)
    with pytest.raises(ProposalVersionMismatch):
        approved(blocked, "RISK", related=99, expected=seen, **own)
    with pytest.raises(FourEyesViolation):
        approved(blocked, "RISK", related=1, expected=seen, **own)
    consent = replace(blocked, state=ProposalState.AWAITING_CLIENT_CONSENT)
    with pytest.raises(ProposalVersionBlocked):
        approved(consent, "CLIENT_CONSENT", related=1, expected=seen, **own)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("to_draft", [True, False])
def test_a_version_may_be_brought_until_a_proposal_has_ended(state, to_draft):
    proposal = proposal_in(state)
    if state in ENDED:
        with pytest.raises(ProposalTerminal) as refused:
            require_versionable(proposal, NOBODY)
        assert str(refused.value) == "PROPOSAL_TERMINAL_STATE: cannot create version"
        with pytest.raises(ProposalStateConflict):
            require_versionable(proposal, Expected(revision=6))
        return

    require_versionable(proposal, Expected(revision=7))
    with pytest.raises(ProposalStateConflict):
        require_versionable(proposal, Expected(revision=6))
    step = decide_version(proposal, replace(LENIENT, new_version_to_draft=to_draft))

    to_state = ProposalState.DRAFT if to_draft else ProposalState(state)
    assert step == Step(ProposalEventType.NEW_VERSION_CREATED, to_state, 4)


def test_a_version_is_for_the_portfolio_of_its_proposal_unless_that_may_change():
    proposal = proposal_in("DRAFT")

    require_same_portfolio(proposal, "pf_1", LENIENT)
    with pytest.raises(PortfolioContextMismatch):
        require_same_portfolio(proposal, "pf_2", LENIENT)
    require_same_portfolio(proposal, "pf_2", replace(LENIENT, portfolio_may_change=True))


def test_the_controls_are_on_but_for_those_that_a_bank_turns_on():
    assert ProposalRules() == ProposalRules(
        expected_state_required=True,
        portfolio_may_change=False,
        simulation_flag_required=True,
        evidence_kept=True,
        blocked_refused=True,
        new_version_to_draft=True,
        related_version_checked=True,
        approvals_by_approval_only=True,
        approval_binding=ApprovalBinding.EXISTING,
        four_eyes=False,
    )
