"""What an adviser proposes, from the first simulation to its execution."""

from __future__ import annotations

from typing import Any

from scripts.demo_pack.desk import PROPOSALS, Answer, Desk, NotShown, case, d, digest, good, refused, require
from scripts.demo_pack.scenarios import Chapter

CHAPTER = Chapter("Proposals")
CALLERS = 4
ADVISER = "adviser_ng"
CONCENTRATED = {"side": "BUY", "instrument_id": "UNLISTED_CREDIT", "quantity": "60"}


def a_creation(request: Any) -> dict[str, Any]:
    metadata = {"title": "Switch into growth", "jurisdiction": "SG", "mandate_id": "mandate_demo"}
    return {"created_by": ADVISER, "simulate_request": request, "metadata": metadata}


def concentrated() -> Any:
    """The switch with an illiquid purchase beside it, paid for by more of the bond fund."""
    request = case("advisory_switch")
    request["proposed_trades"][0]["quantity"] = "80000"
    request["proposed_trades"].append(CONCENTRATED)
    return request


def overdrawn() -> Any:
    """The switch with a withdrawal that the account does not hold."""
    request = case("advisory_switch")
    request["proposed_cash_flows"] = [{"currency": "SGD", "amount": "-90000.00"}]
    return request


class Paper:
    """One proposal, moved on by people who say which state they saw."""

    def __init__(self, desk: Desk, name: str, request: Any = None) -> None:
        self._desk = desk
        self.created = desk.post(
            PROPOSALS, a_creation(request or case("advisory_switch")), key=desk.key(name)
        )
        self.proposal_id = self.created["proposal"]["proposal_id"]
        self.path = f"{PROPOSALS}/{self.proposal_id}"

    @property
    def state(self) -> str:
        return str(self._desk.get(self.path)["proposal"]["current_state"])

    def move(self, event: str, seen: str, actor: str = ADVISER) -> Answer:
        body = {"event_type": event, "actor_id": actor, "expected_state": seen}
        return self._desk.ask("POST", f"{self.path}/transitions", body)

    def approve(self, kind: str, seen: str, actor: str, *, approved: bool = True) -> Answer:
        body = {"approval_type": kind, "approved": approved, "actor_id": actor, "expected_state": seen}
        return self._desk.ask("POST", f"{self.path}/approvals", body)

    def version(self, request: Any) -> Answer:
        body = {"created_by": ADVISER, "simulate_request": request}
        return self._desk.ask("POST", f"{self.path}/versions", body)

    def events(self) -> list[str]:
        told = self._desk.get(f"{self.path}/workflow-events")["events"]
        return [event["event_type"] for event in told]

    def to_consent(self) -> None:
        """By way of a risk review."""
        good(self.move("SUBMITTED_FOR_RISK_REVIEW", "DRAFT"))
        good(self.approve("RISK", "RISK_REVIEW", "risk_patel"))


@CHAPTER.scenario("A switch is funded by itself")
def simulated(desk: Desk) -> str:
    result = desk.post(f"{PROPOSALS}/simulate", case("advisory_switch"), key=desk.key("switch"))
    kinds = [intent["intent_type"] for intent in result["intents"]]
    [plan] = [row for row in result["diagnostics"]["funding_plan"] if row["target_currency"] == "USD"]
    [fx] = [intent for intent in result["intents"] if intent["intent_type"] == "FX_SPOT"]
    require(
        kinds == ["CASH_FLOW", "SECURITY_TRADE", "FX_SPOT", "SECURITY_TRADE", "SECURITY_TRADE"], f"{kinds}"
    )
    require(plan["funding_currency"] == "SGD" and d(fx["buy_amount"]) == 32_000, f"{plan}")
    require(result["reconciliation"]["status"] == "OK", "it does not reconcile")
    return (
        f"{d(fx['sell_amount_estimated']):,.2f} SGD for {d(fx['buy_amount']):,.2f} USD, before the purchase"
    )


@CHAPTER.scenario("Drift to the model falls")
def drift(desk: Desk) -> str:
    result = desk.post(f"{PROPOSALS}/simulate", case("advisory_switch"), key=desk.key("drift"))
    told = result["drift_analysis"]["asset_class"]
    before, after = d(told["drift_total_before"]), d(told["drift_total_after"])
    require(after < before, f"{before} becomes {after}")
    require(result["gate_decision"]["gate"] == "CLIENT_CONSENT_REQUIRED", result["gate_decision"]["gate"])
    require(result["suitability"]["summary"]["new_count"] == 0, "it brings new issues")
    return f"{before:.2%} to {after:.2%}; no new issue, so the client is asked"


@CHAPTER.scenario("Concentration goes to compliance")
def concentration(desk: Desk) -> str:
    result = desk.post(f"{PROPOSALS}/simulate", concentrated(), key=desk.key("concentrated"))
    new = {issue["issue_id"] for issue in result["suitability"]["issues"] if issue["status_change"] == "NEW"}
    gate = result["gate_decision"]["gate"]
    require("SUIT_LIQUIDITY_MAX" in new, f"{new}")
    require(gate == "COMPLIANCE_REVIEW_REQUIRED", gate)
    return f"{', '.join(sorted(new))}: {gate}"


@CHAPTER.scenario("A proposal's document proves itself")
def artifact(desk: Desk) -> str:
    document = desk.post(f"{PROPOSALS}/artifact", case("advisory_switch"), key=desk.key("document"))
    stated = document["evidence_bundle"]["hashes"]["artifact_hash"]
    require(digest(document, ["created_at", "artifact_hash"]) == stated, "the client gets another hash")
    simulated = desk.post(f"{PROPOSALS}/simulate", case("advisory_switch"), key=desk.key("document"))
    kept = document["evidence_bundle"]["engine_outputs"]["proposal_result"]
    require(kept == simulated, "one key, two results")
    return f"recomputed by the client: {stated[:23]}…; simulate and artifact share the key"


@CHAPTER.scenario("From draft to executed")
def executed(desk: Desk) -> str:
    paper = Paper(desk, "life")
    second = good(paper.version(case("advisory_switch", cash_band_max_weight="0.20"))).json
    paper.to_consent()
    good(paper.approve("CLIENT_CONSENT", "AWAITING_CLIENT_CONSENT", "client_wong"))
    good(paper.move("EXECUTED", "EXECUTION_READY", "dealer_ito"))
    kinds = [one["approval_type"] for one in desk.get(f"{paper.path}/approvals")["approvals"]]
    events = paper.events()
    require(paper.state == "EXECUTED", paper.state)
    require(second["version"]["version_no"] == 2, "the version has another number")
    require(kinds == ["RISK", "CLIENT_CONSENT"], f"{kinds}")
    require(events[0] == "CREATED" and events[-1] == "EXECUTED" and len(events) == 6, f"{events}")
    return " > ".join(event.removesuffix("_RECORDED").lower().replace("_", " ") for event in events)


@CHAPTER.scenario("By way of compliance")
def compliance(desk: Desk) -> str:
    paper = Paper(desk, "compliance", concentrated())
    require(paper.created["version"]["gate_decision"]["gate"] == "COMPLIANCE_REVIEW_REQUIRED", "another gate")
    good(paper.move("SUBMITTED_FOR_COMPLIANCE_REVIEW", "DRAFT"))
    told = good(paper.approve("COMPLIANCE", "COMPLIANCE_REVIEW", "compliance_diaz")).json
    require(told["current_state"] == "AWAITING_CLIENT_CONSENT", told["current_state"])
    require(told["approval"]["actor_id"] == "compliance_diaz", "the record names another")
    return "approved by compliance_diaz on record; the client is next"


@CHAPTER.scenario("Four eyes")
def four_eyes(desk: Desk) -> str:
    paper = Paper(desk, "four-eyes")
    good(paper.move("SUBMITTED_FOR_RISK_REVIEW", "DRAFT"))
    answer = paper.approve("RISK", "RISK_REVIEW", ADVISER)
    if answer.status == 200:
        raise NotShown("PROPOSAL_FOUR_EYES is off")
    refused(answer, 409, "FOUR_EYES_VIOLATION")
    good(paper.approve("RISK", "RISK_REVIEW", "risk_patel"))
    return f"{ADVISER} does not approve what {ADVISER} wrote; risk_patel does"


@CHAPTER.scenario("An approval is never only an event")
def on_record(desk: Desk) -> str:
    paper = Paper(desk, "on-record")
    good(paper.move("SUBMITTED_FOR_RISK_REVIEW", "DRAFT"))
    answer = paper.move("RISK_APPROVED", "RISK_REVIEW")
    if answer.status == 200:
        raise NotShown("PROPOSAL_APPROVAL_EVENTS_NEED_APPROVAL is off")
    refused(answer, 422, "APPROVAL_REQUIRED")
    return "RISK_APPROVED as a plain transition is 422 APPROVAL_REQUIRED"


@CHAPTER.scenario("A creation is done once")
def idempotent(desk: Desk) -> str:
    key, body = desk.key("created"), a_creation(case("advisory_switch"))
    first = good(desk.ask("POST", PROPOSALS, body, key=key))
    path = f"{PROPOSALS}/{first.json['proposal']['proposal_id']}"
    move = {"event_type": "SUBMITTED_FOR_RISK_REVIEW", "actor_id": ADVISER, "expected_state": "DRAFT"}
    desk.post(f"{path}/transitions", move)
    again = good(desk.ask("POST", PROPOSALS, body, key=key))
    other = desk.ask("POST", PROPOSALS, body | {"created_by": "adviser_cruz"}, key=key)
    require(again.replayed and again.body == first.body, "the replay differs")
    refused(other, 409, "IDEMPOTENCY_KEY_CONFLICT")
    return "the same bytes though it has moved on; another author is 409"


@CHAPTER.scenario("A stale reviewer is refused")
def stale(desk: Desk) -> str:
    paper = Paper(desk, "stale")
    good(paper.move("SUBMITTED_FOR_RISK_REVIEW", "DRAFT"))
    refused(paper.move("CANCELLED", "DRAFT"), 409, "STATE_CONFLICT")
    require(paper.state == "RISK_REVIEW", paper.state)
    return "who saw DRAFT cannot cancel what is in RISK_REVIEW: 409 STATE_CONFLICT"


@CHAPTER.scenario("Of equal moves at once one counts")
def race(desk: Desk) -> str:
    paper = Paper(desk, "move-race")
    answers = desk.at_once(*[lambda: paper.move("SUBMITTED_FOR_RISK_REVIEW", "DRAFT")] * CALLERS)
    statuses = sorted(answer.status for answer in answers)
    require(statuses == [200] + [409] * (CALLERS - 1), f"{statuses}")
    require(paper.events() == ["CREATED", "SUBMITTED_FOR_RISK_REVIEW"], f"{paper.events()}")
    return f"one of {CALLERS} is 200, the others 409; one event"


@CHAPTER.scenario("What is blocked is not executed")
def blocked(desk: Desk) -> str:
    paper = Paper(desk, "blocked", overdrawn())
    require(paper.created["version"]["status_at_creation"] == "BLOCKED", "it is not blocked")
    paper.to_consent()
    answer = paper.approve("CLIENT_CONSENT", "AWAITING_CLIENT_CONSENT", "client_wong")
    if answer.status == 200:
        raise NotShown("PROPOSAL_REFUSE_BLOCKED_VERSIONS is off")
    refused(answer, 422, "PROPOSAL_VERSION_BLOCKED")
    return "PROPOSAL_WITHDRAWAL_NEGATIVE_CASH; consent is 422 PROPOSAL_VERSION_BLOCKED"


@CHAPTER.scenario("A new version starts again")
def renewed(desk: Desk) -> str:
    paper = Paper(desk, "renewed")
    paper.to_consent()
    told = good(paper.version(concentrated())).json["latest_workflow_event"]
    if told["to_state"] != "DRAFT":
        raise NotShown("PROPOSAL_NEW_VERSION_RETURNS_TO_DRAFT is off")
    require(told["reason"]["voided_approvals"], "no approval is voided")
    lineage = desk.get(f"{paper.path}/lineage")["versions"]
    require([row["version_no"] for row in lineage] == [1, 2], f"{lineage}")
    require(lineage[0]["artifact_hash"] != lineage[1]["artifact_hash"], "both have one hash")
    return "back to DRAFT, the risk approval is voided; both versions keep their hashes"


@CHAPTER.scenario("The client says no")
def declined(desk: Desk) -> str:
    paper = Paper(desk, "declined")
    paper.to_consent()
    good(paper.approve("CLIENT_CONSENT", "AWAITING_CLIENT_CONSENT", "client_wong", approved=False))
    refused(paper.version(case("advisory_switch")), 422, "PROPOSAL_TERMINAL_STATE")
    refused(paper.move("CANCELLED", "REJECTED"), 422, "INVALID_TRANSITION")
    return "REJECTED for good: no version and no event after it"


@CHAPTER.scenario("A proposal is accepted and made later")
def accepted(desk: Desk) -> str:
    key = desk.key("later")
    answer = good(desk.ask("POST", f"{PROPOSALS}/async", a_creation(case("advisory_switch")), key=key))
    done = desk.ended(answer.json["status_url"])
    require((answer.status, done["status"]) == (202, "SUCCEEDED"), f"{done['error']}")
    kept = desk.get(f"{PROPOSALS}/idempotency/{key}")
    require(kept["proposal_id"] == done["proposal_id"], "its key leads elsewhere")
    require(
        desk.get(f"{PROPOSALS}/{done['proposal_id']}")["proposal"]["current_state"] == "DRAFT", "no draft"
    )
    return f"202, then SUCCEEDED with {done['proposal_id'][:14]}…, found by its key"
